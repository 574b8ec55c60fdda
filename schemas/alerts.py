"""Alerts: one JSON object per record, for people and tools that know nothing of the engine."""

import hashlib
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Severity(StrEnum):
    """How soon somebody should look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertKind(StrEnum):
    """What kind of condition an alert reports."""

    HIGH_CONSUMPTION = "high_consumption"
    LOW_CONSUMPTION = "low_consumption"
    LEVEL_SHIFT = "level_shift"
    THEFT_SUSPICION = "theft_suspicion"
    VOLTAGE_SWELL = "voltage_swell"
    VOLTAGE_SAG = "voltage_sag"
    PATTERN_CHANGE = "pattern_change"
    FLATLINE = "flatline"
    REGISTER_MISMATCH = "register_mismatch"
    OVERHEATING = "overheating"
    UNUSUAL_READING = "unusual_reading"
    CHANNEL_FAILED = "channel_failed"
    OUTAGE = "outage"
    TRANSFORMER_OVERLOAD = "transformer_overload"
    UNACCOUNTED_ENERGY = "unaccounted_energy"
    WRONG_TRANSFORMER = "wrong_transformer"
    PHASE_IMBALANCE = "phase_imbalance"
    MODEL_DRIFT = "model_drift"
    MODEL_REFUSED = "model_refused"
    EXTREME_PRICE = "extreme_price"
    PRICE_SPIKE = "price_spike"
    MISSING_TICKS = "missing_ticks"
    OVERDUE_TICK = "overdue_tick"
    STUCK_PRICE = "stuck_price"
    ONE_SIDED_DEPTH = "one_sided_depth"
    CROSSED_QUOTE = "crossed_quote"
    LOCKED_QUOTE = "locked_quote"
    REVISION_ORDER = "revision_order"
    LONE_TRADE = "lone_trade"
    UNIT_SLIP = "unit_slip"
    NEIGHBOUR_OUTLIER = "neighbour_outlier"
    UNUSUAL_TICK = "unusual_tick"


class Alert(BaseModel):
    """One condition of one element of the grid, or of one symbol of a market, at one time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alert_id: str = Field(description="the same condition of the same element at the same time gives the same id")
    kind: AlertKind
    severity: Severity
    element: str = Field(description="what it is about, such as `meter/M0001` or `market/aemo_nem/NSW1`")
    occurred_at: AwareDatetime = Field(description="event time of the reading or tick that showed it")
    arrived_at: AwareDatetime = Field(description="when that arrived in Kafka")
    measured: float = Field(description="what was measured, in `unit`")
    expected: float = Field(description="what was expected, in `unit`")
    unit: str
    score: float = Field(ge=0, le=1, description="how unusual, 0 to 1")
    band: float | None = Field(default=None, description="98 % of readings are no further above `expected`")
    reasons: str = Field(default="", description="what was unusual, each with its own score, the most unusual first")
    message: str = Field(description="one sentence for a person")


def alert_id(kind: AlertKind, element: str, occurred_at_us: int) -> str:
    """Return the id of a condition: a digest of what, where and when, and of nothing else."""
    return hashlib.sha256(f"{kind}\0{element}\0{occurred_at_us}".encode()).hexdigest()[:32]
