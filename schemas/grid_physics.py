"""Load, energy balance and conditions of transformers as people and tools read them."""

from datetime import date

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class TransformerLoad(BaseModel):
    """What one transformer carried over a span of time, against its rating."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    transformer: str
    region: str | None
    rating_kva: float | None = Field(description="of the registry; null where it is not known")
    peak_kva: float = Field(description="highest mean of a quarter-hour [kVA]")
    peak_at: AwareDatetime = Field(description="start of that quarter-hour")
    peak_loading: float | None = Field(description="the same over the rating")
    mean_loading: float | None = Field(description="mean over all quarter-hours")
    hours_over: float | None = Field(description="hours above the rating [h]")
    quarters: int = Field(description="quarter-hours that are known")
    measured_by: str = Field(description="`own_meter`, else `customers`, of these without losses; of the peak")
    power_factor_by: str = Field(
        description="what made kVA of kW: `reactive_energy` or `own_meter`, `customers`, or 0.95 `assumed`; of the peak"
    )


class TransformerBalance(BaseModel):
    """Energy of one transformer over complete hours: its own meter against the sum of its customers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    transformer: str
    day: date | None = Field(description="local day; null for the whole span")
    customers: int = Field(description="most in any hour")
    hours: int = Field(description="that were counted")
    complete_hours: int = Field(description="of these with all intervals of all meters, from which all the rest is")
    own_kwh: float | None = Field(description="through its own meter, drawn less fed back [kWh]")
    customers_kwh: float | None = Field(description="through those of its customers [kWh]")
    lost_kwh: float | None = Field(description="the difference [kWh]")
    expected_loss_kwh: float | None = Field(description="by the losses it is believed to have [kWh]")
    residual_kwh: float | None = Field(description="lost beyond that [kWh]")
    residual_share: float | None = Field(description="over what customers were supplied with")
    estimated: float | None = Field(description="share of customers' intervals that are estimates")


class GridCondition(BaseModel):
    """Something that is or was wrong with an element of the grid, as it is known now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    condition_id: int
    kind: str = Field(description="transformer_overload, unaccounted_energy, wrong_transformer, phase_imbalance")
    element: str
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = Field(description="null while it lasts")
    severity: str
    measured: float
    expected: float
    uncertainty: float | None = Field(description="two standard deviations of what was measured")
    unit: str
    suspect: str | None = Field(description="what explains it best")
    confidence: float | None = Field(description="how sure that is, 0 to 1")
    detail: str
    found_at: AwareDatetime = Field(description="how far event time had come when it was found")
    revision: int = Field(description="how often it was restated")
