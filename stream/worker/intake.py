"""What every partition's flow does first: take records, decode them, set aside what cannot be true."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from processors.keyed_state import SHARD_ROWS, KeyedState
from processors.record_sources import Runs, name_of, runs
from processors.validate import Codes
from schemas import json_writer
from schemas.alerts import Alert
from schemas.codec import decode
from schemas.delivery import Position, Progress, StoredRows
from schemas.layout import ColumnBatch, Ints, Mask, Positions, instant_of
from schemas.rejected import Reason, Rejected
from schemas.supply import SupplyChanges

B = TypeVar("B", bound=ColumnBatch)
S = TypeVar("S", bound=KeyedState)
R = TypeVar("R", bound=StoredRows[Any])
P = TypeVar("P", bound="AnyStep")


class AnyStep(Protocol):
    """What some records of one partition came to, whatever they hold."""

    @property
    def partition(self) -> int:
        """Kafka partition."""

    @property
    def first_offset(self) -> int:
        """First offset that had not been processed before."""

    @property
    def next_offset(self) -> int:
        """First offset after the records."""

    @property
    def state_rows(self) -> Positions:
        """Row of the state that each row belongs to."""

    @property
    def offset(self) -> Ints:
        """Kafka offset of each row."""

    @property
    def rejected(self) -> list[Rejected]:
        """What could not be taken."""

    @property
    def rejected_at(self) -> Ints:
        """Kafka offset of each of these."""


class Flow(Protocol):
    """The pure way of one partition's records, whatever they hold.

    Attributes:
        next_offset: first offset that has not been processed.
    """

    next_offset: int

    @property
    def state(self) -> KeyedState:
        """The partition's state."""

    def resume(self, start: int, position: Position) -> None:
        """Begin where the group or, if that is behind, the database stands."""

    def begin(self, records: Sequence["Record"]) -> "Begun[Any] | None":
        """Read records in order; None when all had been processed before."""


@dataclass(frozen=True)
class Record:
    """One Kafka record.

    Attributes:
        offset: its offset.
        payload: its value.
        content_type: its `content-type` header, None when absent.
        arrived_us: its timestamp [us].
        source: its `source` header, None when absent.
        key: its key, None when absent.
    """

    offset: int
    payload: bytes
    content_type: str | None
    arrived_us: int
    source: str | None = None
    key: bytes | None = None


@dataclass(frozen=True)
class Begun(Generic[P]):
    """Records that are read but not judged: what the registry says of their meters can be learned between.

    Attributes:
        state_rows: intp[n], row of the state that each row belongs to.
        finish: judges them and moves the state on; to be called once, before the next records are read.
    """

    state_rows: Positions
    finish: Callable[[], P]


@dataclass(frozen=True)
class Taken(Generic[B]):
    """What could be read of some records.

    Attributes:
        batch: n rows.
        offset: int64[n], Kafka offset.
        arrived_us: int64[n], arrival [us].
        rejected: what could not be taken.
        rejected_at: int64[r], the offsets of that.
        record: int64[n], position of each row's record.
        sources: what each record says of where it comes from.
        runs: the same where it changes.
    """

    batch: B
    offset: Ints
    arrived_us: Ints
    rejected: list[Rejected]
    rejected_at: Ints
    record: Ints
    sources: list[str]
    runs: Runs

    def without(self, codes: Codes, failures: Sequence[tuple[Reason, str]], source: Callable[[int], str]) -> "Taken[B]":
        """Return the same with some rows rejected.

        Args:
            codes: int8[n], 0 where a row stays, otherwise 1 + the position of its failure.
            failures: reason and detail of each.
            source: names the record at an offset.
        """
        if not codes.any():
            return self
        invalid = codes != 0
        bad = self.batch.where(invalid)
        columns = (codes[invalid].tolist(), self.offset[invalid].tolist(), self.arrived_us[invalid].tolist())
        rejected = [
            Rejected.of(
                payload,
                *failures[code - 1],
                source=source(at),
                rejected_at=instant_of(arrived),
                meter_number=name,
            )
            for payload, name, code, at, arrived in zip(
                json_writer.write_rows(bad), bad.meter_numbers(), *columns, strict=True
            )
        ]
        return Taken(
            self.batch.where(~invalid),
            self.offset[~invalid],
            self.arrived_us[~invalid],
            self.rejected + rejected,
            np.r_[self.rejected_at, self.offset[invalid]],
            self.record[~invalid],
            self.sources,
            self.runs,
        )


