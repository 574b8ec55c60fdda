"""Arrow IPC streams to columns and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from schemas.arrow_size import size_of
from schemas.faults import Fault, check_rows, describe
from schemas.layout import ColumnBatch, Layout, Positions
from schemas.rejected import Reason

#: A small stream can unpack to any number of rows and bytes; these are several times what any honest one holds.
MAX_ROWS = 1_000_000
MAX_EXPANDED_BYTES = 256 * 1024 * 1024


def write(batch: ColumnBatch) -> bytes:
    """Return a batch as one Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.layout.schema) as stream:
        stream.write_batch(batch.records)
    return bytes(sink.getvalue())


def read(payloads: Sequence[bytes], layout: Layout) -> tuple[pa.RecordBatch, Positions, list[Fault]]:
    """Read payloads that are each an Arrow IPC stream; columns may come in any order and of any castable type.

    Returns: readable rows in order; int[n] payload position of each; faults with their payload position.
    """
    parts, counts, faults = list[pa.RecordBatch](), list[int](), list[Fault]()
    for index, payload in enumerate(payloads):
        found, unfit = _batches(payload, layout)
        parts += found
        counts.append(sum(part.num_rows for part in found))
        faults += [fault.moved_to(index) for fault in unfit]
    if not parts:
        return _none(layout), _no_rows(), faults
    records = pa.concat_batches(parts)
    source = np.repeat(np.arange(len(payloads), dtype=np.intp), counts)
    codes = check_rows(records, layout)
    if codes.any():
        bad = np.flatnonzero(codes)
        faults += [
            Fault(int(source[row]), *describe(int(codes[row]), layout), as_json(records, int(row))) for row in bad
        ]
        fine = codes == 0
        records, source = records.filter(pa.array(fine)), source[fine]
    return records, source, faults


def as_json(records: pa.RecordBatch, row: int) -> bytes:
    """Return one row as JSON, nulls left out, for a person to read."""
    values = {name: _plain(records.column(name)[row]) for name in records.schema.names}
    return orjson.dumps({name: value for name, value in values.items() if value is not None}, default=str)


def _plain(scalar: pa.Scalar) -> Any:
    try:
        value = scalar.as_py()
    except (ValueError, OverflowError):
        # An instant that no calendar of Python's holds: the bare count.
        return scalar.value
    return repr(value) if isinstance(value, float) and not np.isfinite(value) else value


def _none(layout: Layout) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=layout.schema)


def _no_rows() -> Positions:
    return np.empty(0, dtype=np.intp)


def _batches(payload: bytes, layout: Layout) -> tuple[list[pa.RecordBatch], list[Fault]]:
    """Read one stream; what came whole before it broke off is kept."""
    batches, faults = list[pa.RecordBatch](), list[Fault]()
    try:
        size = size_of(payload)
        if size.rows > MAX_ROWS or size.expanded_bytes > MAX_EXPANDED_BYTES:
            detail = (
                f"{size.rows} rows, {size.expanded_bytes} bytes unpacked; {MAX_ROWS} and {MAX_EXPANDED_BYTES} are read"
            )
            return [], [Fault(0, Reason.PAYLOAD_TOO_LARGE, detail, payload)]
        with pa.ipc.open_stream(payload) as stream:
            for records in stream:
                records.validate(full=True)
                fitted, unfit = _fit(records, layout)
                batches.append(fitted)
                faults += unfit
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = Reason.WRONG_SHAPE if isinstance(error, _Unfit) else Reason.BAD_ARROW
        faults.append(Fault(0, reason, str(error)[:300], payload))
    return batches, faults


class _Unfit(ValueError):
    """A stream's columns do not fit the layout."""


def _fit(records: pa.RecordBatch, layout: Layout) -> tuple[pa.RecordBatch, list[Fault]]:
    """Give a foreign producer's columns our order and types; rows with a value that does not fit become faults."""
    if records.schema.equals(layout.schema):
        return records, []
    names = records.schema.names
    missing = [name for name in (*layout.identity, layout.time) if name not in names]
    if missing:
        raise _Unfit(f"missing columns {missing}; there are {names[:20]}")
    columns, unfit = list[pa.Array](), dict[int, str]()
    for field in layout.schema:
        if field.name not in names:
            columns.append(pa.nulls(records.num_rows, field.type))
            continue
        column = records.column(names.index(field.name))
        _refuse_other_kinds(column.type, field, layout)
        cast, refused = _cast(column, field.type)
        columns.append(cast)
        unfit |= dict.fromkeys(refused, field.name)
    fitted = pa.RecordBatch.from_arrays(columns, schema=layout.schema)
    if not unfit:
        return fitted, []
    known = records.select([names.index(field.name) for field in layout.schema if field.name in names])
    fine = np.ones(records.num_rows, dtype=bool)
    fine[list(unfit)] = False
    return fitted.filter(pa.array(fine)), [_misfit(known, row, unfit[row], layout) for row in sorted(unfit)]


def _misfit(records: pa.RecordBatch, row: int, name: str, layout: Layout) -> Fault:
    reason = Reason.BAD_TIME if name == layout.time else Reason.WRONG_TYPE
    return Fault(0, reason, f"{name} cannot be read as {layout.schema.field(name).type}", as_json(records, row))


def _refuse_other_kinds(kind: pa.DataType, field: pa.Field, layout: Layout) -> None:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if field.name == layout.time:
        fits = text or (pa.types.is_timestamp(kind) and kind.tz is not None)
    elif pa.types.is_string(field.type):
        fits = text or (field.name in layout.identity and pa.types.is_integer(kind))
    else:
        fits = numeric
    if not fits and not pa.types.is_null(kind):
        raise _Unfit(f"{field.name} cannot be {kind}; {field.type} is needed")


def _cast(column: pa.Array, kind: pa.DataType, first: int = 0) -> tuple[pa.Array, list[int]]:
    """Cast a column; a value that cannot be cast becomes null, and its row is told."""
    try:
        # Sub-microsecond digits are cut: the database keeps microseconds.
        return pc.cast(column, options=pc.CastOptions(kind, allow_time_truncate=True)), []
    except pa.ArrowInvalid:
        if len(column) == 1:
            return pa.nulls(1, kind), [first]
    middle = len(column) // 2
    head, refused_head = _cast(column[:middle], kind, first)
    tail, refused_tail = _cast(column[middle:], kind, first + middle)
    return pa.concat_arrays([head, tail]), refused_head + refused_tail
