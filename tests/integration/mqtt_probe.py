"""A plain MQTT 5 client for tests: QoS 1, a session that outlives its connection, nothing hidden."""

import queue
import threading
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

WAIT_S = 20.0


class MqttProbe:
    """One client; `close()` leaves its session with the broker."""

    def __init__(self, port: int, client_id: str) -> None:
        self.session_present = False
        self._connected = threading.Event()
        self._subscribed = threading.Event()
        self._received: queue.Queue[bytes] = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_arguments: self._subscribed.set()
        self._client.on_message = lambda _client, _data, message: self._received.put(message.payload)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3_600
        properties.ReceiveMaximum = 500
        self._client.connect("127.0.0.1", port, clean_start=False, properties=properties)
        self._client.loop_start()
        assert self._connected.wait(WAIT_S)

    def _on_connect(self, _client: Any, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        assert not reason.is_failure, reason
        self.session_present = flags.session_present
        self._connected.set()

    def subscribe(self, topic: str) -> None:
        """Subscribe at QoS 1 and wait for SUBACK."""
        self._client.subscribe(topic, qos=1)
        assert self._subscribed.wait(WAIT_S)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1 and wait for PUBACK."""
        self._client.publish(topic, payload, qos=1).wait_for_publish(WAIT_S)

    def receive(self) -> bytes:
        """Return the next message."""
        return self._received.get(timeout=WAIT_S)

    def close(self) -> None:
        """Disconnect, keeping the session."""
        self._client.disconnect()
        self._client.loop_stop()
        # Without the circle through this object, paho closes its sockets before they are found unclosed.
        self._client.on_connect = self._client.on_message = self._client.on_subscribe = None
