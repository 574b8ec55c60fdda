"""The publisher against a real broker, through its restart."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import orjson
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from schemas.readings import ReadingBatch
from simulators.messages import Mode
from simulators.mqtt import Address, MqttTransport
from simulators.pacing import Pace
from simulators.publisher import Publisher
from stream.stack.endpoints import Endpoints
from stream.stack.stack import LocalStack

pytestmark = pytest.mark.integration


def numbered(rows: int, meter: str = "M-1", every_s: float = 60.0) -> ReadingBatch:
    times = (np.arange(rows) * every_s * 1e6).astype(np.int64)
    return ReadingBatch.from_columns(meter_number=[meter] * rows, reading_time=times, sequence=np.arange(rows))


class Subscriber:
    """A plain client with a persistent session that counts what it gets."""

    def __init__(self, stack: Endpoints, name: str, topics: str) -> None:
        address = Address.from_url(stack.mqtt_url)
        self.seen = Counter[int]()
        self.topics = set[str]()
        self._topics = topics
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._count
        self._client.reconnect_delay_set(1, 1)
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 600
        self._client.connect(address.host, address.port, clean_start=False, properties=session)
        self._client.loop_start()
        assert self._ready.wait(10)

    def _subscribe(self, client: paho.Client, *_: Any) -> None:
        client.subscribe(self._topics, 1)

    def _count(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        content = orjson.loads(message.payload)
        self.seen.update(item["sequence"] for item in (content if isinstance(content, list) else [content]))
        self.topics.add(message.topic)

    def saw_all(self, rows: int, timeout_s: float = 30.0) -> bool:
        deadline = time.monotonic() + timeout_s
        while len(self.seen) < rows and time.monotonic() < deadline:
            time.sleep(0.05)
        return set(self.seen) == set(range(rows))

    def close(self) -> None:
        session = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 0
        self._client.disconnect(properties=session)
        self._client.loop_stop()


@contextmanager
def subscribed(stack: Endpoints, name: str, topics: str) -> Iterator[Subscriber]:
    subscriber = Subscriber(stack, name, topics)
    try:
        yield subscriber
    finally:
        subscriber.close()


@contextmanager
def transport(stack: Endpoints, name: str, tell: Callable[[str], None] = lambda _: None) -> Iterator[MqttTransport]:
    carrier = MqttTransport(Address.from_url(stack.mqtt_url), name, tell=tell)
    try:
        yield carrier
    finally:
        carrier.close()


def test_single_readings_arrive_once_under_a_safe_topic(stack: Endpoints) -> None:
    told = list[str]()
    with subscribed(stack, "s1", "meters/+/reading") as subscriber, transport(stack, "p1", told.append) as carrier:
        report = Publisher(carrier).run([numbered(5_000, "north/1+#")])
        assert subscriber.saw_all(5_000)
    assert (report.acked, report.refused) == (5_000, 0)
    assert set(subscriber.seen.values()) == {1}
    assert subscriber.topics == {"meters/north%2F1%2B%23/reading"}
    assert told == []


def test_arrays_arrive_once(stack: Endpoints) -> None:
    with subscribed(stack, "s2", "concentrators/c2/readings") as subscriber, transport(stack, "p2") as carrier:
        report = Publisher(carrier, Mode.CONCENTRATOR, "c2").run([numbered(20_000)])
        assert subscriber.saw_all(20_000)
    assert (report.messages, report.acked) == (40, 20_000)
    assert set(subscriber.seen.values()) == {1}


def test_what_nobody_subscribes_to_is_told_and_counted(own_stack: LocalStack) -> None:
    # A broker of its own: on one that tests share, a bridge's session may still stand.
    told, fresh = list[str](), own_stack.endpoints()
    assert fresh is not None
    with transport(fresh, "p5", told.append) as carrier:
        report = Publisher(carrier, Mode.CONCENTRATOR, "c5").run([numbered(2_000)])
    assert (carrier.unheard.messages, carrier.unheard.readings) == (report.messages, report.readings)
    assert told == ["nobody subscribes to 'concentrators/c5/readings': the MQTT broker drops messages"]


def test_a_schedule_is_kept_against_a_real_broker(stack: Endpoints) -> None:
    with transport(stack, "p3") as carrier:
        report = Publisher(carrier, pace=Pace(speedup=6_000)).run([numbered(200)])
    assert report.seconds == pytest.approx(1.99, abs=0.5)
    assert report.offered_per_s == pytest.approx(100, rel=0.02)
    assert report.slip_p50_ms is not None
    assert report.slip_p50_ms < 50


def test_a_broker_restart_in_mid_publish_loses_no_reading(local_stack: LocalStack, stack: Endpoints) -> None:
    rows = 30_000
    told = list[str]()
    with subscribed(stack, "s4", "meters/M-4/reading") as subscriber, transport(stack, "p4", told.append) as carrier:

        def outage() -> None:
            while carrier.acked.messages < rows // 10:
                time.sleep(0.01)
            local_stack.hold("mqtt")
            time.sleep(1)
            local_stack.release("mqtt")

        thread = threading.Thread(target=outage)
        thread.start()
        # Ten thousand a second at most, so that the outage falls into the middle on a fast machine too.
        report = Publisher(carrier, pace=Pace(speedup=10_000)).run([numbered(rows, "M-4", every_s=1.0)])
        thread.join()
        local_stack.wait_healthy()
        assert subscriber.saw_all(rows)
    assert (report.readings, report.acked) == (rows, rows)
    assert report.slip_p99_ms is not None
    assert report.slip_p99_ms > 1_000
    assert any("is away" in line for line in told)
    assert any("is back" in line for line in told)
