"""The pure part of the worker, for one partition: records in, judged columns out, state moved on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from processors.alerts import raise_alerts
from processors.judge import Judging, judge
from processors.judgement import Judgement, Past
from processors.keyed_state import SHARD_ROWS, KeyedState
from processors.state import MeterState
from processors.validate import FAILURES, Limits, validate
from processors.windows import watermark
from schemas import json_writer
from schemas.alerts import Alert
from schemas.codec import decode
from schemas.delivery import Position, Progress, Rows, StoredRows
from schemas.errors import StepMissing
from schemas.layout import Ints, Mask, Positions, instant_of
from schemas.readings import ReadingBatch
from schemas.rejected import Reason, Rejected

#: A model's scores of readings, float32[n], 0 to 1, NaN where it has nothing to say. They depend on a reading and its
#: meter's past alone, and change nothing of the state, so that a replay may run with another model.
Score = Callable[[ReadingBatch, Past], npt.NDArray[np.float32]]


def no_model(batch: ReadingBatch, _past: Past) -> npt.NDArray[np.float32]:
    """Score nothing: each meter's own past is all there is."""
    return np.full(len(batch), np.nan, dtype=np.float32)


R = TypeVar("R", bound=StoredRows[Any])


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


class Flow(Protocol):
    """The pure way of one partition's records, whatever they hold.

    Attributes:
        next_offset: first offset that has not been processed.
    """

    next_offset: int

    @property
    def state(self) -> KeyedState:
        """The partition's state."""

    def process(self, records: Sequence["Record"]) -> AnyStep | None:
        """Take records in order; None when all had been processed before."""


@dataclass(frozen=True)
class Record:
    """One Kafka record.

    Attributes:
        offset: its offset.
        payload: its value.
        content_type: its `content-type` header, None when absent.
        arrived_us: its timestamp [us].
    """

    offset: int
    payload: bytes
    content_type: str | None
    arrived_us: int


@dataclass(frozen=True)
class Step:
    """What some records of one partition came to; effects are cut from it, from any offset on.

    Attributes:
        partition: Kafka partition.
        first_offset: first offset that had not been processed before.
        next_offset: first offset after the records.
        batch: n valid readings.
        state_rows: intp[n], row of each reading's meter.
        offset: int64[n], Kafka offset.
        arrived_us: int64[n], arrival [us].
        judgement: what was found of each.
        rejected: each with the offset of its record.
        rejected_at: int64[r], those offsets.
    """

    partition: int
    first_offset: int
    next_offset: int
    batch: ReadingBatch
    state_rows: Positions
    offset: Ints
    arrived_us: Ints
    judgement: Judgement
    rejected: list[Rejected]
    rejected_at: Ints


@dataclass(frozen=True)
class Effects(Generic[R]):
    """What of a step is still to take effect.

    Attributes:
        rows: what to store.
        rejected: what is to be published as rejected.
        alerts: what is to be published as alerts.
        progress: how far this moves the partition.
    """

    rows: R
    rejected: list[Rejected]
    alerts: list[Alert]
    progress: Progress

    def without(self, refused: Mask, topic: str, cause: str) -> "Effects[R]":
        """Return the same with some rows rejected, because the database will not have them."""
        if not refused.any():
            return self
        rejected = self.rows.as_rejected(topic, refused, Reason.STORE_REFUSED, cause)
        progress = replace(self.progress, rejected=self.progress.rejected + len(rejected))
        return Effects(self.rows.where(~refused), self.rejected + rejected, self.alerts, progress)