class Intake(Generic[B, S]):
    """The part of a flow that does not care what the rows are.

    Args:
        topic: Kafka topic, for the source noted with what is rejected.
        partition: Kafka partition.
        kind: what the records hold.
        state: as restored from its checkpoint, or empty.
        shard_offset: int64[k], first offset that each shard of the state has not seen.
        next_offset: where to begin.

    Attributes:
        next_offset: first offset that has not been processed.
    """

    def __init__(
        self, topic: str, partition: int, kind: type[B], state: S, shard_offset: Ints, next_offset: int
    ) -> None:
        self.partition = partition
        self.state = state
        self.next_offset = next_offset
        self._topic = topic
        self._kind = kind
        self._shard_offset = shard_offset

    def resume(self, start: int, position: Position) -> None:
        """Begin where the group or, if that is behind, the database stands."""
        self.next_offset = min(start, position.next_offset)

    def _take(self, records: Sequence[Record]) -> Taken[B] | None:
        """Decode records in order, passing over those already processed; None when all had been."""
        records = [record for record in records if record.offset >= self.next_offset]
        if not records:
            return None
        offsets = np.fromiter((record.offset for record in records), dtype=np.int64, count=len(records))
        arrivals = np.fromiter((record.arrived_us for record in records), dtype=np.int64, count=len(records))
        decoded = decode([r.payload for r in records], [r.content_type for r in records], self._kind)
        rejected = [
            fault.as_rejected(self._source(records[fault.source].offset), instant_of(records[fault.source].arrived_us))
            for fault in decoded.faults
        ]
        rejected_at = np.fromiter((offsets[fault.source] for fault in decoded.faults), dtype=np.int64)
        self.next_offset = int(offsets[-1]) + 1
        sources = [name_of(record.source) for record in records]
        return Taken(
            decoded.batch,
            offsets[decoded.source],
            arrivals[decoded.source],
            rejected,
            rejected_at,
            decoded.source,
            sources,
            runs(zip(offsets.tolist(), sources, strict=True)),
        )

    def _seen(self, rows: Positions, offset: Ints) -> Mask | None:
        """Say which rows the restored state had seen already; None once all its shards are caught up with."""
        if not len(self._shard_offset):
            return None
        if len(offset) and offset[0] >= self._shard_offset.max():
            self._shard_offset = self._shard_offset[:0]
            return None
        known = np.append(self._shard_offset, 0)
        return np.asarray(offset < known[np.minimum(rows // SHARD_ROWS, len(self._shard_offset))])

    def _source(self, offset: int) -> str:
        return f"{self._topic}[{self.partition}]@{offset}"


@dataclass(frozen=True)
class Effects(Generic[R]):
    """What of a step is still to take effect.

    Attributes:
        rows: what to store.
        rejected: what is to be published as rejected.
        alerts: what is to be published as alerts.
        progress: how far this moves the partition.
        supply: whose power has gone or come back.
    """

    rows: R
    rejected: list[Rejected]
    alerts: list[Alert]
    progress: Progress
    supply: SupplyChanges = field(default_factory=SupplyChanges.none)

    def without(self, refused: Mask, topic: str, cause: str) -> "Effects[R]":
        """Return the same with some rows rejected, because the database will not have them."""
        if not refused.any():
            return self
        rejected = self.rows.as_rejected(topic, refused, Reason.STORE_REFUSED, cause)
        progress = replace(self.progress, rejected=self.progress.rejected + len(rejected))
        return Effects(self.rows.where(~refused), self.rejected + rejected, self.alerts, progress, self.supply)
