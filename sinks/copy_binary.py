"""Columns to PostgreSQL's binary COPY format, without a Python step per row.

Rows that are null in the same columns and whose texts have the same lengths have the same byte layout, so each
such group is one numpy structured array written as it stands. Source: PostgreSQL documentation, "COPY", section
"Binary Format".
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_HEADER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
_TRAILER = b"\xff\xff"
#: PostgreSQL counts microseconds from 2000-01-01.
PG_EPOCH_US = 946_684_800_000_000


@dataclass(frozen=True)
class CopyColumn:
    """One column of a COPY.

    Attributes:
        values: array[n]; texts are fixed-width bytes (dtype S).
        length: int32[n], bytes of each value, -1 for null.
        kind: big-endian numpy type on the wire, None for text.
    """

    values: npt.NDArray[np.generic]
    length: npt.NDArray[np.int32]
    kind: str | None


def number(values: npt.NDArray[np.generic], kind: str) -> CopyColumn:
    """Describe a column of numbers; NaN is null.

    Args:
        values: array[n].
        kind: `>f8`, `>f4`, `>i8`, `>i4`, `>i2`, or `>b1` for booleans.
    """
    size = np.dtype(kind).itemsize
    length = np.full(len(values), size, dtype=np.int32)
    if np.issubdtype(values.dtype, np.floating):
        length[np.isnan(values)] = -1
    return CopyColumn(values, length, kind)


def instant(time_us: npt.NDArray[np.int64]) -> CopyColumn:
    """Describe a column of instants, given in microseconds since 1970-01-01 UTC."""
    return number(time_us - PG_EPOCH_US, ">i8")


def integer(column: pa.Array) -> CopyColumn:
    """Describe an Arrow column of whole numbers with nulls."""
    length = np.where(column.is_valid().to_numpy(zero_copy_only=False), 8, -1).astype(np.int32)
    return CopyColumn(column.fill_null(0).to_numpy(zero_copy_only=False), length, ">i8")


def text(column: pa.Array) -> CopyColumn:
    """Describe an Arrow column of texts with nulls."""
    if column.null_count == len(column):
        return CopyColumn(np.zeros(len(column), dtype="S1"), np.full(len(column), -1, dtype=np.int32), None)
    # Most texts come again and again: each is made a Python object once.
    found = column.cast(pa.binary()).dictionary_encode()
    words = [*found.dictionary.to_pylist(), b""]
    which = found.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False)
    length = np.array([*map(len, words[:-1]), -1], dtype=np.int32)
    return CopyColumn(np.array(words, dtype=f"S{max(int(length.max()), 1)}")[which], length[which], None)


def encode(columns: list[CopyColumn]) -> memoryview:
    """Return all rows as one binary COPY stream; rows of the same layout stand together.

    Args:
        columns: in the order of the COPY's column list, all of length n.
    """
    layouts = [(rows, [int(column.length[rows[0]]) for column in columns]) for rows in _layouts(columns)]
    types = [_record_type(columns, lengths) for _, lengths in layouts]
    sizes = [len(rows) * kind.itemsize for (rows, _), kind in zip(layouts, types, strict=True)]
    stream = np.empty(len(_HEADER) + sum(sizes) + len(_TRAILER), dtype=np.uint8)
    stream[: len(_HEADER)] = np.frombuffer(_HEADER, dtype=np.uint8)
    stream[-len(_TRAILER) :] = np.frombuffer(_TRAILER, dtype=np.uint8)
    begin = len(_HEADER)
    for (rows, lengths), kind, size in zip(layouts, types, sizes, strict=True):
        _fill(stream[begin : begin + size].view(kind), columns, lengths, rows)
        begin += size
    return stream.data


def _fill(
    record: npt.NDArray[np.void], columns: list[CopyColumn], lengths: list[int], rows: npt.NDArray[np.intp]
) -> None:
    """Write rows of one layout where they are to stand."""
    record["fields"] = len(columns)
    for position, (column, length) in enumerate(zip(columns, lengths, strict=True)):
        record[f"l{position}"] = length
        if length > 0:
            values = column.values[rows]
            record[f"v{position}"] = values if column.kind else values.astype(f"S{length}")


def _layouts(columns: list[CopyColumn]) -> list[npt.NDArray[np.intp]]:
    """Group rows by the lengths of all their values."""
    varying = [column.length for column in columns if len(column.length) and np.ptp(column.length) > 0]
    n = len(columns[0].length)
    if not varying:
        return [np.arange(n)] if n else []
    order = np.lexsort(varying)
    edges = np.zeros(n - 1, dtype=bool)
    for length in varying:
        edges |= np.diff(length[order]) != 0
    return np.split(order, np.flatnonzero(edges) + 1)


def _record_type(columns: list[CopyColumn], lengths: list[int]) -> np.dtype[np.void]:
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for position, (column, length) in enumerate(zip(columns, lengths, strict=True)):
        fields.append((f"l{position}", ">i4"))
        if length > 0:
            fields.append((f"v{position}", column.kind or f"S{length}"))
    return np.dtype(fields)
