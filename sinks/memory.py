"""Sinks in memory with scripted failures: the test doubles, with the guarantees of the real ones."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from schemas.delivery import CONFLICT, NO_WATERMARK_US, Delivery, Position, Rows, Stored
from schemas.errors import MeterstreamError, OffsetConflict, RowsRefused
from schemas.layout import Ints
from schemas.registry import RegistryEntry
from schemas.rejected import Rejected
from sinks.sink import BeforeCommit


class MemoryStore:
    """A store that keeps everything in dictionaries.

    Args:
        failures: for each coming write, None to let it through or the error to raise instead.

    Attributes:
        readings: (meter number, time [us]) -> the row as a dictionary.
        rejected: reject id -> what was rejected.
        alerts: ids of alerts.
        positions: (topic, topic id, partition) -> where it stands.
        refuses: meter numbers whose rows it will never take.
    """

    def __init__(self, failures: Iterable[MeterstreamError | None] = ()) -> None:
        self.readings: dict[tuple[str, int], dict[str, object]] = {}
        self.rejected: dict[str, Rejected] = {}
        self.alerts: set[str] = set()
        self.positions: dict[tuple[str, str, int], Position] = {}
        self.refuses: set[str] = set()
        self._meters: dict[str, int] = {}
        self._transformers: dict[str, int] = {}
        self._transformer_of: dict[str, int] = {}
        self._failures: Iterator[MeterstreamError | None] = iter(failures)

    async def open(self) -> None:
        """Do nothing: memory is always there."""

    async def close(self) -> None:
        """Do nothing: what was stored can still be looked at."""

    async def position(self, topic: str, topic_id: str, partition: int, first_offset: int) -> Position:
        """Return where a partition stands; one never seen starts at `first_offset`."""
        return self.positions.setdefault((topic, topic_id, partition), Position(first_offset, NO_WATERMARK_US))

    async def resolve(self, meter_numbers: Sequence[str]) -> tuple[Ints, Ints]:
        """Number meters from 1 in the order of their coming."""
        ids = [self._meters.setdefault(name, len(self._meters) + 1) for name in meter_numbers]
        groups = [self._transformer_of.get(name, 0) for name in meter_numbers]
        return np.array(ids, dtype=np.int64), np.array(groups, dtype=np.int64)

    async def register(self, entries: Sequence[RegistryEntry]) -> None:
        """Take over where meters stand in the grid; transformers are numbered from 1 in the order of their coming."""
        for entry in entries:
            number = 0
            if entry.transformer is not None:
                number = self._transformers.setdefault(entry.transformer, len(self._transformers) + 1)
            self._transformer_of[entry.meter_number] = number

    async def keep_rejected(self, rejected: Sequence[Rejected]) -> None:
        """Keep what was rejected; one that is there already stays as it is."""
        for item in rejected:
            self.rejected.setdefault(item.reject_id, item)

    async def write(self, delivery: Delivery, before_commit: BeforeCommit) -> Stored:
        """Store a delivery, or raise the next scripted failure; see `Store.write`."""
        failure = next(self._failures, None)
        if failure is not None:
            raise failure
        for step in delivery.progress:
            stands = self.positions[delivery.topic, delivery.topic_id, step.partition].next_offset
            if stands != step.expected:
                raise OffsetConflict(delivery.topic, step.partition, step.expected, stands)
        batch = delivery.rows.batch
        refused = [k for k, name in enumerate(batch.meter_number.to_pylist()) if name in self.refuses]
        if refused:
            raise RowsRefused(refused, "scripted")
        keys = list(zip(batch.meter_number.to_pylist(), batch.time_us.tolist(), strict=True))
        values = batch.records.to_pylist()
        fresh = np.array([key not in self.readings for key in keys], dtype=bool)
        differs = [not new and self.readings[key] != row for key, row, new in zip(keys, values, fresh, strict=True)]
        conflicting = np.array(differs, dtype=bool)
        stored = Stored(fresh, conflicting, delivery.rows.as_rejected(delivery.topic, conflicting, *CONFLICT))
        await before_commit(stored)
        for key, row in zip(keys, values, strict=True):
            self.readings.setdefault(key, row)
        self.alerts.update(alert.alert_id for alert in delivery.alerts)
        for step in delivery.progress:
            key_of = (delivery.topic, delivery.topic_id, step.partition)
            self.positions[key_of] = Position(step.next_offset, step.watermark_us)
        return stored


class MemoryLatest:
    """Latest values in a dictionary.

    Args:
        failures: for each coming write, None to let it through or the error to raise instead.

    Attributes:
        values: meter number -> time of its newest reading [us].
    """

    def __init__(self, failures: Iterable[MeterstreamError | None] = ()) -> None:
        self.values: dict[str, int] = {}
        self._failures: Iterator[MeterstreamError | None] = iter(failures)

    async def open(self) -> None:
        """Do nothing: memory is always there."""

    async def close(self) -> None:
        """Do nothing."""

    async def write(self, rows: Rows) -> int:
        """Keep the newest reading of each meter, or raise the next scripted failure; see `Latest.write`."""
        failure = next(self._failures, None)
        if failure is not None:
            raise failure
        replaced = 0
        moved = rows.where(rows.newest) if rows.newest.any() else None
        for name, time_us in (
            []
            if moved is None
            else zip(moved.batch.meter_number.to_pylist(), moved.batch.time_us.tolist(), strict=True)
        ):
            if self.values.get(name, time_us) <= time_us:
                self.values[name] = time_us
                replaced += 1
        return replaced
