"""What the MQTT side promises: order, back-pressure, and no acknowledgement on a connection that did not bring it."""

import os
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from stream.bridge.batcher import Burst
from stream.bridge.inflight import Batch, InFlight
from stream.bridge.mqtt import Subscriber
from stream.bridge.packets import Messages
from stream.metrics import BridgeMetrics
from stream.outage import Outage


class Reason(SimpleNamespace):
    def __str__(self) -> str:
        return str(self.text)


SUCCESS = Reason(value=0, is_failure=False, text="Success")


class ScriptedClient:
    """Stands for the client: reads what is scripted, remembers what is sent; fit for `select`, always ready."""

    def __init__(self) -> None:
        self._always = os.open(os.devnull, os.O_RDWR)
        self.opened, self.refusals = 0, 0
        self.connected = False
        self.bursts: list[Messages] = []
        self.sent: list[Any] = []
        self.pings = self.miscs = 0
        self.trouble = ""
        self.on_connect = self.on_subscribe = self.on_disconnect = lambda *_: None

    def end(self) -> None:
        os.close(self._always)

    def fileno(self) -> int:
        return self._always

    def socket(self) -> "ScriptedClient | None":
        return self if self.connected else None

    def open(self) -> None:
        self.opened += 1
        if self.refusals:
            self.refusals -= 1
            raise ConnectionRefusedError("refused")
        self.connected = True

    def connack(self, *, session_present: bool = True) -> None:
        self.on_connect(self, None, SimpleNamespace(session_present=session_present), SUCCESS, None)
        self.on_subscribe(self, None, 1, [SUCCESS], None)
        self.on_subscribe(self, None, 2, [SUCCESS], None)

    def lose(self, reason: Reason) -> None:
        self.connected = False
        self.on_disconnect(self, None, None, reason, None)

    def read(self) -> Messages:
        return self.bursts.pop(0) if self.bursts else Messages()

    def subscribe(self, filters: list[tuple[str, int]]) -> None:
        self.sent.append(filters)

    def acknowledge(self, packet_ids: list[int]) -> None:
        self.sent.append(packet_ids)

    def disconnect(self) -> None:
        self.sent.append("disconnect")

    def loop_write(self) -> None:
        self.connected = False

    def loop_misc(self) -> None:
        self.miscs += 1

    def stay_alive(self) -> None:
        self.pings += 1

    def want_write(self) -> bool:
        return False

    def has_pending(self) -> bool:
        return False


class Rig:
    """A subscriber over a scripted client; the test calls its rounds by hand."""

    def __init__(self) -> None:
        self.client = ScriptedClient()
        self.in_flight = InFlight(max_messages=3, max_bytes=1_000)
        self.bursts: list[Burst] = []
        self.outage = Outage("mqtt")
        self.registry = CollectorRegistry()
        self.subscriber = Subscriber(
            self.client,  # type: ignore[arg-type]
            ["$share/g/meters/+/reading"],
            60,
            self.in_flight,
            self.bursts.append,
            self.outage,
            BridgeMetrics(self.registry),
        )

    def connect(self) -> None:
        self.subscriber._connect()
        self.client.connack()

    def arrive(self, *packet_ids: int) -> None:
        count = len(packet_ids)
        self.client.bursts.append(Messages(list(packet_ids), [b"t"] * count, [b"x"] * count, [None] * count, count))

    def turn(self) -> None:
        self.subscriber._wake()
        self.subscriber._turn()

    def batch(self, burst: Burst) -> Batch:
        ids = burst.messages.packet_ids
        return Batch(burst.generation, ids, len(ids), len(ids), burst.arrived_s)


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.client.end()
    made.subscriber._woken.close()
    made.subscriber._waker.close()


def test_a_connection_subscribes_and_counts(rig: Rig) -> None:
    rig.connect()
    assert rig.client.sent == 2 * [[("$share/g/meters/+/reading", 1)]]
    assert rig.subscriber.subscribed
    assert rig.registry.get_sample_value("meterstream_bridge_mqtt_connections_total") == 1


@pytest.mark.parametrize("present", [False, True], ids=["new session", "session kept, perhaps without subscriptions"])
def test_a_connection_subscribes_twice_before_it_counts_as_subscribed(rig: Rig, *, present: bool) -> None:
    rig.subscriber._connect()
    rig.client.on_connect(None, None, SimpleNamespace(session_present=present), SUCCESS, None)
    rig.client.on_subscribe(None, None, 1, [SUCCESS], None)
    assert not rig.subscriber.subscribed
    rig.client.on_subscribe(None, None, 2, [SUCCESS], None)
    assert rig.client.sent == 2 * [[("$share/g/meters/+/reading", 1)]]
    assert rig.subscriber.subscribed


