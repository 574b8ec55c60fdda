"""What a broker that was killed owes the receivers of a shared subscription."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from simulators.mqtt import Address
from stream.stack.endpoints import Endpoints
from stream.stack.stack import LocalStack
from tests.broker import forgets
from tests.integration.mqtt_probe import MqttProbe

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]

MESSAGES = 200


class Receiver:
    """One of a group, with a session that stays; it acknowledges nothing until it is told to."""

    def __init__(self, port: int) -> None:
        self.received: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self._ready = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, "receiver", protocol=paho.MQTTv5, manual_ack=True)
        self._subscriptions = 0
        self.client.on_connect = self._subscribe
        self.client.on_subscribe = self._subscribe
        self.client.on_message = lambda _client, _data, message: self.received.put(message)
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval, session.ReceiveMaximum = 600, 1_000
        self.client.connect("127.0.0.1", port, clean_start=False, properties=session)
        self.client.loop_start()
        assert self._ready.wait(20)

    def _subscribe(self, client: paho.Client, *_: Any) -> None:
        """Twice, as the bridge does and says why."""
        self._subscriptions += 1
        if self._subscriptions > 2:
            self._ready.set()
        else:
            client.subscribe("$share/group/owed/+", 1)

    def take(self, count: int, acknowledge: bool) -> set[bytes]:
        """Receive so many messages, which must come within a while."""
        found = set[bytes]()
        while len(found) < count:
            message = self.received.get(timeout=20)
            found.add(message.payload)
            if acknowledge:
                self.client.ack(message.mid, message.qos)
        return found


@contextmanager
def receiver(port: int) -> Iterator[Receiver]:
    made = Receiver(port)
    try:
        yield made
    finally:
        made.client.disconnect()
        made.client.loop_stop()
        made.client.on_connect = made.client.on_message = made.client.on_subscribe = None


def publish(port: int, payloads: list[bytes]) -> None:
    probe = MqttProbe(port, "sender")
    for payload in payloads:
        probe.publish("owed/1", payload)
    probe.close()


def test_what_was_on_its_way_comes_again_and_new_messages_follow(local_stack: LocalStack, stack: Endpoints) -> None:
    """HiveMQ CE alone sends none of the two hundred again, and then nothing new either."""
    if reason := forgets(local_stack):
        pytest.skip(reason)
    port = Address.from_url(stack.mqtt_url).port
    first, second = ([f"{part} {number}".encode() for number in range(MESSAGES)] for part in ("first", "second"))
    with receiver(port):
        # Many are in flight only where they waited: HiveMQ sends further ones when none is unacknowledged.
        pass
    publish(port, first)
    with receiver(port) as held:
        assert held.take(MESSAGES, acknowledge=False) == set(first)
        # Without its loop it does not connect again.
        held.client.loop_stop()
        local_stack.kill("mqtt")
        local_stack.wait_healthy()
    with receiver(port) as again:
        assert again.take(MESSAGES, acknowledge=True) == set(first)
        publish(port, second)
        assert again.take(MESSAGES, acknowledge=True) == set(second)
