"""JSON to columns: many payloads in one pass of Arrow's parser, and item by item only where that finds a fault."""

from collections.abc import Sequence

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson

from schemas import json_items
from schemas.faults import Fault, check_rows
from schemas.layout import Layout, Mask, Positions

# Both are white space between tokens and both are illegal inside a text, so that what is no JSON stays no JSON.
_ONE_LINE = bytes.maketrans(b"\r\n", b"\t\t")
_ROWS = "rows"
#: As many payloads are read item by item in about the time of one more call of Arrow's parser.
_NEIGHBOURHOOD = 256
#: Both other readers of JSON give up at about 1,000 levels.
_MAYBE_DEEP = 900


def read(payloads: Sequence[bytes], layout: Layout) -> tuple[pa.RecordBatch, Positions, list[Fault]]:
    """Read payloads that are each one JSON object or an array of them.

    Returns: readable rows in order; int[n] payload position of each; faults with their payload position.
    """
    sound = [index for index, payload in enumerate(payloads) if _is_sound(payload)]
    positions = np.asarray(sound, dtype=np.intp)
    parts = [(rows, positions[source]) for rows, source in _read_fast([payloads[index] for index in sound], layout, 0)]
    suspect = np.ones(len(payloads), dtype=bool)
    for _, source in parts:
        suspect[source] = False
    suspects = np.flatnonzero(suspect)
    rows, source, faults = json_items.read([payloads[index] for index in suspects.tolist()], layout)
    records, source = _merge([*parts, (rows, suspects[source])])
    return records, source, [fault.moved_to(int(suspects[fault.source])) for fault in faults]


def _is_sound(payload: bytes) -> bool:
    """Say whether Arrow sees in a payload, between the brackets that `_line` puts around it, what it is by itself.

    Without a `]` before its end, a payload cannot close those brackets and go on behind them. One that has some
    (nested arrays, texts) must be JSON by itself; so must one that could be nested deeper than its other reader goes.
    """
    ends = payload.lstrip()[:1] == b"[" and payload.rstrip()[-1:] == b"]"
    if payload.count(b"]") == ends and payload.count(b"{") < _MAYBE_DEEP:
        return True
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError:
        return False
    return True


def _read_fast(payloads: Sequence[bytes], layout: Layout, first: int) -> list[tuple[pa.RecordBatch, Positions]]:
    """Parse all payloads at once; where Arrow refuses, halve, so that a bad payload costs only its neighbourhood."""
    if not payloads:
        return []
    table = _parse(payloads, layout)
    if table is not None:
        return [_tidy(table, payloads, layout, first)]
    if len(payloads) <= _NEIGHBOURHOOD:
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
        # Arrow does not look into fields that it leaves out.
        text.decode()
    except (pa.ArrowException, UnicodeDecodeError):
        return None
    return table[_ROWS].combine_chunks() if table.num_rows == len(payloads) else None


def _line(payload: bytes) -> bytes:
    """Wrap a payload as one line."""
    flat = payload.translate(_ONE_LINE)
    return b'{"rows":' + flat + b"}" if flat.lstrip()[:1] == b"[" else b'{"rows":[' + flat + b"]}"


def _tidy(
    lists: pa.ListArray, payloads: Sequence[bytes], layout: Layout, first: int
) -> tuple[pa.RecordBatch, Positions]:
    """Give rows their types; leave out every payload that holds a row in doubt."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    source = np.repeat(np.arange(len(payloads), dtype=np.intp), lengths)
    rows = lists.flatten()
    times, bad_time = _instants(rows.field(layout.time), layout.schema.field(layout.time).type)
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


def _instants(text: pa.StringArray, kind: pa.DataType) -> tuple[pa.Array, Mask]:
    """Parse RFC 3339 times; those that Arrow refuses become null and are marked, for the item reader to judge."""
    try:
        return pc.cast(text, kind), np.zeros(len(text), dtype=bool)
    except pa.ArrowInvalid:
        if len(text) == 1:
            return pa.nulls(1, kind), np.ones(1, dtype=bool)
    middle = len(text) // 2
    (head, bad_head), (tail, bad_tail) = _instants(text[:middle], kind), _instants(text[middle:], kind)
    return pa.concat_arrays([head, tail]), np.r_[bad_head, bad_tail]


def _merge(parts: list[tuple[pa.RecordBatch, Positions]]) -> tuple[pa.RecordBatch, Positions]:
    records = pa.concat_batches([part for part, _ in parts])
    source = np.concatenate([rows for _, rows in parts])
    if (np.diff(source) >= 0).all():
        return records, source
    order = np.argsort(source, kind="stable")
    return records.take(pa.array(order)), source[order]
