"""The worker's hands: takes records, keeps one flow per partition, overlaps processing with delivery, checkpoints."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import structlog

from processors.judge import Judging
from processors.validate import Limits
from schemas.topics import CONTENT_TYPE, METERS_RAW
from stream.metrics import WorkerMetrics
from stream.worker.checkpoints import Checkpoints, shards_of
from stream.worker.deliver import Deliverer
from stream.worker.flow import PartitionFlow, Record, Step

_log = structlog.get_logger("worker")


class Worker:
    """Everything between taking records and acknowledging them.

    Args:
        app: the Faust application.
        deliverer: steps 4 to 6.
        checkpoints: step 7.
        metrics: what the worker counts.
        limits: validation bounds.
        judging: judgement bounds.
        checkpoint_interval_s: how often state is saved [s].
    """

    def __init__(
        self,
        app: Any,
        deliverer: Deliverer,
        checkpoints: Checkpoints,
        metrics: WorkerMetrics,
        *,
        limits: Limits,
        judging: Judging,
        checkpoint_interval_s: float,
    ) -> None:
        self._app = app
        self._deliverer = deliverer
        self._checkpoints = checkpoints
        self._metrics = metrics
        self._limits = limits
        self._judging = judging
        self._interval_s = checkpoint_interval_s
        self._flows: dict[int, PartitionFlow] = {}
        self._touched: dict[int, set[int]] = defaultdict(set)
        self._delivery: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._stopped = False
        self._checkpointed_at = time.monotonic()
        self.moved_at = time.monotonic()

    @property
    def outages(self) -> dict[str, str]:
        """What is away right now, and why."""
        return self._deliverer.outages

    def next_offset(self, partition: int) -> int:
        """Return the first offset of a partition that has not been taken, 0 before any."""
        flow = self._flows.get(partition)
        return (flow.next_offset or 0) if flow else 0

    async def take(self, events: Sequence[Any]) -> None:
        """Process records of any partitions; their delivery runs while the next ones are processed.

        Args:
            events: Faust events, un-acknowledged.
        """
        # Faust cancels agents when partitions move; a batch half taken would leave state and database apart.
        await asyncio.shield(asyncio.ensure_future(self._take_alone(events)))

    async def _take_alone(self, events: Sequence[Any]) -> None:
        async with self._lock:
            if not self._stopped:
                await self._take(events)

    async def _take(self, events: Sequence[Any]) -> None:
        by_partition: dict[int, list[Any]] = defaultdict(list)
        for event in events:
            by_partition[event.message.partition].append(event.message)
        steps, lost = list[Step](), dict[int, int]()
        for partition, messages in by_partition.items():
            records = [_record(message) for message in messages]
            flow, missing = await self._flow(partition, records[0].offset)
            started = time.perf_counter()
            step = flow.process(records)
            self._metrics.seconds.labels("process").observe(time.perf_counter() - started)
            self._metrics.records.inc(len(records))
            self._checkpoints.hold(partition, messages)
            if step is not None:
                steps.append(step)
                lost[partition] = missing
                self._touched[partition] |= shards_of(step.state_rows)
        await self._settled()
        if steps:
            states = {step.partition: self._flows[step.partition].state for step in steps}
            self._delivery = asyncio.create_task(self._deliverer.deliver(steps, states, lost))
        self.moved_at = time.monotonic()

    async def checkpoint(self) -> None:
        """Save what changed, when it is time; waits for the delivery under way, so that state and database agree."""
        async with self._lock:
            if not self._stopped and time.monotonic() - self._checkpointed_at >= self._interval_s:
                await self._save()

    async def stop(self) -> None:
        """Finish what is under way and save everything, so that the next start has nothing to replay."""
        async with self._lock:
            self._stopped = True
            await self._save()

    async def _save(self) -> None:
        await self._settled()
        started = time.perf_counter()
        for partition, flow in self._flows.items():
            if flow.next_offset is not None:
                await self._checkpoints.save(partition, flow.state, self._touched[partition], flow.next_offset)
                self._metrics.meters.labels(partition).set(len(flow.state))
        self._metrics.seconds.labels("checkpoint").observe(time.perf_counter() - started)
        self._checkpointed_at = time.monotonic()

    def moved(self, meter_numbers: Sequence[str]) -> None:
        """Look meters up in the database again before they are next written: the registry has changed."""
        for flow in self._flows.values():
            rows = [row for name in meter_numbers if (row := flow.state.row(name)) is not None]
            flow.state.resolved[np.array(rows, dtype=np.intp)] = False

    async def assigned(self, partitions: set[int]) -> None:
        """Forget partitions that have moved away."""
        async with self._lock:
            await self._settled()
            for partition in set(self._flows) - partitions:
                self._drop(partition)

    async def _settled(self) -> None:
        """Wait for the delivery under way; its failure surfaces here."""
        if self._delivery is not None:
            delivery, self._delivery = self._delivery, None
            started = time.perf_counter()
            await delivery
            self._metrics.seconds.labels("deliver_wait").observe(time.perf_counter() - started)

    async def _flow(self, partition: int, first: int) -> tuple[PartitionFlow, int]:
        """Return a partition's flow, restored where needed, and how many records before `first` Kafka has lost."""
        flow = self._flows.get(partition)
        if flow is None or flow.next_offset is None:
            flow = self._restore(partition)
            position = await self._deliverer.position(partition, first)
            flow.next_offset = min(first, position.next_offset)
            return flow, await self._lost(partition, position.next_offset, first)
        if first <= flow.next_offset:
            return flow, 0
        lost = await self._lost(partition, flow.next_offset, first)
        if lost:
            return flow, lost
        # Another worker had the partition while this one slept: what is in memory is out of date.
        await self._settled()
        self._drop(partition)
        return await self._flow(partition, first)

    def _restore(self, partition: int) -> PartitionFlow:
        state, offsets = self._checkpoints.load(partition)
        flow = PartitionFlow(METERS_RAW.name, partition, state, offsets, self._limits, self._judging)
        self._flows[partition] = flow
        return flow

    def _drop(self, partition: int) -> None:
        self._flows.pop(partition, None)
        self._touched.pop(partition, None)
        self._deliverer.forget(partition)
        self._checkpoints.forget(partition)

    async def _lost(self, partition: int, expected: int, first: int) -> int:
        if first <= expected:
            return 0
        tp = _topic_partition(partition)
        earliest = (await self._app.consumer.earliest_offsets(tp))[tp]
        lost = min(first, earliest) - expected
        if lost <= 0:
            return 0
        _log.error("records_lost", partition=partition, first_missing=expected, next_available=first, count=lost)
        return int(lost)


def _topic_partition(partition: int) -> Any:
    from faust.types import TP  # noqa: PLC0415 - Faust is heavy; only a running worker needs it

    return TP(METERS_RAW.name, partition)


def _record(message: Any) -> Record:
    headers = dict(message.headers or ())
    kind = headers.get(CONTENT_TYPE)
    content_type = kind.decode("latin-1") if isinstance(kind, bytes) else kind
    # Kafka's own clock: milliseconds, so that a replay sees the same arrival.
    return Record(message.offset, message.value or b"", content_type, round(message.timestamp * 1000) * 1000)
