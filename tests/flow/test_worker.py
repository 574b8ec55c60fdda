"""The worker's hands over a real delivery, with Kafka's side records fetched by a reader that may fail."""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from processors.judging import Judging
from processors.state import MeterState
from processors.validate import Limits
from schemas.delivery import Delivery, Rows, Stored
from schemas.errors import ServiceUnavailable
from schemas.rejected import Rejected
from sinks.memory import MemoryStore
from stream.traces import spans_of
from stream.worker.flow import PartitionFlow, Step
from stream.worker.intake import Begun, Record
from stream.worker.worker import MakeFlow, Worker
from tests.builders import ARRIVED_US, DAY_US, START_US, TOPIC, payload, reading, record
from tests.chaos.steps import WORKER_STEPS, place, wrapped
from tests.flow.engine import Engine, Outbox

KAFKA = ServiceUnavailable("kafka", "scripted")


class Gaps:
    """Kafka beside the consumer; each call may fail first."""

    def __init__(self) -> None:
        self.failures: deque[ServiceUnavailable] = deque()

    def _answer(self) -> None:
        if self.failures:
            raise self.failures.popleft()

    async def start(self, _partition: int) -> int:
        self._answer()
        return 0

    async def earliest(self, _partition: int) -> int:
        self._answer()
        return 0

    async def read(self, _partition: int, first: int, end: int) -> list[Record]:
        self._answer()
        return [taken(offset) for offset in range(first, end)]


class Checkpoints:
    """None were ever saved."""

    def load(self, _partition: int) -> tuple[MeterState, Any]:
        return MeterState(), np.zeros(0, dtype=np.int64)

    async def save(self, *_: Any) -> None:
        return


def taken(offset: int, partition: int = 0) -> Record:
    return record(offset, payload(reading(f"M{partition + 1}", START_US + offset * 60_000_000, voltage=230.0)))


def event(offset: int, partition: int = 0) -> Any:
    """One fetch with one record."""
    return SimpleNamespace(message=SimpleNamespace(partition=partition, value=[taken(offset, partition)]))


def plain(partition: int, state: MeterState, shard_offset: Any) -> PartitionFlow:
    return PartitionFlow(TOPIC, partition, state, shard_offset, Limits(), Judging())


def make_worker(engine: Engine, gaps: Gaps, kind: MakeFlow = plain, deliveries: int = 1) -> Worker:
    return Worker(
        SimpleNamespace(),
        [engine.deliverer, *(engine.new_deliverer() for _ in range(deliveries - 1))],
        cast("Any", Checkpoints()),
        cast("Any", gaps),
        engine.metrics,
        make_flow=kind,
        checkpoint_interval_s=60.0,
        take_rows=1_000,
    )


@pytest.mark.parametrize("at", range(3), ids=["where to begin", "what Kafka still has", "what was passed over"])
async def test_kafka_that_is_away_while_a_partition_begins_is_waited_for(at: int) -> None:
    """It once ended the worker, which then waited for the same Kafka before it could end."""
    engine = Engine()
    gaps = Gaps()
    worker = make_worker(engine, gaps)
    if at == 0:
        gaps.failures.extend([KAFKA, KAFKA])
    await worker.take([event(0)])
    if at == 1:
        gaps.failures.extend([KAFKA])
    if at == 2:
        gaps.failures = _second_call_fails()
    await worker.take([event(5)])
    await worker.stop()
    assert sorted(time_us for _, time_us in engine.store.readings) == [START_US + k * 60_000_000 for k in range(6)]
    assert not worker.outages


async def test_the_steps_of_a_delivery_are_spans_of_what_was_taken() -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    engine = Engine()
    engine.metrics.span = spans_of(provider)
    worker = make_worker(engine, Gaps())
    await worker.take([event(0)])
    await worker.stop()
    spans = {span.name: span for span in kept.get_finished_spans()}
    parents = {name: span.parent.span_id if span.parent else None for name, span in spans.items()}
    of = {name: span.context.span_id for name, span in spans.items() if span.context}
    assert parents == {
        "take": None,
        "process": of["take"],
        "deliver": of["take"],
        "store": of["deliver"],
        "publish": of["store"],
        "checkpoint": None,
    }
    assert spans["store"].attributes == {"rows": 1, "alerts": 0}


async def test_an_orderly_end_leaves_no_newest_value_unwritten() -> None:
    engine = Engine()
    worker = make_worker(engine, Gaps())
    await worker.take([event(0)])
    assert engine.latest.values == {}
    await worker.stop()
    assert engine.latest.values == {"M1": START_US}


