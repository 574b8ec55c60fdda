"""Arrow IPC streams to columns and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from schemas.faults import Fault, check_rows, describe
from schemas.layout import ColumnBatch, Layout, Positions
from schemas.rejected import Reason


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
        found, fault = _batches(payload, layout)
        parts += found
        counts.append(sum(part.num_rows for part in found))
        if fault:
            faults.append(fault.moved_to(index))
    if not parts:
        return _none(layout), _no_rows(), faults
    records = pa.concat_batches(parts)
    source = np.repeat(np.arange(len(payloads), dtype=np.intp), counts)
    codes = check_rows(records, layout)
    if codes.any():
        bad = np.flatnonzero(codes)
        faults += [
            Fault(int(source[row]), *describe(int(codes[row]), layout), as_json(records, int(row)), None) for row in bad
        ]
        fine = codes == 0
        records, source = records.filter(pa.array(fine)), source[fine]
    return records, source, faults


def as_json(records: pa.RecordBatch, row: int) -> bytes:
    """Return one row as JSON, nulls left out, for a person to read."""
    values = {name: records.column(name)[row].as_py() for name in records.schema.names}
    return orjson.dumps({name: _plain(value) for name, value in values.items() if value is not None}, default=str)


def _plain(value: Any) -> Any:
    return repr(value) if isinstance(value, float) and not np.isfinite(value) else value


def _none(layout: Layout) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=layout.schema)


def _no_rows() -> Positions:
    return np.empty(0, dtype=np.intp)


def _batches(payload: bytes, layout: Layout) -> tuple[list[pa.RecordBatch], Fault | None]:
    """Read one stream; what came whole before it broke off is kept."""
    batches: list[pa.RecordBatch] = []
    try:
        with pa.ipc.open_stream(payload) as stream:
            for records in stream:
                records.validate(full=True)
                batches.append(_fit(records, layout))
    except (pa.ArrowException, OSError, ValueError, UnicodeDecodeError) as error:
        reason = Reason.WRONG_SHAPE if isinstance(error, _Unfit) else Reason.BAD_ARROW
        return batches, Fault(0, reason, str(error)[:300], payload)
    return batches, None


class _Unfit(ValueError):
    """A stream's columns do not fit the layout."""


def _fit(records: pa.RecordBatch, layout: Layout) -> pa.RecordBatch:
    if records.schema.equals(layout.schema):
        return records
    names = records.schema.names
    missing = [name for name in (*layout.identity, layout.time) if name not in names]
    if missing:
        raise _Unfit(f"missing columns {missing}; there are {names[:20]}")
    columns = [
        _cast(records.column(names.index(field.name)), field, layout)
        if field.name in names
        else pa.nulls(records.num_rows, field.type)
        for field in layout.schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=layout.schema)


def _cast(column: pa.Array, field: pa.Field, layout: Layout) -> pa.Array:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if field.name == layout.time:
        fits = text or (pa.types.is_timestamp(kind) and kind.tz is not None)
    elif pa.types.is_string(field.type):
        fits = text or (field.name in layout.identity and pa.types.is_integer(kind))
    else:
        fits = numeric
    if not fits and not pa.types.is_null(kind):
        raise _Unfit(f"{field.name} cannot be {column.type}; {field.type} is needed")
    # Sub-microsecond digits are cut: the database keeps microseconds.
    return pc.cast(column, field.type, safe=not pa.types.is_timestamp(kind))
