"""Outages and reliability as people and tools read them."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class GridOutage(BaseModel):
    """One element of the grid without power."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outage_id: int
    element: str = Field(description="the highest element that explains it, such as `feeder/F12`")
    region: str | None
    started_after: AwareDatetime = Field(description="the newest reading with power of any of its meters")
    started_at: AwareDatetime = Field(description="first word of a meter, else the middle between its neighbours")
    started_by: AwareDatetime = Field(description="first word of a meter, else its first reading that did not come")
    ended_after: AwareDatetime | None = Field(description="power was not back for all but a few before")
    ended_at: AwareDatetime | None = Field(description="when power was back for all but a few; null while it lasts")
    ended_by: AwareDatetime | None = Field(description="the last of its transformers had power by then")
    customers: int = Field(ge=0, description="customers interrupted")
    customer_minutes: float = Field(ge=0, description="each until their own power was back, or up to now [min]")
    customer_minutes_least: float = Field(ge=0, description="as few as they can have been [min]")
    customer_minutes_most: float = Field(ge=0, description="as many as they can have been [min]")
    without_power: int = Field(ge=0, description="customers that are not back yet")
    told: int = Field(ge=0, description="those of them whose meters said so themselves")
    cause: str = Field(description="the strongest that it is known by: last_gasp, zero_voltage, power_up, silence")
    found_at: AwareDatetime = Field(description="how far event time had come when it was found")
    revision: int = Field(ge=0, description="how often it was restated")


class Reliability(BaseModel):
    """Indices of IEEE Std 1366 of one region over a span of time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: str
    customers: int = Field(description="customers served at the end of the span")
    outages: int
    customer_interruptions: int = Field(description="of more than five minutes")
    customer_minutes: float = Field(description="minutes of these")
    saidi_minutes: float = Field(description="customer minutes over customers served [min]")
    saifi: float = Field(description="customer interruptions over customers served")
    caidi_minutes: float | None = Field(description="SAIDI over SAIFI [min]; null without an interruption")
    saidi_least: float = Field(description="as little as SAIDI can be of these interruptions [min]")
    saidi_most: float = Field(description="as much as it can be [min]")