async def test_what_came_too_late_for_retention_is_rejected_with_its_reason_and_its_neighbour_is_stored() -> None:
    def of_a_day(partition: int, state: MeterState, shard_offset: Any) -> PartitionFlow:
        return PartitionFlow(TOPIC, partition, state, shard_offset, Limits(retention_s=86_400.0), Judging())

    engine, kept_us = Engine(), ARRIVED_US - 60_000_000
    worker = make_worker(engine, Gaps(), of_a_day)
    both = payload(*(reading("M1", time_us, voltage=230.0) for time_us in (ARRIVED_US - 2 * DAY_US, kept_us)))
    await worker.take([SimpleNamespace(message=SimpleNamespace(partition=0, value=[record(0, both)]))])
    await worker.stop()
    assert [time_us for _, time_us in engine.store.readings] == [kept_us]
    (reject,) = engine.outbox.rejected
    assert (str(reject.reason), reject.meter_number) == ("beyond_retention", "M1")


class Watched(PartitionFlow):
    """Judges only once the event loop has done something else meanwhile."""

    def __init__(self, partition: int, state: MeterState, shard_offset: Any) -> None:
        super().__init__(TOPIC, partition, state, shard_offset, Limits(), Judging())
        self.loop = asyncio.get_running_loop()
        self.loop_went_on = False

    def begin(self, records: Sequence[Record]) -> Begun[Step] | None:
        begun = super().begin(records)
        assert begun is not None
        went_on = threading.Event()

        def finish() -> Step:
            self.loop.call_soon_threadsafe(went_on.set)
            self.loop_went_on = went_on.wait(20)
            return begun.finish()

        return Begun(begun.state_rows, finish)


async def test_the_loop_goes_on_while_records_are_judged() -> None:
    """It carries the delivery before on, and answers Kafka."""
    engine, taking = Engine(), list[bool]()

    def watched(partition: int, state: MeterState, shard_offset: Any) -> Watched:
        taking.append(worker.taking)
        return Watched(partition, state, shard_offset)

    worker = make_worker(engine, Gaps(), watched)
    await worker.take([event(0)])
    assert (taking, worker.taking) == ([True], False)
    await worker.stop()
    assert cast("Watched", worker.flows[0]).loop_went_on
    assert len(engine.store.readings) == 1


class Held(Outbox):
    """Kafka answers what the first partition produces only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()

    async def publish(self, delivery: Delivery[Rows], stored: Stored, rejected: list[Rejected]) -> None:
        if delivery.progress[0].partition == 0:
            await self.let.wait()
        await super().publish(delivery, stored, rejected)


async def test_partitions_of_another_share_are_delivered_while_a_delivery_waits() -> None:
    outbox, store = Held(), MemoryStore()
    worker = make_worker(Engine(store, outbox), Gaps(), deliveries=2)
    await worker.take([event(0), event(0, 1)])
    await worker.take([event(1, 1)])
    await asyncio.wait_for(worker.take([event(2, 1)]), 20)
    stood = {partition: position.next_offset for (_, _, partition), position in store.positions.items()}
    assert (stood[0], stood[1] >= 2) == (0, True)
    # The share's own next delivery waits: a partition's offsets rise.
    next_of_it = asyncio.create_task(worker.take([event(1)]))
    await asyncio.sleep(0.2)
    assert not next_of_it.done()
    outbox.let.set()
    await next_of_it
    await worker.stop()
    assert {partition: position.next_offset for (_, _, partition), position in store.positions.items()} == {0: 2, 1: 3}
    assert len(store.readings) == 5


async def test_a_worker_comes_to_each_step_of_its_flow_at_which_trials_kill_it(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = list[str]()
    for step in WORKER_STEPS:
        if step.module == PartitionFlow.__module__:
            holder, name = place(step)
            monkeypatch.setattr(holder, name, wrapped(step, getattr(holder, name), passed.append))
    worker = make_worker(Engine(), Gaps())
    await worker.take([event(0)])
    await worker.stop()
    assert passed == ["records taken", "records processed"]


async def test_what_the_registry_says_of_a_meter_stays_as_it_is_while_records_are_judged() -> None:
    deliverer, state = Engine().deliverer, MeterState()
    rows = state.rows(pa.array(["M1"]))
    async with deliverer.standing_kept:
        resolving = asyncio.create_task(deliverer.resolve(state, rows))
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(state.unresolved(rows)) == 1
    await resolving
    assert len(state.unresolved(rows)) == 0


def _second_call_fails() -> Any:
    """`earliest` answers, `read` does not."""

    class Second(deque[ServiceUnavailable]):
        calls = 0

        def __bool__(self) -> bool:
            self.calls += 1
            return self.calls == 2

        def popleft(self) -> ServiceUnavailable:
            return KAFKA

    return Second()
