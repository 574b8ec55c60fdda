"""Window aggregates: what an element of the grid did between two times."""

from dataclasses import dataclass
from typing import Literal

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
    """Totals of one element over [window_start, window_end).

    A window comes again whenever it is restated; of two of the same element, class, length and start, the one with the
    higher revision is the newer one. Demand is that of whole quarter-hours of the whole element; a window of a minute
    has only the mean over its minute.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    element: str = Field(description="what was summed over, such as `transformer/T0042` or `grid`")
    customer_class: str | None = Field(description="of which class of meters, null: of all")
    window_start: AwareDatetime
    window_end: AwareDatetime
    window_s: int = Field(gt=0, description="length [s]; 86400 is a local day of 23 to 25 hours")
    state: Literal["provisional", "final"] = Field(description="on the topic: final")
    revision: int = Field(ge=0, description="how often the window was restated")
    readings: int = Field(ge=0, description="readings in the window, duplicates not counted")
    meters: int | None = Field(ge=0, description="whose these are; a meter that moves within counts at both places")
    flagged_normal: int | None = Field(description="readings without any doubt")
    flagged_warning: int | None = Field(description="readings with the flag `warning`")
    flagged_anomaly: int | None = Field(description="readings with the flag `anomaly`")
    flagged_missing: int | None = Field(description="readings with the flag `missing`")
    flagged_rejected: int | None = Field(description="readings with the flag `rejected`")
    energy_kwh: float = Field(description="energy drawn [kWh]")
    export_kwh: float = Field(description="energy fed in [kWh]")
    reactive_kvarh: float | None = Field(description="reactive energy [kvarh]")
    demand_mean_kw: float = Field(description="energy over duration [kW]")
    demand_peak_kw: float = Field(description="highest mean demand of a quarter-hour [kW]")
    demand_peak_at: AwareDatetime = Field(description="start of that quarter-hour")
    load_factor: float | None = Field(description="mean over peak demand, null without any")
    power_factor: float | None = Field(description="mean of the readings that have one")
    voltage_min: float | None = Field(description="[V]")
    voltage_mean: float | None = Field(description="[V]")
    voltage_max: float | None = Field(description="[V]")
    voltage_outside_share: float | None = Field(description="share of voltages outside the limits")
    expected: int | None = Field(description="readings that the cadences of its meters put into the window")
    completeness: float | None = Field(description="readings over expected, 1 at most, null where none are expected")
