"""Columns to JSON text, a column at a time."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.layout import ColumnBatch


def write_rows(batch: ColumnBatch) -> list[bytes]:
    """Return one JSON object per row; nulls are left out, times are RFC 3339 in UTC, numbers keep every digit."""
    text: list[bytes] = objects(batch).cast(pa.binary()).to_pylist()
    return text


def write_array(batch: ColumnBatch) -> bytes:
    """Return all rows as one JSON array."""
    return b"[" + b",".join(write_rows(batch)) + b"]"


def objects(batch: ColumnBatch) -> pa.StringArray:
    """Return one JSON object per row as text[n]; see `write_rows`."""
    if not len(batch):
        return pa.array([], pa.string())
    parts: list[pa.Array | pa.Scalar] = []
    for field in batch.layout.schema:
        column = batch.column(field.name)
        if column.null_count == len(column):
            continue
        # The first column is an identity, which is never null: every later member can lead with its comma.
        lead = f',"{field.name}":' if parts else f'{{"{field.name}":'
        member = pc.binary_join_element_wise(pa.scalar(lead), _values(column), pa.scalar(""))
        parts.append(pc.fill_null(member, ""))
    return pc.binary_join_element_wise(*parts, pa.scalar("}"), pa.scalar(""))


def _values(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        text = pc.strftime(column, "%Y-%m-%dT%H:%M:%S")
        return pc.binary_join_element_wise(pa.scalar('"'), text, pa.scalar('Z"'), pa.scalar(""))
    if pa.types.is_string(column.type):
        escaped = pc.replace_substring(pc.replace_substring(column, "\\", "\\\\"), '"', '\\"')
        return pc.binary_join_element_wise(pa.scalar('"'), escaped, pa.scalar('"'), pa.scalar(""))
    return column.cast(pa.string())
