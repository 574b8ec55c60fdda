"""What a decoder says of bytes or rows that it could not take."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.layout import Layout
from schemas.rejected import Reason, Rejected

Codes = npt.NDArray[np.int8]

#: What the Gregorian calendar of Python, JSON and PostgreSQL can all write [us since 1970-01-01 UTC].
_YEAR_1_US, _YEAR_10000_US = -62_135_596_800_000_000, 253_402_300_800_000_000


@dataclass(frozen=True)
class Fault:
    """One thing that could not be read.

    Attributes:
        source: position of the payload it came in.
        reason: stable code.
        detail: what exactly was wrong.
        payload: the offending bytes: the whole payload, or the one row of it as JSON.
        meter_number: whose it was, where that could be read.
    """

    source: int
    reason: Reason
    detail: str
    payload: bytes
    meter_number: str | None = None

    def moved_to(self, source: int) -> Self:
        """Return the same fault with another payload position."""
        return replace(self, source=source)

    def as_rejected(self, source: str, rejected_at: datetime) -> Rejected:
        """Return the published form."""
        return Rejected.of(
            self.payload,
            self.reason,
            self.detail,
            source=source,
            rejected_at=rejected_at,
            meter_number=self.meter_number,
        )


#: Row checks in the order in which they are reported; code k in an array means CHECKS[k - 1].
CHECKS: tuple[tuple[Reason, str], ...] = (
    (Reason.MISSING_IDENTITY, "{identity} must be there and not empty"),
    (Reason.MISSING_TIME, "{time} must be there"),
    (Reason.BAD_TIME, "{time} is outside the years 1 to 9999"),
    (Reason.TEXT_TOO_LONG, "a text is longer than allowed"),
    (Reason.BAD_TEXT, "a text holds characters that cannot be printed"),
    (Reason.NOT_FINITE, "a number is NaN or infinite"),
)


def check_rows(records: pa.RecordBatch, layout: Layout) -> Codes:
    """Check rows that already have the layout's types.

    Returns: int8[n], 0 where a row is fine, otherwise 1 + its first failing position in CHECKS.
    """
    codes = np.zeros(records.num_rows, dtype=np.int8)
    for position in reversed(range(len(CHECKS))):
        codes[_FINDERS[position](records, layout)] = position + 1
    return codes


def describe(code: int, layout: Layout) -> tuple[Reason, str]:
    """Return reason and detail for a code of `check_rows`."""
    reason, detail = CHECKS[code - 1]
    return reason, detail.format(identity=" and ".join(layout.identity), time=layout.time)


def _mask(values: pa.Array) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
    return found


def _without_identity(records: pa.RecordBatch, layout: Layout) -> npt.NDArray[np.bool_]:
    missing = np.zeros(records.num_rows, dtype=bool)
    for name in layout.identity:
        text = records.column(name)
        missing |= _mask(pc.equal(pc.binary_length(text), 0)) | _mask(pc.is_null(text))
    return missing


def _without_time(records: pa.RecordBatch, layout: Layout) -> npt.NDArray[np.bool_]:
    return _mask(pc.is_null(records.column(layout.time)))


def _without_calendar(records: pa.RecordBatch, layout: Layout) -> npt.NDArray[np.bool_]:
    time_us = records.column(layout.time).cast(pa.int64())
    return _mask(pc.less(time_us, _YEAR_1_US)) | _mask(pc.greater_equal(time_us, _YEAR_10000_US))


def _too_long(records: pa.RecordBatch, layout: Layout) -> npt.NDArray[np.bool_]:
    found = np.zeros(records.num_rows, dtype=bool)
    for name, limit in layout.text_limit.items():
        column = records.column(name)
        if column.null_count < len(column):
            found |= _mask(pc.greater(pc.utf8_length(column), limit))
    return found


def _not_printable(records: pa.RecordBatch, layout: Layout) -> npt.NDArray[np.bool_]:
    found = np.zeros(records.num_rows, dtype=bool)
    for name in layout.texts:
        column = records.column(name)
        if column.null_count < len(column):
            found |= _mask(pc.invert(pc.utf8_is_printable(column)))
    return found


def _not_finite(records: pa.RecordBatch, layout: Layout) -> npt.NDArray[np.bool_]:
    found = np.zeros(records.num_rows, dtype=bool)
    for name in layout.floats:
        column = records.column(name)
        if column.null_count < len(column):
            found |= _mask(pc.invert(pc.is_finite(column)))
    return found


_FINDERS = (_without_identity, _without_time, _without_calendar, _too_long, _not_printable, _not_finite)
