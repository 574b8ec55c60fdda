"""Apache Kafka, one KRaft node, from the jars that infra/kafka/pom.xml names."""

import socket
import subprocess
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from stream.stack.endpoints import LOOPBACK
from stream.stack.errors import NotReadyError, StackError
from stream.stack.java import INFRA, check_java, find_java, pom_version, resolve_jars
from stream.stack.layout import Layout
from stream.stack.process import Launch
from stream.stack.server import Report
from stream.stack.settings import StackSettings

POM = INFRA / "kafka" / "pom.xml"
LOGGING = INFRA / "kafka" / "log4j2.yaml"


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
# Two cores and half a gigabyte of heap.
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
"""


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
        data, conf = self.layout.data(self.name), self.layout.conf(self.name)
        conf.mkdir(parents=True, exist_ok=True)
        properties = conf / "server.properties"
        properties.write_text(render_config(self.port, self.controller_port, data))
        java = (str(find_java()), "-Xshare:auto", "-XX:+UseG1GC", f"-Dlog4j2.configurationFile={LOGGING}")
        classes = ("-cp", f"{jars}/*")
        if not (data / "meta.properties").exists():
            report("formatting its storage")
            self._format([*java, *classes, "kafka.tools.StorageTool"], properties)
        report("starting")
        heap = (f"-Xmx{self.settings.kafka_heap}", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError")
        return Launch(argv=(*java, *heap, *classes, "kafka.Kafka", str(properties)), directory=data)

    def _format(self, tool: list[str], properties: Path) -> None:
        self.layout.data(self.name).mkdir(parents=True, exist_ok=True)
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        argv = [*tool, "format", "--ignore-formatted", "--cluster-id", cluster, "--config", str(properties)]
        with self.layout.log(self.name).open("ab") as log:
            done = subprocess.run(argv, stdout=log, stderr=log, check=False)  # noqa: S603 (our own argument list)
        if done.returncode != 0:
            raise StackError(f"Kafka's storage could not be formatted: see {self.layout.log(self.name)}")

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
