"""One unit of delivery: what a worker hands to the sinks for some Kafka records, and what they answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas import json_writer
from schemas.alerts import Alert
from schemas.layout import ColumnBatch, Ints, Mask, Positions, instant_of
from schemas.readings import ReadingBatch
from schemas.rejected import Reason, Rejected
from schemas.supply import SupplyChanges

B = TypeVar("B", bound=ColumnBatch)


@dataclass(frozen=True)
class Progress:
    """How far a delivery moves one partition, and the readings that account for it.

    Attributes:
        partition: Kafka partition.
        expected: next offset that the database should hold before.
        next_offset: next offset after.
        watermark_us: watermark after [us].
        readings: readings in the records [expected, next_offset), rejected ones included.
        rejected: those of them that were rejected.
        lost_records: records that Kafka no longer had.
        source: source of the last record, empty where it names none; None where nobody looked.
        sources: from which offsets on records come from another source than those before, and from which.
    """

    partition: int
    expected: int
    next_offset: int
    watermark_us: int
    readings: int
    rejected: int
    lost_records: int = 0
    source: str | None = None
    sources: tuple[tuple[int, str], ...] = ()

    @property
    def after(self) -> "Position":
        """Where the partition stands then."""
        return Position(self.next_offset, self.watermark_us, self.source)


class StoredRows(Generic[B]):
    """Rows ready to be stored, as columns of one length; what every kind of them can do."""

    batch: B
    flag: npt.NDArray[np.int8]
    score: npt.NDArray[np.float32]
    newest: Mask
    partition: Ints
    offset: Ints
    arrived_us: Ints

    _ARRAYS: ClassVar[tuple[str, ...]]

    def __init__(self, **columns: Any) -> None:
        raise NotImplementedError

    @property
    def key_id(self) -> Ints:
        """int64[n], database key of what each row is of."""
        raise NotImplementedError

    @property
    def names(self) -> pa.StringArray:
        """What each row is of, text[n]; also the name of its newest value."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.batch)

    def as_rejected(self, topic: str, mask: Mask, reason: Reason, detail: str) -> list[Rejected]:
        """Describe some of the rows as rejected."""
        found = self.where(mask) if mask.any() else None
        if found is None:
            return []
        named = zip(json_writer.write_rows(found.batch), found.batch.meter_numbers(), strict=True)
        return [
            Rejected.of(
                payload,
                reason,
                detail,
                source=f"{topic}[{found.partition[row]}]@{found.offset[row]}",
                rejected_at=instant_of(int(found.arrived_us[row])),
                meter_number=name,
            )
            for row, (payload, name) in enumerate(named)
        ]

    def where(self, mask: Mask) -> Self:
        """Return the rows where the mask is true."""
        if mask.all():
            return self
        arrays = {name: getattr(self, name)[mask] for name in self._ARRAYS}
        return type(self)(batch=self.batch.where(mask), **arrays)

    def take(self, positions: Positions) -> Self:
        """Return the rows at these positions, in this order."""
        arrays = {name: getattr(self, name)[positions] for name in self._ARRAYS}
        return type(self)(batch=self.batch.take(positions), **arrays)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Put rows one behind the other; there is at least one part."""
        arrays: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in cls._ARRAYS}
        return cls(batch=type(parts[0].batch).concat([part.batch for part in parts]), **arrays)


@dataclass(frozen=True)
class Rows(StoredRows[ReadingBatch]):
    """Readings ready to be stored, one value per reading; a meter and time may come more than once.

    Attributes:
        batch: n readings.
        meter_id: int64[n], database key of the meter.
        flag: int8[n], code of a `QualityFlag`.
        score: float32[n], NaN where not scored.
        shadow_score: float32[n], what a candidate says; NaN where there is none.
        failed: int64[n], bit k is set where the rule with bit k failed.
        warned: int64[n], the same for warnings.
        nem12: int16[n], NEM12 quality letter and method, as a code.
        espi: int16[n], ESPI quality bits.
        rule_set: int32[n], version of the rule set that said so.
        why: object[n], an `Explanation` of each reading that is worth watching, None for the others.
        newest: bool[n], true where a reading is newer than every earlier one of its meter.
        partition: int64[n], Kafka partition.
        offset: int64[n], Kafka offset.
        arrived_us: int64[n], arrival in Kafka [us].
        mark_us: int64[n], the partition's watermark before it [us].
    """

    batch: ReadingBatch
    meter_id: Ints
    flag: npt.NDArray[np.int8]
    score: npt.NDArray[np.float32]
    shadow_score: npt.NDArray[np.float32]
    failed: Ints
    warned: Ints
    nem12: npt.NDArray[np.int16]
    espi: npt.NDArray[np.int16]
    rule_set: npt.NDArray[np.int32]
    why: npt.NDArray[np.object_]
    newest: Mask
    partition: Ints
    offset: Ints
    arrived_us: Ints
    mark_us: Ints

    _ARRAYS = (
        *(
            "meter_id",
            "flag",
            "score",
            "shadow_score",
            "failed",
            "warned",
            "nem12",
            "espi",
            "rule_set",
            "why",
            "newest",
        ),
        *("partition", "offset", "arrived_us", "mark_us"),
    )

    @property
    def key_id(self) -> Ints:
        """int64[n], database key of the meter."""
        return self.meter_id

    @property
    def names(self) -> pa.StringArray:
        """Meter numbers, text[n]."""
        return self.batch.meter_number


R = TypeVar("R", bound=StoredRows[Any])


@dataclass(frozen=True)
class Delivery(Generic[R]):
    """Everything that one step of the flow leaves behind.

    Attributes:
        topic: Kafka topic that the records came from.
        topic_id: identity of this life of the topic.
        rows: what to store.
        alerts: conditions found.
        progress: one entry per partition.
        supply: whose power has gone or come back.
    """

    topic: str
    topic_id: str
    rows: R
    alerts: list[Alert]
    progress: list[Progress]
    supply: SupplyChanges = field(default_factory=SupplyChanges.none)


@dataclass(frozen=True)
class Stored:
    """What a store did with a delivery.

    Attributes:
        fresh: bool[n], rows that were new; the others were there already.
        conflicting: bool[n], rows that were there already with other values.
        rejected: one entry per conflicting row, for the rejected topic.
    """

    fresh: Mask
    conflicting: Mask
    rejected: list[Rejected]

    def account(self, rows: StoredRows[Any], step: Progress) -> dict[str, int]:
        """Say where the readings of one step of the delivery went; stored, duplicates and rejected add up to them."""
        mine = rows.partition == step.partition
        count, fresh, conflicting = (
            int(np.count_nonzero(mask)) for mask in (mine, self.fresh & mine, self.conflicting & mine)
        )
        return {
            "readings": step.readings,
            "stored": fresh,
            "duplicates": count - fresh - conflicting,
            "rejected": step.rejected + conflicting,
            "lost": step.lost_records,
        }


@dataclass(frozen=True)
class Position:
    """Where the database says a partition stands.

    Attributes:
        next_offset: first offset that has not been stored.
        watermark_us: watermark at that point [us].
        source: source of the last record before it; None where that is not known.
    """

    next_offset: int
    watermark_us: int
    source: str | None = None


#: What is said of a reading that contradicts what is stored.
CONFLICT = (
    Reason.CONFLICTING_DUPLICATE,
    "a reading of this meter and time is stored already, with other values",
)

#: A watermark before any reading [us].
NO_WATERMARK_US = int(np.iinfo(np.int64).min)
