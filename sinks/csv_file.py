"""CSV files: readings with a header of field names and RFC 3339 times, which the engine reads back as `plain_csv`."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from schemas.readings import ReadingBatch


def csv_lines(batch: ReadingBatch) -> Iterator[str]:
    """Yield a header and one line per reading, without line ends; columns that hold nothing are left out.

    Args:
        batch: n readings; null is an empty value.
    """
    names = [name for name in batch.layout.schema.names if batch.column(name).null_count < len(batch)]
    yield ",".join(names)
    if not names:
        return
    texts = [_text(batch.column(name)) for name in names]
    lines = pc.binary_join_element_wise(*texts, ",") if len(texts) > 1 else texts[0]
    yield from lines.to_pylist()


def _text(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
    text = column.cast(pa.string())
    if pa.types.is_string(column.type):
        # What holds a comma, a quote or nothing visible stands in quotes.
        special = pc.match_substring_regex(text, '[",]')
        quoted = pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', "")
        text = pc.if_else(pc.fill_null(special, False), quoted, text)
    return pc.fill_null(text, "")
