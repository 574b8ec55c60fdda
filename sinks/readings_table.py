"""The table of readings."""

import pyarrow as pa

from schemas.delivery import CONFLICT, Rows
from schemas.quality import FLAGS, nem12_text
from sinks.copy_binary import CopyColumn, instant, integer, number, text
from sinks.table import Table

_MEASURES = (
    "consumption_kwh",
    "demand_kw",
    "voltage",
    "current_amps",
    "power_factor",
    "register_kwh",
    "export_kwh",
    "reactive_kvarh",
    "frequency_hz",
    "temperature_c",
    "voltage_l2",
    "voltage_l3",
    "current_l2_amps",
    "current_l3_amps",
)
_TEXTS = ("source_quality", "phase", "device")
_FLAG_LABELS = pa.array([str(flag) for flag in FLAGS])


def _columns(rows: Rows) -> list[CopyColumn]:
    batch = rows.batch
    return [
        number(rows.meter_id, ">i8"),
        instant(batch.time_us),
        *(number(batch.floats(name), ">f8") for name in _MEASURES),
        integer(batch.column("sequence")),
        *(text(batch.column(name)) for name in _TEXTS),
        text(_FLAG_LABELS.take(pa.array(rows.flag))),
        number(rows.score, ">f4"),
        number(rows.shadow_score, ">f4"),
        number(rows.failed, ">i8"),
        number(rows.warned, ">i8"),
        number(rows.rule_set, ">i4"),
        text(nem12_text(rows.nem12)),
        number(rows.espi, ">i2"),
        number(rows.partition, ">i4"),
        number(rows.offset, ">i8"),
        instant(rows.arrived_us),
    ]


READINGS = Table[Rows](
    name="meter_readings",
    identity=("meter_id", "reading_time"),
    columns={
        "meter_id": "bigint",
        "reading_time": "timestamptz",
        **dict.fromkeys(_MEASURES, "double precision"),
        "sequence": "bigint",
        **dict.fromkeys(_TEXTS, "text"),
        "quality_flag": "quality_flag",
        "anomaly_score": "real",
        "shadow_score": "real",
        "failed_rules": "bigint",
        "warned_rules": "bigint",
        "rule_set": "integer",
        "nem12_quality": "text",
        "espi_quality": "smallint",
        "source_partition": "integer",
        "source_offset": "bigint",
        "arrived_at": "timestamptz",
    },
    values=(*_MEASURES, "sequence", *_TEXTS),
    encode=_columns,
    identities=lambda rows: (rows.meter_id, rows.batch.time_us),
    conflict=CONFLICT,
)
