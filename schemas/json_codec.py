"""JSON to columns: many payloads in one pass of Arrow's parser, and item by item only where that finds a fault."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson

from schemas import json_items
from schemas.faults import Fault, check_rows
from schemas.layout import Layout, Mask, Positions

_NEWLINES = bytes.maketrans(b"\r\n", b"  ")
_ROWS = "rows"


def read(payloads: Sequence[bytes], layout: Layout) -> tuple[pa.RecordBatch, Positions, list[Fault]]:
    """Read payloads that are each one JSON object or an array of them.

    Returns: readable rows in order; int[n] payload position of each; faults with their payload position.
    """
    fast = _read_fast(payloads, layout, 0)
    suspects = np.ones(len(payloads), dtype=bool)
    for _, source in fast:
        suspects[source] = False
    parts, faults = list(fast), list[Fault]()
    empty_arrays = _empty_arrays(payloads)
    for index in np.flatnonzero(suspects).tolist():
        if index in empty_arrays:
            continue
        records, found = json_items.read(payloads[index], layout)
        parts.append((records, np.full(records.num_rows, index, dtype=np.intp)))
        faults += [fault.moved_to(index) for fault in found]
    records, source = _merge(parts, layout)
    return records, source, faults


def _empty_arrays(payloads: Sequence[bytes]) -> set[int]:
    return {index for index, payload in enumerate(payloads) if len(payload) < 16 and payload.split() == [b"[]"]}


def _read_fast(payloads: Sequence[bytes], layout: Layout, first: int) -> list[tuple[pa.RecordBatch, Positions]]:
    """Parse all payloads at once; where Arrow refuses, halve, so that one bad payload costs only itself."""
    if not payloads:
        return []
    table = _parse(payloads, layout)
    if table is not None:
        return [_tidy(table, payloads, layout, first)]
    if len(payloads) == 1:
        return []
    middle = len(payloads) // 2
    return _read_fast(payloads[:middle], layout, first) + _read_fast(payloads[middle:], layout, first + middle)


def _parse(payloads: Sequence[bytes], layout: Layout) -> pa.ListArray | None:
    """Return one list of rows per payload, or None where Arrow cannot parse or the lines do not add up."""
    text = b"\n".join([_line(payload) for payload in payloads])
    item = pa.struct([(f.name, pa.string() if f.name == layout.time else f.type) for f in layout.schema])
    try:
        table = pajson.read_json(
            pa.BufferReader(text),
            read_options=pajson.ReadOptions(use_threads=False, block_size=len(text) + 1),
            parse_options=pajson.ParseOptions(
                explicit_schema=pa.schema([(_ROWS, pa.list_(item))]), unexpected_field_behavior="ignore"
            ),
        )
        table.validate(full=True)
    except (pa.ArrowException, UnicodeDecodeError):
        return None
    return table[_ROWS].combine_chunks() if table.num_rows == len(payloads) else None


def _line(payload: bytes) -> bytes:
    """Wrap a payload as one line; a raw line break is never legal inside a JSON text, so a blank may stand for it."""
    flat = payload.translate(_NEWLINES)
    return b'{"rows":' + flat + b"}" if flat.lstrip()[:1] == b"[" else b'{"rows":[' + flat + b"]}"


def _tidy(
    lists: pa.ListArray, payloads: Sequence[bytes], layout: Layout, first: int
) -> tuple[pa.RecordBatch, Positions]:
    """Give rows their types; leave out every payload that holds a row in doubt."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    source = np.repeat(np.arange(len(payloads), dtype=np.intp), lengths)
    rows = lists.flatten()
    times, bad_time = _instants(rows.field(layout.time), layout)
    columns = [times if f.name == layout.time else rows.field(f.name) for f in layout.schema]
    records = pa.RecordBatch.from_arrays(columns, schema=layout.schema)
    doubtful = (check_rows(records, layout) != 0) | bad_time | _nulls(rows)
    objects = np.fromiter((payload.lstrip()[:1] != b"[" for payload in payloads), dtype=bool, count=len(payloads))
    doubtful |= (objects & (lengths != 1))[source]
    if doubtful.any():
        clean = ~np.isin(source, source[doubtful])
        records, source = records.filter(pa.array(clean)), source[clean]
    return records, source + first


def _nulls(rows: pa.StructArray) -> Mask:
    nulls: Mask = pc.is_null(rows).to_numpy(zero_copy_only=False)
    return nulls


def _instants(text: pa.StringArray, layout: Layout) -> tuple[pa.Array, Mask]:
    """Parse RFC 3339 times; where Arrow refuses one, all become null and their payloads are read item by item."""
    kind = layout.schema.field(layout.time).type
    try:
        return pc.cast(text, kind), np.zeros(len(text), dtype=bool)
    except pa.ArrowInvalid:
        pass
    return _instants_where_possible(text, kind)


def _instants_where_possible(text: pa.StringArray, kind: pa.DataType) -> tuple[pa.Array, Mask]:
    # The shape that Arrow reads; anything else (and an impossible date) goes to the item reader.
    shape = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:?\d{2})$"
    likely = pc.fill_null(pc.match_substring_regex(text, shape), False)
    try:
        times = pc.cast(pc.if_else(likely, text, None), kind)
    except pa.ArrowInvalid:
        return pa.nulls(len(text), kind), np.ones(len(text), dtype=bool)
    bad: Mask = pc.invert(likely).to_numpy(zero_copy_only=False)
    return times, bad


def _merge(parts: list[tuple[pa.RecordBatch, Positions]], layout: Layout) -> tuple[pa.RecordBatch, Positions]:
    if not parts:
        return pa.RecordBatch.from_pylist([], schema=layout.schema), np.empty(0, dtype=np.intp)
    records = pa.concat_batches([part for part, _ in parts])
    source = np.concatenate([rows for _, rows in parts])
    order = np.argsort(source, kind="stable")
    return (records, source) if (np.diff(order) == 1).all() else (records.take(pa.array(order)), source[order])
