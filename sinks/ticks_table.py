"""The table of market ticks."""

import pyarrow as pa

from schemas.quality import FLAGS
from schemas.tick_rows import TICK_CONFLICT, TickRows
from schemas.ticks import TickBatch
from sinks.copy_binary import CopyColumn, instant, integer, number, text
from sinks.table import Table

_FIGURES = TickBatch.layout.floats
_FLAG_LABELS = pa.array([str(flag) for flag in FLAGS])


def _columns(rows: TickRows) -> list[CopyColumn]:
    batch = rows.batch
    return [
        number(rows.series_id, ">i8"),
        instant(batch.time_us),
        number(batch.revisions, ">i8"),
        instant(rows.starts_us),
        instant(rows.ends_us),
        *(number(batch.floats(name), ">f8") for name in _FIGURES),
        integer(batch.column("interval_s")),
        text(batch.column("currency")),
        text(_FLAG_LABELS.take(pa.array(rows.flag))),
        number(rows.score, ">f4"),
        number(rows.partition, ">i4"),
        number(rows.offset, ">i8"),
        instant(rows.arrived_us),
    ]


TICKS = Table[TickRows](
    name="market_ticks",
    identity=("series_id", "tick_time", "revision"),
    columns={
        "series_id": "bigint",
        "tick_time": "timestamptz",
        "revision": "bigint",
        "starts_at": "timestamptz",
        "ends_at": "timestamptz",
        **dict.fromkeys(_FIGURES, "double precision"),
        "interval_s": "bigint",
        "currency": "text",
        "quality_flag": "quality_flag",
        "anomaly_score": "real",
        "source_partition": "integer",
        "source_offset": "bigint",
        "arrived_at": "timestamptz",
    },
    values=(*_FIGURES, "interval_s", "currency"),
    encode=_columns,
    identities=lambda rows: (rows.series_id, rows.batch.time_us, rows.batch.revisions),
    conflict=TICK_CONFLICT,
)