class PartitionFlow:
    """One partition's state and the way through the processors.

    Args:
        topic: Kafka topic, for the source noted with rejected readings.
        partition: Kafka partition.
        state: as restored from its checkpoint, or empty.
        shard_offset: int64[k], first offset that each shard of the state has not seen.
        limits: validation bounds.
        judging: judgement bounds.
        next_offset: where to begin.
        score: of the model that serves.

    Attributes:
        next_offset: first offset that has not been processed.
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        state: MeterState,
        shard_offset: Ints,
        limits: Limits,
        judging: Judging,
        next_offset: int = 0,
        score: Score = no_model,
    ) -> None:
        self.partition = partition
        self.state = state
        self.next_offset = next_offset
        self._topic = topic
        self._shard_offset = shard_offset
        self._limits = limits
        self._judging = judging
        self._score = score

    def process(self, records: Sequence[Record]) -> Step | None:
        """Take records in order; those already processed are passed over.

        Returns: what came of them, or None when all had been processed before.
        """
        records = [record for record in records if record.offset >= self.next_offset]
        if not records:
            return None
        offsets = np.fromiter((record.offset for record in records), dtype=np.int64, count=len(records))
        arrivals = np.fromiter((record.arrived_us for record in records), dtype=np.int64, count=len(records))
        decoded = decode([r.payload for r in records], [r.content_type for r in records], ReadingBatch)
        rejected = [
            fault.as_rejected(self._source(records[fault.source].offset), instant_of(records[fault.source].arrived_us))
            for fault in decoded.faults
        ]
        rejected_at = np.fromiter((offsets[fault.source] for fault in decoded.faults), dtype=np.int64)
        batch, offset, arrived_us = decoded.batch, offsets[decoded.source], arrivals[decoded.source]
        codes = validate(batch, arrived_us, self._limits)
        if codes.any():
            invalid = codes != 0
            rejected += self._invalid(batch.where(invalid), codes[invalid], offset[invalid], arrived_us[invalid])
            rejected_at = np.r_[rejected_at, offset[invalid]]
            batch, offset, arrived_us = batch.where(~invalid), offset[~invalid], arrived_us[~invalid]
        first_offset = self.next_offset
        self.next_offset = int(offsets[-1]) + 1
        rows = self.state.rows(batch.meter_number)
        judgement = judge(batch, rows, self.state, self._judging, self._seen(rows, offset))
        # The more unusual of two views: that of the meter's own past, and that of all meters.
        score = np.fmax(judgement.score, self._score(batch, judgement.past))
        return Step(
            self.partition,
            first_offset,
            self.next_offset,
            batch,
            rows,
            offset,
            arrived_us,
            replace(judgement, score=score),
            rejected,
            rejected_at,
        )

    def _seen(self, rows: Positions, offset: Ints) -> Mask | None:
        """Say which readings the restored state had seen already; None once all its shards are caught up with."""
        if not len(self._shard_offset):
            return None
        if len(offset) and offset[0] >= self._shard_offset.max():
            self._shard_offset = self._shard_offset[:0]
            return None
        known = np.append(self._shard_offset, 0)
        return np.asarray(offset < known[np.minimum(rows // SHARD_ROWS, len(self._shard_offset))])

    def _source(self, offset: int) -> str:
        return f"{self._topic}[{self.partition}]@{offset}"

    def _invalid(self, batch: ReadingBatch, codes: Ints, offset: Ints, arrived_us: Ints) -> list[Rejected]:
        payloads, names = json_writer.write_rows(batch), batch.meter_number.to_pylist()
        return [
            Rejected.of(
                payload,
                *FAILURES[code - 1],
                source=self._source(at),
                rejected_at=instant_of(arrived),
                meter_number=name,
            )
            for payload, name, code, at, arrived in zip(
                payloads, names, codes.tolist(), offset.tolist(), arrived_us.tolist(), strict=True
            )
        ]


def effects(step: Step, state: MeterState, position: Position, lost_records: int = 0) -> Effects[Rows] | None:
    """Cut from a step what the database does not have yet.

    Args:
        step: processed records.
        state: the partition's state, for the database keys of its meters.
        position: where the database stands.
        lost_records: records before the step that Kafka no longer had.

    Returns: effects of the offsets from `position.next_offset` on, or None where there are none.

    Raises:
        StepMissing: an earlier step never took effect; going on would lose its records.
    """
    if step.first_offset > position.next_offset:
        raise StepMissing(step.partition, position.next_offset, step.first_offset)
    if step.next_offset <= position.next_offset:
        return None
    due = step.offset >= position.next_offset
    marks = watermark(step.batch.time_us[due], step.arrived_us[due], position.watermark_us)
    rejected = [item for item, at in zip(step.rejected, step.rejected_at, strict=True) if at >= position.next_offset]
    rows = Rows(
        batch=step.batch.where(due),
        meter_id=state.key_id[step.state_rows[due]],
        group_id=state.group_id[step.state_rows[due]],
        flag=step.judgement.flag[due],
        score=step.judgement.score[due],
        newest=step.judgement.in_order[due],
        partition=np.full(int(due.sum()), step.partition, dtype=np.int64),
        offset=step.offset[due],
        arrived_us=step.arrived_us[due],
        mark_us=marks[:-1],
    )
    progress = Progress(
        partition=step.partition,
        expected=position.next_offset,
        next_offset=step.next_offset,
        watermark_us=int(marks[-1]),
        readings=int(due.sum()) + len(rejected),
        rejected=len(rejected),
        lost_records=lost_records,
    )
    alerts = raise_alerts(step.batch, step.judgement, step.arrived_us, due)
    return Effects(rows, rejected, alerts, progress)
