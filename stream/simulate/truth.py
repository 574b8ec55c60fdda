"""What is known about a fleet, into Kafka: the registry before a run, the labels after it."""

import time
from collections.abc import Callable, Iterable, Sequence

import orjson
from confluent_kafka import KafkaError, Producer

from schemas.errors import ServiceUnavailable
from schemas.topics import METERS_REGISTRY
from simulators.grid import Grid
from simulators.labels import SIMULATOR_LABELS, Label
from simulators.registry import registry, registry_rows, transformer_registry
from simulators.schedule import Events
from stream.bridge.kafka import producer_settings
from stream.simulate.plan import Plan
from stream.topics import ensure_topics

_BUFFER_BYTES = 64 * 1024 * 1024
_TIMEOUT_S, _LOOK_S = 60.0, 0.5


def publish_registry(kafka_url: str, grid: Grid, faults: Events, plan: Plan, stop: Callable[[], bool]) -> int:
    """Write every meter's entry to `meters.registry` and wait until Kafka has them; return how many.

    Raises:
        ServiceUnavailable: Kafka did not take them in time.
    """
    entries = [registry(grid, faults, plan.start)]
    if plan.transformer_meters:
        entries.append(transformer_registry(grid, plan.start))
    for part in entries:
        _publish(kafka_url, METERS_REGISTRY.name, *registry_rows(part), stop)
    return sum(part.num_rows for part in entries)


def publish_labels(
    kafka_url: str, truth: Sequence[Label], partitions: int, replication: int, stop: Callable[[], bool]
) -> None:
    """Write labels to `simulator.labels` and wait until Kafka has them.

    Raises:
        ServiceUnavailable: Kafka did not take them in time.
    """
    ensure_topics(kafka_url, partitions, replication, [SIMULATOR_LABELS])
    rows = [orjson.dumps(label.model_dump(mode="json")) for label in truth]
    _publish(kafka_url, SIMULATOR_LABELS.name, [label.label_id.encode() for label in truth], rows, stop)


def _publish(
    kafka_url: str, topic: str, keys: Iterable[bytes], rows: Iterable[bytes], stop: Callable[[], bool]
) -> None:
    producer = Producer({**producer_settings(kafka_url, _BUFFER_BYTES), "client.id": "meterstream-truth"})
    failures: list[str] = []

    def answered(error: KafkaError | None, _message: object) -> None:
        if error is not None:
            failures.append(error.str())

    for key, row in zip(keys, rows, strict=True):
        while True:
            try:
                producer.produce(topic, row, key=key, on_delivery=answered)
                break
            except BufferError:
                producer.poll(_LOOK_S)
                if stop():
                    producer.purge()
                    raise ServiceUnavailable("kafka", f"stopped while {topic} was being written") from None
        producer.poll(0)
    deadline = time.monotonic() + _TIMEOUT_S
    while left := producer.flush(_LOOK_S):
        if stop() or time.monotonic() > deadline:
            break
    if left or failures:
        producer.purge()
        raise ServiceUnavailable("kafka", failures[0] if failures else f"{left} records of {topic} were not taken")
