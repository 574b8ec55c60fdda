"""The MQTT 5 broker: Mosquitto where it is installed, HiveMQ Community Edition otherwise."""

import shutil
import threading
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from stream.stack.endpoints import LOOPBACK
from stream.stack.errors import MissingProgramError, NotReadyError
from stream.stack.java import INFRA, check_java, find_java, pom_version, resolve_jars
from stream.stack.layout import Layout
from stream.stack.process import Launch
from stream.stack.server import Report
from stream.stack.settings import StackSettings

POM = INFRA / "mqtt" / "pom.xml"
BROKER = INFRA / "mqtt" / "Broker.java"
LOGGING = INFRA / "mqtt" / "logback.xml"

#: QoS 1 messages on their way to one client; the bridge acknowledges only after Kafka did.
INFLIGHT_MESSAGES = 1_000
#: HiveMQ has no "unbounded"; this is more than a disk of meter readings.
QUEUED_MESSAGES = 1_000_000_000


def find_mosquitto() -> Path | None:
    """Return the mosquitto program; Debian puts it where ordinary users do not look."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
    return Path(found) if found else None


def render_mosquitto(port: int, data: Path) -> str:
    """Return mosquitto.conf: loopback only, sessions on disk, no message dropped for want of room."""
    return f"""\
listener {port} {LOOPBACK}
allow_anonymous true
user {getuser()}
persistence true
persistence_location {data}/
# The whole store is written each time: a crash of the broker may lose what it acknowledged in that span [s].
autosave_interval 5
max_inflight_messages {INFLIGHT_MESSAGES}
max_queued_messages 0
set_tcp_nodelay true
log_dest stdout
log_type error
log_type warning
log_type notice
"""


def render_hivemq(port: int) -> str:
    """Return HiveMQ's config.xml: loopback only, sessions on disk, no message dropped, no word sent home."""
    return f"""\
<?xml version="1.0"?>
<hivemq>
  <listeners>
    <tcp-listener>
      <port>{port}</port>
      <bind-address>{LOOPBACK}</bind-address>
    </tcp-listener>
  </listeners>
  <mqtt>
    <queued-messages>
      <max-queue-size>{QUEUED_MESSAGES}</max-queue-size>
    </queued-messages>
    <receive-maximum>
      <server-receive-maximum>{INFLIGHT_MESSAGES}</server-receive-maximum>
    </receive-maximum>
  </mqtt>
  <persistence>
    <mode>file</mode>
  </persistence>
  <anonymous-usage-statistics>
    <enabled>false</enabled>
  </anonymous-usage-statistics>
</hivemq>
"""


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
        return None if self.settings.mqtt == "hivemq" else find_mosquitto()

    @property
    def product(self) -> str:
        """Return which broker this is."""
        if self.settings.mqtt == "mosquitto" or self.mosquitto is not None:
            return f"Mosquitto ({self.mosquitto})"
        return f"HiveMQ CE {pom_version(POM)}"

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
        check_java(POM, self.settings.cache)

    def prepare(self, report: Report) -> Launch:
        """Write the broker's configuration."""
        if self.mosquitto is not None:
            return self._prepare_mosquitto(self.mosquitto)
        return self._prepare_hivemq(report)

    def _prepare_mosquitto(self, program: Path) -> Launch:
        # Each broker its own folder: their stores are not exchangeable.
        data, conf = self.layout.data("mosquitto"), self.layout.conf("mosquitto")
        data.mkdir(parents=True, exist_ok=True)
        conf.mkdir(parents=True, exist_ok=True)
        file = conf / "mosquitto.conf"
        file.write_text(render_mosquitto(self.port, data))
        return Launch(argv=(str(program), "-c", str(file)), directory=data)

    def _prepare_hivemq(self, report: Report) -> Launch:
        jars = resolve_jars(POM, self.settings.cache, report)
        home = self.layout.data("hivemq")
        for folder in ("conf", "data", "extensions"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        (home / "conf" / "config.xml").write_text(render_hivemq(self.port))
        java = (str(find_java()), f"-Xmx{self.settings.mqtt_heap}", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError")
        main = ("org.codehaus.janino.SimpleCompiler", str(BROKER), "Broker", str(home))
        report("starting")
        argv = (*java, f"-Dlogback.configurationFile={LOGGING}", "-cp", f"{jars}/*", *main)
        return Launch(argv=argv, directory=home)

    def probe(self) -> None:
        """Connect as a client."""
        connect_once(self.port)
