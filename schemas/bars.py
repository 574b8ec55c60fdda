"""Bars: what the price of one series did between two times."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Bar(BaseModel):
    """Prices of one series over [bar_start, bar_end).

    A bar comes again whenever a tick or a revision restates it: of two, the one that was published later is right.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    market: str
    symbol: str
    kind: str = Field(description="kind of the ticks, empty where their source does not say")
    bar_s: int = Field(gt=0, description="length [s]; 86400 is the market's own day of 23 to 25 hours: its session")
    bar_start: AwareDatetime
    bar_end: AwareDatetime
    ticks: int = Field(ge=0, description="ticks in the bar, the highest revision of each interval")
    open: float = Field(description="price of the earliest [currency/unit]")
    high: float = Field(description="highest price [currency/unit]")
    low: float = Field(description="lowest price [currency/unit]")
    close: float = Field(description="price of the latest [currency/unit]")
    volume: float = Field(description="sum of quantities [the market's unit]")
    vwap: float | None = Field(description="mean price weighted by quantity [currency/unit]")
    twap: float = Field(description="mean price over time, from the first tick to the end [currency/unit]")
