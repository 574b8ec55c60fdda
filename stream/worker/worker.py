"""The worker's hands: takes records, keeps one flow per partition, overlaps processing with delivery, checkpoints."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import structlog

from schemas.layout import Ints
from stream.metrics import WorkerMetrics
from stream.worker.checkpoints import Checkpoints, shards_of
from stream.worker.deliver import Deliverer
from stream.worker.gaps import GapReader
from stream.worker.intake import AnyStep, Flow, Record

_log = structlog.get_logger("worker")

#: What a row takes in a record, roughly, as JSON or as columns.
_ROW_BYTES = 160

#: Makes the flow of a partition from its restored state and the offset that each of its shards stands for.
MakeFlow = Callable[[int, Any, Ints], Flow]


class Worker:
    """Everything between taking the records of one topic and acknowledging them.

    Args:
        app: the Faust application.
        deliverers: steps 4 to 6, each for its share of the partitions, beside each other.
        checkpoints: step 7.
        gaps: fetches records that were passed over.
        metrics: what the worker counts.
        make_flow: makes the flow of a partition.
        checkpoint_interval_s: how often state is saved [s].
        take_rows: about how many rows are processed and delivered at once.
    """

    def __init__(
        self,
        app: Any,
        deliverers: Sequence[Deliverer[Any, Any]],
        checkpoints: Checkpoints[Any],
        gaps: GapReader,
        metrics: WorkerMetrics,
        *,
        make_flow: MakeFlow,
        checkpoint_interval_s: float,
        take_rows: int,
    ) -> None:
        self._app = app
        self._deliverers = deliverers
        self._checkpoints = checkpoints
        self._gaps = gaps
        self._metrics = metrics
        self._make_flow = make_flow
        self._interval_s = checkpoint_interval_s
        self._take_rows = take_rows
        self._flows: dict[int, Flow] = {}
        self._touched: dict[int, set[int]] = defaultdict(set)
        self._deliveries: dict[int, asyncio.Task[None]] = {}
        self._lock = asyncio.Lock()
        self._stopped = False
        self._checkpointed_at = time.monotonic()
        self.moved_at = time.monotonic()
        self.waited_s = 0.0

    @property
    def outages(self) -> dict[str, str]:
        """What is away right now, and why."""
        return {name: cause for deliverer in self._deliverers for name, cause in deliverer.outages.items()}

    @property
    def flows(self) -> Mapping[int, Flow]:
        """The flow of each partition that was taken from."""
        return self._flows

    @property
    def taking(self) -> bool:
        """Tell whether records are being taken or saved: the states of flows are not to be read meanwhile."""
        return self._lock.locked()

    def next_offset(self, partition: int) -> int:
        """Return the first offset of a partition that has not been taken, 0 before any."""
        flow = self._flows.get(partition)
        return flow.next_offset if flow else 0

    async def take(self, events: Sequence[Any]) -> None:
        """Process fetches of any partitions; deliveries of some records run while the next ones are processed.

        Args:
            events: Faust events, each with the records of one fetch.
        """
        # Faust cancels agents when partitions move; a batch half taken would leave state and database apart.
        await asyncio.shield(asyncio.ensure_future(self._take_alone(events)))

    async def _take_alone(self, events: Sequence[Any]) -> None:
        fetched = [(event.message.partition, record) for event in events for record in event.message.value]
        for event in events:
            event.message.value = None  # Faust keeps its messages a while
        async with self._lock:
            for share, portion in portions(fetched, self._take_rows, len(self._deliverers)):
                if not self._stopped:
                    with self._metrics.span("take", records=sum(map(len, portion.values()))):
                        await self._take(share, portion)

    async def _take(self, share: int, portion: dict[int, list[Record]]) -> None:
        steps, lost = list[Any](), dict[int, int]()
        self.waited_s = time.time() - min(records[0].arrived_us for records in portion.values()) / 1e6
        for partition, fetched in portion.items():
            flow = await self._flow(partition)
            records, missing = await self._complete(partition, fetched, flow.next_offset)
            with self._metrics.span("process", partition=partition, records=len(records)):
                step = await self._process(partition, flow, records)
            if step is not None:
                steps.append(step)
                lost[partition] = missing
                self._touched[partition] |= shards_of(step.state_rows)
        await self._settled(share)
        if steps:
            states = {step.partition: self._flows[step.partition].state for step in steps}
            self._deliveries[share] = asyncio.create_task(self._deliverers[share].deliver(steps, states, lost))
        self.moved_at = time.monotonic()

    async def _process(self, partition: int, flow: Flow, records: list[Record]) -> AnyStep | None:
        started = time.perf_counter()
        begun = flow.begin(records)
        read_s = time.perf_counter() - started
        step = None
        if begun is not None:
            # Before anything is said of a meter its class is known, whatever batch brings it: flags depend on that.
            deliverer = self._deliverer_of(partition)
            await deliverer.resolve(flow.state, begun.state_rows)
            started = time.perf_counter()
            # Beside the loop, which has the delivery before to carry on: much of judging holds no interpreter lock.
            async with deliverer.standing_kept:
                step = await asyncio.to_thread(begun.finish)
            read_s += time.perf_counter() - started
        self._metrics.seconds.labels("process").observe(read_s)
        self._metrics.records.inc(len(records))
        return step

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
            for deliverer in self._deliverers:
                await deliverer.finish()

    async def _save(self) -> None:
        await self._all_settled()
        with self._metrics.span("checkpoint"), self._metrics.seconds.labels("checkpoint").time():
            for partition, flow in self._flows.items():
                await self._checkpoints.save(partition, flow.state, self._touched[partition], flow.next_offset)
                self._metrics.meters.labels(partition).set(len(flow.state))
        self._checkpointed_at = time.monotonic()

    def moved(self, meter_numbers: Sequence[str]) -> None:
        """Look meters up in the database again before they are next written: the registry has changed."""
        for flow in self._flows.values():
            rows = [row for name in meter_numbers if (row := flow.state.row(name)) is not None]
            flow.state.resolved[np.array(rows, dtype=np.intp)] = False

    async def assigned(self, partitions: set[int]) -> None:
        """Forget partitions that have moved away."""
        async with self._lock:
            await self._all_settled()
            for partition in set(self._flows) - partitions:
                self._drop(partition)
            for partition in self._flows:
                self._checkpoints.let_go(partition)

    async def _all_settled(self) -> None:
        """Wait for everything under way."""
        for share in list(self._deliveries):
            await self._settled(share)

    async def _settled(self, share: int) -> None:
        """Wait for a share's delivery under way; its failure surfaces here."""
        delivery = self._deliveries.pop(share, None)
        if delivery is not None:
            started = time.perf_counter()
            await delivery
            self._metrics.seconds.labels("deliver_wait").observe(time.perf_counter() - started)

    def _deliverer_of(self, partition: int) -> Deliverer[Any, Any]:
        """Return the deliverer of a partition, always the same one: it knows where the partition stands."""
        return self._deliverers[partition % len(self._deliverers)]

    async def _flow(self, partition: int) -> Flow:
        """Return a partition's flow; restored, it begins where the group or, if that is behind, the database stands."""
        flow = self._flows.get(partition)
        if flow is None:
            flow = self._restore(partition)
            deliverer = self._deliverer_of(partition)
            start = await deliverer.patiently(partial(self._gaps.start, partition))
            position = await deliverer.position(partition, start)
            flow.resume(start, position)
        return flow

    async def _complete(self, partition: int, fetched: list[Record], expected: int) -> tuple[list[Record], int]:
        """Put records in order without repeats, and fetch those that Faust passed over.

        Returns: every record from `expected` to the last fetched one that Kafka still has, and how many it has not.
        """
        known = {record.offset: record for record in fetched if record.offset >= expected}
        missing = stretches(known, expected)
        lost = 0
        if missing:
            deliverer = self._deliverer_of(partition)
            earliest = await deliverer.patiently(partial(self._gaps.earliest, partition))
            stored = (await deliverer.position(partition, expected)).next_offset
            for first, end in missing:
                lost += max(min(end, earliest) - max(first, stored), 0)
                found = await deliverer.patiently(partial(self._gaps.read, partition, max(first, earliest), end))
                known.update((record.offset, record) for record in found)
        if lost:
            _log.error("records_lost", partition=partition, first_missing=missing[0][0], count=lost)
        return [known[offset] for offset in sorted(known)], lost

    def _restore(self, partition: int) -> Flow:
        state, offsets = self._checkpoints.load(partition)
        flow = self._make_flow(partition, state, offsets)
        self._flows[partition] = flow
        return flow

    def _drop(self, partition: int) -> None:
        self._flows.pop(partition, None)
        self._touched.pop(partition, None)
        self._deliverer_of(partition).forget(partition)


def stretches(offsets: Collection[int], expected: int) -> list[tuple[int, int]]:
    """Return the stretches [first, end) that are missing between `expected` and the last of the offsets."""
    present = [expected - 1, *sorted(offsets)]
    return [(before + 1, after) for before, after in pairwise(present) if after > before + 1]


def portions(
    fetched: Sequence[tuple[int, Record]], rows: int, shares: int
) -> Iterator[tuple[int, dict[int, list[Record]]]]:
    """Cut records into portions of about so many rows, however many there are in each.

    Args:
        fetched: records with their partition, in order.
        rows: per portion; a record is never cut.
        shares: partitions are dealt out to so many, and a portion is of one share.

    Yields: share, its records by partition.
    """
    portion: list[dict[int, list[Record]]] = [{} for _ in range(shares)]
    count = [0.0] * shares
    for partition, record in fetched:
        share = partition % shares
        portion[share].setdefault(partition, []).append(record)
        count[share] += max(1.0, len(record.payload) / _ROW_BYTES)
        if count[share] >= rows:
            yield share, portion[share]
            portion[share], count[share] = {}, 0.0
    for share in range(shares):
        if portion[share]:
            yield share, portion[share]
