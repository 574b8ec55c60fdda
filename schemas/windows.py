"""Window aggregates: what an element of the grid did between two times."""

from dataclasses import dataclass

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

#: Window lengths [s]: 1 minute and 15 minutes.
WINDOW_LENGTHS_S = (60, 900)
#: An hour, and a day, which is a local one of 23 to 25 hours [s].
HOUR_S, DAY_S = 3_600, 86_400

#: Energy is summed as whole micro-watt-hours (1 kWh = 1e9), so that a sum does not depend on order.
UWH_PER_KWH = 1_000_000_000
#: Voltage is summed as whole millivolts, for the same reason.
MV_PER_V = 1_000
#: Power factors are summed as whole millionths.
PPM = 1_000_000
#: Class of meters of which the registry says none.
UNCLASSIFIED = "unclassified"


@dataclass(frozen=True)
class VoltageBand:
    """Voltages that a supply should keep to [V]."""

    low: float
    high: float


#: 230 V with a tenth more or less.
EN_50160 = VoltageBand(207.0, 253.0)


class WindowAggregate(BaseModel):
    """Totals of one element over [window_start, window_start + window_s).

    A window comes again whenever a reading restates it: the one with the most readings is the newest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    element: str = Field(description="what was summed over, such as `transformer/T0042`")
    window_start: AwareDatetime
    window_s: int = Field(gt=0, description="length [s]")
    readings: int = Field(ge=0, description="readings in the window, duplicates not counted")
    energy_kwh: float = Field(description="energy drawn [kWh]")
    export_kwh: float = Field(description="energy fed in [kWh]")
    demand_peak_kw: float | None = Field(description="highest demand of any one reading [kW]")
    voltage_min: float | None = Field(description="[V]")
    voltage_mean: float | None = Field(description="[V]")
    voltage_max: float | None = Field(description="[V]")
    revision: int = Field(ge=0, description="how many readings restated the window after it had closed")
