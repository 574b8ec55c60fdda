"""What the readings of some Kafka records are, found exactly as the worker finds it; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from schemas import json_writer
from schemas.codec import decode
from schemas.layout import ColumnBatch, Ints, instant_of
from schemas.rejected import Reason, Rejected
from stream.reconcile.subject import Subject

_ANY_TIME = instant_of(0)


@dataclass(frozen=True)
class Raw:
    """One Kafka record.

    Attributes:
        partition: its partition.
        offset: its offset.
        payload: its value.
        content_type: its `content-type` header, None when absent.
        arrived_us: its timestamp [us].
    """

    partition: int
    offset: int
    payload: bytes
    content_type: str | None
    arrived_us: int


@dataclass(frozen=True)
class Examined:
    """Readings of some records.

    Attributes:
        batch: n valid readings.
        partition: int64[n], their partition.
        offset: int64[n], their offset.
        arrived_us: int64[n], arrival of their record [us].
        record: int64[n], position of their record among the examined ones.
        reject_ids: of r readings that are not valid.
        rejected_from: int64[r], their partition.
    """

    batch: ColumnBatch
    partition: Ints
    offset: Ints
    arrived_us: Ints
    record: Ints
    reject_ids: list[str]
    rejected_from: Ints


def examine(records: Sequence[Raw], subject: Subject) -> Examined:
    """Decode and validate records."""
    partitions = _column(record.partition for record in records)
    offsets = _column(record.offset for record in records)
    arrivals = _column(record.arrived_us for record in records)
    decoded = decode([r.payload for r in records], [r.content_type for r in records], subject.kind)
    ids = [fault.as_rejected("", _ANY_TIME).reject_id for fault in decoded.faults]
    rejected_from = partitions[_column(fault.source for fault in decoded.faults)]
    batch, record = decoded.batch, decoded.source.astype(np.int64)
    codes = subject.validate(batch, arrivals[record])
    invalid = codes != 0
    if invalid.any():
        reasons = [subject.failures[code - 1][0] for code in codes[invalid].tolist()]
        ids += reject_ids(batch.where(invalid), reasons)
        rejected_from = np.r_[rejected_from, partitions[record[invalid]]]
        batch, record = batch.where(~invalid), record[~invalid]
    return Examined(batch, partitions[record], offsets[record], arrivals[record], record, ids, rejected_from)


def reject_ids(batch: ColumnBatch, reasons: Sequence[Reason]) -> list[str]:
    """Return the ids under which readings are rejected."""
    if not len(batch):
        return []
    return [
        Rejected.of(payload, reason, "", source="", rejected_at=_ANY_TIME).reject_id
        for payload, reason in zip(json_writer.write_rows(batch), reasons, strict=True)
    ]


def _column(numbers: Iterable[int]) -> Ints:
    return np.fromiter(numbers, dtype=np.int64)