def test_bursts_are_handed_over_and_acknowledged_in_order(rig: Rig) -> None:
    rig.connect()
    rig.arrive(7, 8)
    rig.turn()
    (burst,) = rig.bursts
    rig.subscriber.acknowledge([rig.batch(burst)])
    rig.subscriber.acknowledge([Batch(burst.generation, [9], 1, 1, 0.0)])
    rig.turn()
    assert rig.client.sent[2:] == [[7, 8, 9]]


def test_messages_of_a_lost_connection_are_not_acknowledged_on_the_next(rig: Rig) -> None:
    rig.connect()
    rig.arrive(1)
    rig.turn()
    rig.client.lose(Reason(value=0x80, is_failure=True, text="Unspecified error"))
    rig.connect()
    rig.arrive(1)
    rig.turn()
    old, new = rig.bursts
    assert old.generation != new.generation

    rig.subscriber.acknowledge([rig.batch(old), rig.batch(new)])
    rig.turn()

    assert rig.client.sent[4:] == [[1]]
    assert rig.registry.get_sample_value("meterstream_bridge_stale_messages_total") == 1
    assert rig.registry.get_sample_value("meterstream_bridge_acknowledged_messages_total") == 1


def test_an_old_acknowledgement_is_not_sent_while_the_new_connection_is_being_made(rig: Rig) -> None:
    rig.connect()
    rig.arrive(1)
    rig.turn()
    rig.client.lose(Reason(value=0x80, is_failure=True, text="Unspecified error"))
    rig.subscriber._connect()  # CONNACK has not come yet
    rig.subscriber.acknowledge([rig.batch(rig.bursts[0])])
    rig.turn()
    assert rig.client.sent[2:] == []


def test_a_full_bridge_reads_no_more_but_pings_and_goes_on_after_the_release(rig: Rig) -> None:
    rig.connect()
    rig.arrive(1, 2, 3)
    rig.arrive(4)
    rig.turn()
    rig.turn()
    rig.turn()
    assert len(rig.bursts) == 1
    assert rig.client.pings == 1

    batch = rig.batch(rig.bursts[0])
    rig.in_flight.open(batch, 1)
    rig.subscriber.acknowledge(rig.in_flight.delivered(batch))
    rig.turn()
    rig.turn()
    assert [burst.messages.packet_ids for burst in rig.bursts] == [[1, 2, 3], [4]]


def test_after_stop_taking_acknowledgements_still_go_out(rig: Rig) -> None:
    rig.connect()
    rig.arrive(1)
    rig.turn()
    rig.arrive(2)
    rig.subscriber.stop_taking()
    rig.subscriber.acknowledge([rig.batch(rig.bursts[0])])
    rig.turn()
    assert len(rig.bursts) == 1
    assert rig.client.sent[2:] == [[1]]


def test_the_last_acknowledgements_leave_before_the_farewell(rig: Rig) -> None:
    rig.connect()
    rig.arrive(1)
    rig.turn()
    rig.subscriber.acknowledge([rig.batch(rig.bursts[0])])
    rig.subscriber.close()
    rig.subscriber.run()
    assert rig.client.sent[2:] == [[1], "disconnect"]


def test_an_absent_broker_is_tried_again_after_a_pause(rig: Rig) -> None:
    rig.client.refusals = 1
    rig.subscriber._connect()
    assert rig.outage.cause == "refused"
    assert 0 < rig.subscriber._rest_s < 1
    rig.subscriber._rest()
    rig.connect()
    assert rig.client.opened == 2
    assert rig.outage.cause is None


def test_a_refused_login_is_an_outage(rig: Rig) -> None:
    rig.subscriber._connect()
    refusal = Reason(value=0x86, is_failure=True, text="Bad user name or password")
    rig.client.on_connect(None, None, None, refusal, None)
    rig.client.lose(Reason(value=0x82, is_failure=True, text="Protocol error"))
    assert rig.outage.cause == "refused: Bad user name or password"
    assert not rig.subscriber.subscribed


def test_a_refused_subscription_is_an_outage(rig: Rig) -> None:
    rig.subscriber._connect()
    rig.client.on_connect(None, None, SimpleNamespace(session_present=False), SUCCESS, None)
    rig.client.on_subscribe(None, None, 1, [Reason(value=0x87, is_failure=True, text="Not authorized")], None)
    assert rig.outage.cause == "subscription refused"
    assert not rig.subscriber.subscribed


def test_a_second_bridge_of_the_same_id_slows_the_first_down(rig: Rig) -> None:
    rig.connect()
    rig.client.lose(Reason(value=0x8E, is_failure=True, text="Session taken over"))
    assert rig.subscriber._rest_s >= 30
    assert rig.outage.cause == "Session taken over"


def test_a_rest_is_cut_short_by_close(rig: Rig) -> None:
    rig.subscriber._rest_s = 60.0
    rig.subscriber.close()
    began = time.monotonic()
    rig.subscriber._rest()
    assert time.monotonic() - began < 1
