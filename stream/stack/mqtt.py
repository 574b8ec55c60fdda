"""The MQTT 5 broker: Mosquitto where it is installed, HiveMQ Community Edition otherwise."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from stream.stack import hivemq, mosquitto
from stream.stack.endpoints import LOOPBACK
from stream.stack.errors import MissingProgramError, NotReadyError
from stream.stack.java import check_java, pom_version
from stream.stack.layout import Layout
from stream.stack.process import Launch
from stream.stack.server import Report
from stream.stack.settings import StackSettings


def connect_once(port: int, timeout_s: float = 2.0) -> None:
    """Send CONNECT and wait for CONNACK.

    Raises:
        NotReadyError: none came, or it refused.
    """
    answered = threading.Event()
    refusals: list[str] = []

    def on_connect(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            refusals.append(str(reason))
        answered.set()

    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_connect = on_connect
    try:
        client.connect(LOOPBACK, port, keepalive=10)
    except OSError as error:
        raise NotReadyError(str(error)) from error
    client.loop_start()
    came = answered.wait(timeout_s)
    client.disconnect()
    client.loop_stop()
    if not came or refusals:
        raise NotReadyError(refusals[0] if refusals else "no CONNACK")


@dataclass(frozen=True)
class MqttServer:
    """Takes the meters' messages."""

    layout: Layout
    settings: StackSettings
    port: int
    name: str = "mqtt"

    @property
    def mosquitto(self) -> Path | None:
        """Return Mosquitto where it is to be used."""
        return None if self.settings.mqtt == "hivemq" else mosquitto.find()

    @property
    def product(self) -> str:
        """Return which broker this is."""
        if self.mosquitto is not None:
            return f"Mosquitto ({self.mosquitto})"
        return f"HiveMQ CE {pom_version(hivemq.POM)}"

    @property
    def url(self) -> str:
        """Return where clients connect."""
        return f"mqtt://{LOOPBACK}:{self.port}"

    def check(self) -> None:
        """Make sure that one of the brokers can run."""
        if self.mosquitto is not None:
            return
        if self.settings.mqtt == "mosquitto":
            raise MissingProgramError(
                "mosquitto",
                "not installed",
                "Install it (`apt-get install mosquitto`) or unset METERSTREAM_STACK_MQTT.",
            )
        check_java(hivemq.POM, self.settings.cache)

    def prepare(self, report: Report) -> Launch:
        """Write the broker's configuration."""
        if self.mosquitto is not None:
            return mosquitto.prepare(self.mosquitto, self.layout, self.port)
        return hivemq.prepare(self.layout, self.settings, self.port, report)

    def probe(self) -> None:
        """Connect as a client."""
        connect_once(self.port)
