"""Apache Kafka, one KRaft node, from the jars that infra/kafka/pom.xml names."""

import shutil
import socket
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from stream.stack.endpoints import LOOPBACK
from stream.stack.errors import NotReadyError, StackError
from stream.stack.java import INFRA, STOP_TIMEOUT_S, check_java, find_java, pom_version, resolve_jars
from stream.stack.layout import Layout
from stream.stack.process import Launch, last_lines, run
from stream.stack.server import Report
from stream.stack.settings import StackSettings

POM = INFRA / "kafka" / "pom.xml"
_LOGGING_OPTION = f"-Dlog4j2.configurationFile={INFRA / 'kafka' / 'log4j2.yaml'}"


def render_config(port: int, controller_port: int, data: Path) -> str:
    """Return server.properties: broker and controller in one process, every replication factor 1."""
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{LOOPBACK}:{controller_port}
listeners=PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}
advertised.listeners=PLAINTEXT://{LOOPBACK}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={data}
# A mistyped topic is an error, not a new topic.
auto.create.topics.enable=false
num.partitions=4
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# Columns of many readings travel in one record.
message.max.bytes=16777216
replica.fetch.max.bytes=16777216
# After a crash the node waits for its own old session to end; the default is 9 s.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# Two cores and half a gigabyte of heap.
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
"""


def cluster_id() -> str:
    """Return a new identity; none that Kafka's tools would take for an option."""
    while (found := urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return found


@dataclass(frozen=True)
class KafkaServer:
    """Holds the topics."""

    layout: Layout
    settings: StackSettings
    port: int
    controller_port: int
    name: str = "kafka"

    @property
    def product(self) -> str:
        """Return which Kafka this is."""
        return f"Apache Kafka {pom_version(POM)}"

    @property
    def url(self) -> str:
        """Return where clients connect."""
        return f"kafka://{LOOPBACK}:{self.port}"

    def check(self) -> None:
        """Make sure that there is Java, and Maven where it is still needed."""
        check_java(POM, self.settings.cache)

    def prepare(self, report: Report) -> Launch:
        """Resolve the jars, write server.properties and format the storage once."""
        jars = resolve_jars(POM, self.settings.cache, report)
        data = self.layout.data(self.name)
        self.layout.conf(self.name).mkdir(parents=True, exist_ok=True)
        if not data.exists():
            report("formatting its storage")
            self._format(jars, data)
        report("starting")
        argv = find_java().server(
            jars,
            *("kafka.Kafka", self._write_config(data)),
            heap=self.settings.kafka_heap,
            scratch=self.layout.scratch(self.name),
            options=(
                *("-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", _LOGGING_OPTION),
                *self.settings.java_options.split(),
            ),
        )
        return Launch(argv=argv, directory=data, stop_timeout_s=STOP_TIMEOUT_S)

    def _write_config(self, data: Path) -> str:
        file = self.layout.conf(self.name) / "server.properties"
        file.write_text(render_config(self.port, self.controller_port, data))
        return str(file)

    def _format(self, jars: Path, data: Path) -> None:
        # Beside first: a start that was killed half-way must not leave half a format behind.
        beside = data.with_name(f"{data.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        tool = (
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            cluster_id(),
            "--config",
            self._write_config(beside),
        )
        argv = find_java().command(jars, *tool, options=("-XX:TieredStopAtLevel=1", _LOGGING_OPTION))
        log = self.layout.log(self.name)
        if run(Launch(argv=argv, directory=beside), log) != 0:
            raise StackError(f"Kafka's storage could not be formatted: {last_lines(log)}")
        beside.rename(data)

    def probe(self) -> None:
        """Ask for the cluster's metadata."""
        try:
            # First the bare port: a Kafka client would log every refusal.
            socket.create_connection((LOOPBACK, self.port), timeout=1).close()
            client = AdminClient({"bootstrap.servers": f"{LOOPBACK}:{self.port}", "log_level": 0})
            brokers = client.list_topics(timeout=2).brokers
        except (OSError, KafkaException) as error:
            raise NotReadyError(str(error)) from error
        if not brokers:
            raise NotReadyError("no broker registered yet")
