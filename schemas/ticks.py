"""Market ticks: one wire message, and many as columns.

A price is a float64 in columns: a decimal of up to 15 digits goes in and comes out unchanged (IEEE 754), which no
published price exceeds. Where money is summed, `schemas.money` makes it whole micro-units first; the database keeps it
as `numeric`.
"""

from functools import cached_property
from typing import Annotated, Literal, get_args

import pyarrow as pa
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.layout import INSTANT, ColumnBatch, Int64, Ints, Layout

MAX_SYMBOL = 50

TickKind = Literal["trade", "quote", "settlement", "demand", "renewable", "forecast"]
KINDS: tuple[str, ...] = get_args(TickKind)
#: What makes two ticks the same one: another revision of the same interval is another tick. Null counts as revision 0.
TICK_IDENTITY = ("market", "symbol", "kind", "tick_time", "revision")

MarketText = Annotated[str, Field(min_length=1, max_length=MAX_SYMBOL)]


class Tick(BaseModel):
    """One price or quantity of one market symbol; a missing optional is null, negative prices are normal."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    market: MarketText = Field(description="market, such as `aemo_nem`")
    symbol: MarketText = Field(description="zone, node, hub, contract or certificate")
    tick_time: AwareDatetime = Field(
        description="RFC 3339 with offset; a trade's or quote's moment, otherwise the interval by the market's label"
    )
    kind: TickKind | None = Field(default=None, description="what the tick reports")
    price: float | None = Field(default=None, description="price [currency/unit of the market, mostly MWh]")
    quantity: float | None = Field(
        default=None, description="traded or settled [the market's unit]; demand, renewable output and forecasts [MW]"
    )
    bid: float | None = Field(default=None, description="best bid [currency/unit]")
    ask: float | None = Field(default=None, description="best ask [currency/unit]")
    currency: str | None = Field(default=None, max_length=3, description="ISO 4217; null: the market's own")
    revision: Int64 | None = Field(
        default=None, description="run of the same interval, null is 0; of trades at one moment, which of them"
    )
    bid_quantity: float | None = Field(default=None, description="wanted at the best bid [the market's unit]")
    ask_quantity: float | None = Field(default=None, description="offered at the best ask [the market's unit]")
    bid_depth: float | None = Field(default=None, description="wanted at all levels that are shown [the market's unit]")
    ask_depth: float | None = Field(
        default=None, description="offered at all levels that are shown [the market's unit]"
    )
    energy_price: float | None = Field(default=None, description="energy component of an LMP [currency/MWh]")
    congestion_price: float | None = Field(default=None, description="congestion component of an LMP [currency/MWh]")
    loss_price: float | None = Field(default=None, description="loss component of an LMP [currency/MWh]")
    interval_s: Int64 | None = Field(
        default=None, description="length of the interval [s], where it is not the market's settlement interval"
    )


class TickBatch(ColumnBatch):
    """Ticks as columns: `market`, `symbol` text, `tick_time` UTC [us], numbers float64, null where absent."""

    layout = Layout(
        schema=pa.schema(
            [
                ("market", pa.string()),
                ("symbol", pa.string()),
                ("tick_time", INSTANT),
                ("kind", pa.string()),
                ("price", pa.float64()),
                ("quantity", pa.float64()),
                ("bid", pa.float64()),
                ("ask", pa.float64()),
                ("currency", pa.string()),
                ("revision", pa.int64()),
                ("bid_quantity", pa.float64()),
                ("ask_quantity", pa.float64()),
                ("bid_depth", pa.float64()),
                ("ask_depth", pa.float64()),
                ("energy_price", pa.float64()),
                ("congestion_price", pa.float64()),
                ("loss_price", pa.float64()),
                ("interval_s", pa.int64()),
            ]
        ),
        identity=("market", "symbol"),
        time="tick_time",
        text_limit={"market": MAX_SYMBOL, "symbol": MAX_SYMBOL, "kind": MAX_SYMBOL, "currency": 3},
    )

    @cached_property
    def revisions(self) -> Ints:
        """Revisions as int64[n], null as 0."""
        values: Ints = self.column("revision").fill_null(0).to_numpy(zero_copy_only=False)
        return values
