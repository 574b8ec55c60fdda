"""A record is produced until Kafka has it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from prometheus_client import CollectorRegistry

from schemas.errors import ConfigurationError
from stream.bridge.kafka import Kafka, Stopped, producer_settings
from stream.bridge.records import Record
from stream.metrics import BridgeMetrics
from stream.outage import Outage

RECORD = Record("meters.raw", 3, None, b"value", "application/json", 1_700_000_000_000)
KEYED = Record("meters.rejected", -1, b"id", b"{}", "application/json", 1_700_000_000_001)


@dataclass
class Report:
    """A delivery report as librdkafka gives it."""

    sent: dict[str, Any]

    def topic(self) -> str:
        return str(self.sent["topic"])

    def partition(self) -> int:
        return int(self.sent["partition"])

    def key(self) -> bytes | None:
        return self.sent["key"]  # type: ignore[no-any-return]

    def value(self) -> bytes:
        return bytes(self.sent["value"])

    def timestamp(self) -> tuple[int, int]:
        return 1, int(self.sent["timestamp"])


class ScriptedProducer:
    """Answers each poll with the next scripted outcome; `None` is success."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.waiting: list[dict[str, Any]] = []
        self.stored: list[dict[str, Any]] = []
        self.outcomes: list[KafkaError | None] = []
        self.refusals: list[Exception] = []
        self.lists = 0

    def produce(self, topic: str, **facts: Any) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.waiting.append({"topic": topic, **facts})

    def poll(self, _timeout: float) -> None:
        waiting, self.waiting = self.waiting, []
        for sent in waiting:
            outcome = self.outcomes.pop(0) if self.outcomes else None
            if outcome is None:
                self.stored.append(sent)
            sent["on_delivery"](outcome, Report(sent))

    def purge(self) -> None:
        self.outcomes = [KafkaError(KafkaError._PURGE_QUEUE)] * len(self.waiting)

    def flush(self, timeout: float) -> None:
        self.poll(timeout)

    def list_topics(self, **_bounds: float) -> None:
        self.lists += 1

    def __len__(self) -> int:
        return len(self.waiting)


class Rig:
    """A `Kafka` over scripted producers; `turn()` is one round of its thread."""

    def __init__(self, source: str = "") -> None:
        self.producers: list[ScriptedProducer] = []
        self.outage = Outage("kafka")
        self.registry = CollectorRegistry()
        settings = producer_settings("kafka://h:1", 1_000_000)
        self.kafka = Kafka(settings, self.outage, BridgeMetrics(self.registry), source, self._connect)  # type: ignore[arg-type]
        self.delivered = 0

    def _connect(self, settings: dict[str, Any]) -> ScriptedProducer:
        self.producers.append(ScriptedProducer(settings))
        return self.producers[-1]

    @property
    def producer(self) -> ScriptedProducer:
        return self.producers[-1]

    def count(self) -> None:
        self.delivered += 1

    def run_until(self, condition: Callable[[], bool]) -> None:
        thread = threading.Thread(target=self.kafka.run)
        thread.start()
        waited = threading.Event()
        for _ in range(500):
            if condition():
                break
            waited.wait(0.01)
        self.kafka.close()
        thread.join()
        assert condition()


def test_records_say_where_a_bridge_that_was_told_so_has_them_from() -> None:
    rig = Rig("head-end-2")
    rig.kafka.send(RECORD, rig.count)
    rig.run_until(lambda: rig.delivered == 1)
    assert rig.producer.stored[0]["headers"] == {"content-type": "application/json", "source": "head-end-2"}


def test_nothing_expires_and_everything_is_acknowledged_by_all_replicas() -> None:
    settings = producer_settings("kafka://a:1,b:2", 2_048)
    assert settings["bootstrap.servers"] == "a:1,b:2"
    assert (settings["acks"], settings["enable.idempotence"], settings["message.timeout.ms"]) == ("all", True, 0)
    assert settings["queue.buffering.max.kbytes"] == 2


def test_a_url_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="kafka://"):
        producer_settings("http://a:1", 2_048)


def test_a_record_arrives_with_its_partition_time_and_content_type() -> None:
    rig = Rig()
    rig.kafka.send(RECORD, rig.count)
    rig.run_until(lambda: rig.delivered == 1)
    (stored,) = rig.producer.stored
    assert (stored["partition"], stored["timestamp"], stored["headers"]) == (
        3,
        1_700_000_000_000,
        {"content-type": "application/json"},
    )
    assert rig.registry.get_sample_value("meterstream_bridge_kafka_records_total") == 1


@pytest.mark.parametrize("record", [RECORD, KEYED], ids=["partitioned", "keyed"])
def test_a_refused_record_is_produced_again_and_counts_once(record: Record) -> None:
    rig = Rig()
    rig.producer.outcomes = [KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), KafkaError(KafkaError.INVALID_RECORD)]
    rig.kafka.send(record, rig.count)
    rig.run_until(lambda: rig.delivered == 1)
    (stored,) = rig.producer.stored
    assert (stored["topic"], stored["key"], stored["value"]) == (record.topic, record.key, record.value)
    assert (stored["partition"], stored["timestamp"]) == (record.partition, record.timestamp_ms)
    assert stored["headers"] == {"content-type": record.content_type}
    assert rig.outage.cause is None
    assert rig.registry.get_sample_value("meterstream_bridge_kafka_retries_total") == 2


def test_a_full_buffer_makes_the_sender_wait() -> None:
    rig = Rig()
    rig.producer.refusals = [BufferError(), BufferError()]
    rig.kafka.send(RECORD, rig.count)
    assert len(rig.producer.waiting) == 1


def test_a_waiting_sender_is_let_go_by_a_stop() -> None:
    rig = Rig()
    rig.producer.refusals = [BufferError() for _ in range(1_000)]
    threading.Timer(0.1, rig.kafka.close).start()
    with pytest.raises(Stopped):
        rig.kafka.send(RECORD, rig.count)


def test_after_a_fatal_error_a_new_producer_takes_over_what_was_not_delivered() -> None:
    rig = Rig()
    first = rig.producer
    rig.kafka.send(RECORD, rig.count)
    rig.kafka._on_error(KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "gap", fatal=True))
    first.poll = lambda _timeout: None if not first.outcomes else ScriptedProducer.poll(first, _timeout)  # type: ignore[method-assign]
    rig.run_until(lambda: rig.delivered == 1)
    assert len(rig.producers) == 2
    assert (first.stored, len(rig.producer.stored)) == ([], 1)


def test_a_fatal_refusal_to_produce_also_brings_a_new_producer() -> None:
    rig = Rig()
    error = KafkaException(KafkaError(KafkaError._FATAL, "fatal", fatal=True))
    rig.producer.refusals = [error]
    rig.kafka.send(RECORD, rig.count)
    rig.run_until(lambda: len(rig.producers) == 2 and rig.delivered == 1)


def test_kafka_going_away_is_noted_and_its_return_found_out_without_traffic() -> None:
    rig = Rig()
    rig.kafka._on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    assert rig.outage.cause == "_ALL_BROKERS_DOWN"
    rig.run_until(lambda: rig.outage.cause is None)
    assert rig.producer.lists == 1


def test_a_single_lost_connection_is_no_outage() -> None:
    rig = Rig()
    rig.kafka._on_error(KafkaError(KafkaError._TRANSPORT))
    assert rig.outage.cause is None
