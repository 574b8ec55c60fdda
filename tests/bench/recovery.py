"""How long a killed worker takes to be where it was, and what its meters weigh."""

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from confluent_kafka import Producer

from processors.partition import partition_of
from schemas import arrow_codec
from schemas.readings import ReadingBatch
from schemas.topics import ARROW, CONTENT_TYPE, METERS_RAW
from stream.topics import bootstrap_servers
from tests.bench.engine import wait_for_rows, workers
from tests.bench.feed import PARTITIONS, PER_RECORD, recreate
from tests.bench.ground import Ground
from tests.bench.spec import Load
from tests.bench.watch import memory_bytes
from tests.integration.processes import EngineProcess

_CHECKPOINT_S = 2.0


def send(ground: Ground, batches: Iterable[ReadingBatch]) -> int:
    """Put readings straight into Kafka, as the bridge would; return how many."""
    producer = Producer(
        {"bootstrap.servers": bootstrap_servers(ground.endpoints.kafka_url), "enable.idempotence": True}
    )
    count = 0
    for batch in batches:
        partition = partition_of(batch.meter_number, PARTITIONS)
        for number in range(PARTITIONS):
            mine = batch.take(np.flatnonzero(partition == number))
            for start in range(0, len(mine), PER_RECORD):
                part = mine.slice(start, PER_RECORD)
                producer.produce(
                    METERS_RAW.name, arrow_codec.write(part), partition=number, headers={CONTENT_TYPE: ARROW}
                )
                count += len(part)
            producer.poll(0)
    if producer.flush(60):
        raise RuntimeError("Kafka did not take all readings")
    return count


def remember(ground: Ground, batches: Iterable[ReadingBatch], rows: int) -> None:
    """Give a running engine a past, and wait until it has it."""
    before = ground.inserted()
    send(ground, batches)
    wait_for_rows(ground, before, rows, lambda: None, 180)


def now(meters: int, count: int | None = None) -> ReadingBatch:
    """Return one reading of each meter, or of the first few, taken now."""
    chosen = count or meters
    return ReadingBatch.from_columns(
        meter_number=Load(meters, 1).names.slice(0, chosen),
        reading_time=np.full(chosen, int(time.time() * 1e6)),
        consumption_kwh=np.full(chosen, 0.2),
        voltage=np.full(chosen, 230.0),
    )


def measure(ground: Ground, meters: int) -> dict[str, Any]:
    """Teach a worker a fleet, kill it, and time the next one."""
    recreate(ground.endpoints.kafka_url)
    ground.empty()
    ground.register(Load(meters, 1))
    empty_bytes = idle_bytes(ground)
    group = f"recovery-{time.time_ns()}"
    with workers(
        ground, METERSTREAM_WORKER__APP_ID=group, METERSTREAM_WORKER__CHECKPOINT_INTERVAL_S=str(_CHECKPOINT_S)
    ) as (worker,):
        worker.wait_ready()
        remember(ground, [now(meters)], meters)
        time.sleep(2 * _CHECKPOINT_S)
        worker.kill()
    return again(ground, meters, group, empty_bytes)


def again(ground: Ground, meters: int, group: str, empty_bytes: int) -> dict[str, Any]:
    """Start a worker of a group that knows a fleet; time it until readings of every partition are stored."""
    probe = now(meters, 200)
    send(ground, [probe])
    before, stored = ground.inserted(), ground.rows()
    began = time.monotonic()
    with workers(ground, METERSTREAM_WORKER__APP_ID=group) as (worker,):
        _wait(ground, worker, before, stored + len(probe))
        back_s = time.monotonic() - began
        resident = memory_bytes(worker.pid or 0)
    return {
        "seconds": back_s,
        "resident_mb": resident / 2**20,
        "empty_mb": empty_bytes / 2**20,
        "bytes_per_meter": (resident - empty_bytes) / meters,
    }


def idle_bytes(ground: Ground) -> int:
    """Return the resident memory of a worker that knows no meter [bytes]; the topics must be empty."""
    with workers(ground) as (worker,):
        worker.wait_ready()
        return memory_bytes(worker.pid or 0)


def _wait(ground: Ground, worker: EngineProcess, before: int, rows: int) -> None:
    deadline = time.monotonic() + 180
    while ground.inserted() == before or ground.rows() < rows:
        if worker.returncode is not None:
            raise RuntimeError(f"the worker ended:\n{worker.log[-1500:]}")
        if time.monotonic() > deadline:
            raise RuntimeError("the worker did not come back within 180 s")
        time.sleep(0.1)


def told(meters: int, found: dict[str, Any]) -> str:
    """Return one line for a person."""
    return (
        f"{meters:>9,} meters: back in {found['seconds']:.1f} s, {found['resident_mb']:,.0f} MB resident, "
        f"{found['bytes_per_meter']:,.0f} bytes a meter"
    )
