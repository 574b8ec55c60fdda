"""Meter readings: one wire message, and many as columns."""

from typing import Annotated

import pyarrow as pa
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from schemas.layout import INSTANT, ColumnBatch, Int64, Layout
from schemas.text import Text

MAX_METER_NUMBER = 50
MAX_TEXT = 50


def _decimal_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_Named = Annotated[Text, Field(min_length=1, max_length=MAX_METER_NUMBER)]
MeterNumber = Annotated[
    _Named,
    BeforeValidator(_decimal_text, json_schema_input_type=_Named | Annotated[int, Field(ge=-(2**63), lt=2**64)]),
]


class Reading(BaseModel):
    """One reading of one meter, as it stands in a JSON message; a missing optional is null, not zero.

    Fields that are not listed are no reason to reject a reading; they are kept out of the engine.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    meter_number: MeterNumber = Field(description="text; a JSON integer is taken as its decimal text")
    reading_time: AwareDatetime = Field(description="RFC 3339 with offset")
    consumption_kwh: float | None = Field(default=None, description="energy drawn in the interval [kWh]")
    demand_kw: float | None = Field(default=None, description="mean demand of the interval [kW]")
    voltage: float | None = Field(default=None, description="phase to neutral [V]")
    current_amps: float | None = Field(default=None, description="current [A]")
    power_factor: float | None = Field(default=None, description="0 to 1")
    register_kwh: float | None = Field(default=None, description="import register [kWh]")
    export_kwh: float | None = Field(default=None, description="energy fed in, in the interval [kWh]")
    reactive_kvarh: float | None = Field(default=None, description="reactive energy in the interval [kvarh]")
    frequency_hz: float | None = Field(default=None, description="mains frequency [Hz]")
    temperature_c: float | None = Field(default=None, description="temperature at the meter [degree Celsius]")
    voltage_l2: float | None = Field(default=None, description="phase to neutral of the second phase [V]")
    voltage_l3: float | None = Field(default=None, description="phase to neutral of the third phase [V]")
    current_l2_amps: float | None = Field(default=None, description="current of the second phase [A]")
    current_l3_amps: float | None = Field(default=None, description="current of the third phase [A]")
    sequence: Int64 | None = Field(default=None, description="the meter's own message counter")
    source_quality: str | None = Field(default=None, max_length=MAX_TEXT, description="quality as its source gave it")
    phase: str | None = Field(default=None, max_length=MAX_TEXT, description="which phase, where a meter sends several")
    device: str | None = Field(
        default=None, max_length=MAX_TEXT, description="number of the device behind the meter number"
    )


class ReadingBatch(ColumnBatch):
    """Readings as columns: `meter_number` text, `reading_time` UTC [us], measures float64, null where absent."""

    layout = Layout(
        schema=pa.schema(
            [
                ("meter_number", pa.string()),
                ("reading_time", INSTANT),
                ("consumption_kwh", pa.float64()),
                ("demand_kw", pa.float64()),
                ("voltage", pa.float64()),
                ("current_amps", pa.float64()),
                ("power_factor", pa.float64()),
                ("register_kwh", pa.float64()),
                ("export_kwh", pa.float64()),
                ("reactive_kvarh", pa.float64()),
                ("frequency_hz", pa.float64()),
                ("temperature_c", pa.float64()),
                ("voltage_l2", pa.float64()),
                ("voltage_l3", pa.float64()),
                ("current_l2_amps", pa.float64()),
                ("current_l3_amps", pa.float64()),
                ("sequence", pa.int64()),
                ("source_quality", pa.string()),
                ("phase", pa.string()),
                ("device", pa.string()),
            ]
        ),
        identity=("meter_number",),
        time="reading_time",
        text_limit={
            "meter_number": MAX_METER_NUMBER,
            "source_quality": MAX_TEXT,
            "phase": MAX_TEXT,
            "device": MAX_TEXT,
        },
    )

    @property
    def meter_number(self) -> pa.StringArray:
        """Meter numbers, text[n]."""
        return self.column("meter_number")

    def meter_numbers(self) -> list[str | None]:
        """Return whose each reading is."""
        names: list[str | None] = self.meter_number.to_pylist()
        return names
