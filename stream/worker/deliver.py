"""Delivery: the one place that orders what happens to a batch, so that nothing is lost and nothing counts twice.

The order, never varied (numbers as in the project's design):

1. The bridge acknowledges MQTT only after Kafka has the reading (see `stream.bridge`).
2. Records of a partition are decoded; what cannot be read becomes a rejected record (`PartitionFlow.begin`).
3. Pure processing moves the partition's state (what `begin` returns is finished in a thread, `Worker._process`).
4. Alerts, rejects and clean records are produced, and Kafka's acknowledgement awaited. Ids are deterministic.
5. One SQL transaction holds rows, windows, alerts and the partition's next offset. Its statements run first, so
   that step 4 knows which rows are new; its commit comes after step 4.
6. Redis gets the newest values, a little later and many at once (`stream.worker.newest`); losing them loses nothing.
7. State is checkpointed, and the Kafka offset is committed up to the oldest checkpoint (`stream.worker.checkpoints`).

A crash before the commit repeats the whole batch; a crash after it finds the offset in the database and suppresses
the effects of what was stored, while the state is built again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
import structlog

from processors.keyed_state import KeyedState
from schemas.delivery import Delivery, Position, Stored, StoredRows
from schemas.errors import DatabaseBehind, MeterstreamError, OffsetConflict, RowsRefused, ServiceUnavailable
from schemas.layout import Positions
from schemas.supply import SupplyChanges
from sinks.sink import Journal
from stream.backoff import Backoff
from stream.metrics import WorkerMetrics
from stream.outage import Outage
from stream.worker.intake import AnyStep, Effects
from stream.worker.newest import NewestKeeper
from stream.worker.publish import Publisher

T = TypeVar("T")
S = TypeVar("S", bound=AnyStep)
R = TypeVar("R", bound=StoredRows[Any])
Describe = Callable[[Any, Positions, list[str]], Awaitable[None]]
_log = structlog.get_logger("deliver")


class Deliverer(Generic[S, R]):
    """Carries steps 4 to 6 out for steps of any partitions, one delivery at a time.

    Args:
        topic: Kafka topic that the records come from.
        topic_id: identity of this life of the topic.
        cut: cuts effects from steps.
        store: where everything is kept for good.
        newest: where newest values are kept.
        publisher: where alerts, rejects and clean records go.
        metrics: what the worker counts.
        describe: learns more about keys (their state, rows and names) than the database's; may be tried again.

    Attributes:
        standing_kept: held while records are judged: what the registry says of their keys stays as it is for them all.
    """

    def __init__(
        self,
        topic: str,
        topic_id: str,
        cut: Callable[[S, Any, Position, int], Effects[R] | None],
        store: Journal[R],
        newest: NewestKeeper[R],
        publisher: Publisher[R],
        metrics: WorkerMetrics,
        describe: Describe | None = None,
    ) -> None:
        self._topic = topic
        self._topic_id = topic_id
        self._cut = cut
        self._store = store
        self._newest = newest
        self._publisher = publisher
        self._metrics = metrics
        self._describe = describe
        self._positions: dict[int, Position] = {}
        self.standing_kept = asyncio.Lock()
        self._outages = {name: Outage(name) for name in ("database", "kafka")} | {"redis": newest.outage}

    async def position(self, partition: int, first_offset: int) -> Position:
        """Return where the database stands; read once, then kept, since nobody else may move it."""
        if partition not in self._positions:
            await self._refresh(partition, first_offset)
        return self._positions[partition]

    def forget(self, partition: int) -> None:
        """Drop what is known of a partition that another worker may have moved."""
        self._positions.pop(partition, None)

    @property
    def outages(self) -> dict[str, str]:
        """What is away right now, and why."""
        return {name: outage.cause for name, outage in self._outages.items() if outage.cause}

    async def deliver(self, steps: Sequence[S], states: Mapping[int, KeyedState], lost: dict[int, int]) -> None:
        """Make steps take effect; returns when the database has them, however long that takes.

        Args:
            steps: at most one per partition.
            states: the partitions' states.
            lost: records before a partition's step that Kafka no longer had.
        """
        with self._metrics.span("deliver", topic=self._topic, partitions=len(steps)):
            await self._deliver(steps, states, lost)

    async def _deliver(self, steps: Sequence[S], states: Mapping[int, KeyedState], lost: dict[int, int]) -> None:
        for step in steps:
            await self.position(step.partition, step.next_offset)
        for step in steps:
            await self.resolve(states[step.partition], step.state_rows)
        self._offer_again(steps, states)
        while True:
            for step in steps:
                await self.resolve(states[step.partition], step.state_rows)
            cut = [
                self._cut(step, states[step.partition], self._positions[step.partition], lost.get(step.partition, 0))
                for step in steps
            ]
            due = [item for item in cut if item is not None]
            if not due:
                return
            try:
                delivery, stored = await self._write_what_fits(due)
                break
            except OffsetConflict as conflict:
                if conflict.stored < conflict.expected:
                    raise DatabaseBehind(
                        conflict.topic, conflict.partition, conflict.expected, conflict.stored
                    ) from None
                _log.warning("offset_conflict", partition=conflict.partition, stored=conflict.stored)
                await self._refresh(conflict.partition, conflict.expected)
        for moved in delivery.progress:
            self._positions[moved.partition] = moved.after
        self._metrics.delivered(delivery, stored)
        self._newest.offer(delivery.rows.where(stored.fresh))

    async def resolve(self, state: KeyedState, state_rows: Positions) -> None:
        """Learn what stands in the database of meters, or of whatever else is counted, seen for the first time."""
        rows = state.unresolved(state_rows)
        if len(rows):
            names = state.names_at(rows)
            key_id, group_id = await self.patiently(partial(self._store.resolve, names))
            async with self.standing_kept:
                if self._describe is not None:
                    await self.patiently(partial(self._describe, state, rows, names))
                state.resolve(rows, key_id, group_id)

    async def finish(self) -> None:
        """Write the newest values that still wait; to be called when nothing is under way any more."""
        await self._newest.flush()

    def _offer_again(self, steps: Sequence[S], states: Mapping[int, KeyedState]) -> None:
        """Offer the newest of what an earlier life of this worker stored: it may have ended before Redis had them."""
        for step in steps:
            position = self._positions[step.partition]
            if step.first_offset < position.next_offset:
                whole = self._cut(step, states[step.partition], Position(step.first_offset, position.watermark_us), 0)
                if whole is not None:
                    self._newest.offer(whole.rows.where(whole.rows.offset < position.next_offset))

    async def _refresh(self, partition: int, first_offset: int) -> None:
        position = await self.patiently(
            lambda: self._store.position(self._topic, self._topic_id, partition, first_offset)
        )
        self._positions[partition] = position

    async def _write_what_fits(self, due: list[Effects[R]]) -> tuple[Delivery[R], Stored]:
        """Write; rows that the database will never take are rejected, so that they hold nobody up."""
        while True:
            try:
                return await self._write(due)
            except RowsRefused as refusal:
                _log.error("rows_refused", count=len(refusal.positions), cause=str(refusal.cause))
                refused = np.zeros(sum(len(item.rows) for item in due), dtype=bool)
                refused[list(refusal.positions)] = True
                parts = np.split(refused, np.cumsum([len(item.rows) for item in due])[:-1])
                due = [
                    item.without(part, self._topic, str(refusal.cause)) for item, part in zip(due, parts, strict=True)
                ]

    async def _write(self, due: list[Effects[R]]) -> tuple[Delivery[R], Stored]:
        delivery = Delivery(
            topic=self._topic,
            topic_id=self._topic_id,
            rows=type(due[0].rows).concat([item.rows for item in due]),
            alerts=[alert for item in due for alert in item.alerts],
            progress=[item.progress for item in due],
            supply=SupplyChanges.concat([item.supply for item in due]),
        )
        rejected = [item for part in due for item in part.rejected]

        async def publish(stored: Stored) -> None:
            with self._metrics.span("publish"), self._metrics.seconds.labels("publish").time():
                await self._publisher.publish(delivery, stored, rejected + stored.rejected)
            for item in rejected + stored.rejected:
                self._metrics.rejected.labels(item.reason).inc()

        span = self._metrics.span("store", rows=len(delivery.rows), alerts=len(delivery.alerts))
        with span, self._metrics.seconds.labels("store").time():
            return delivery, await self.patiently(lambda: self._store.write(delivery, publish))

    async def patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until it works; a failure that waiting cannot mend is raised."""
        backoff = Backoff()
        while True:
            try:
                result = await attempt()
            except MeterstreamError as error:
                if not error.retriable:
                    raise
                service = error.service if isinstance(error, ServiceUnavailable) else "database"
                self._outages[service].begin(error)
                await asyncio.sleep(backoff.next_s())
            else:
                self._outages["database"].end()
                self._outages["kafka"].end()
                return result
