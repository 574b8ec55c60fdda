"""Market ticks: one wire message, and many as columns."""

from typing import Annotated, Literal

import pyarrow as pa
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.layout import INSTANT, ColumnBatch, Int64, Layout

MAX_SYMBOL = 50

TickKind = Literal["trade", "quote", "settlement", "demand", "renewable", "forecast"]
MarketText = Annotated[str, Field(min_length=1, max_length=MAX_SYMBOL)]


class Tick(BaseModel):
    """One price or quantity of one market symbol; a missing optional is null, negative prices are normal."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    market: MarketText = Field(description="market, such as `aemo_nem`")
    symbol: MarketText = Field(description="zone, node, hub, contract or certificate")
    tick_time: AwareDatetime = Field(description="RFC 3339 with offset")
    kind: TickKind | None = Field(default=None, description="what the tick reports")
    price: float | None = Field(default=None, description="price [currency/MWh]")
    quantity: float | None = Field(default=None, description="quantity [MW or MWh, by the market's definition]")
    bid: float | None = Field(default=None, description="best bid [currency/MWh]")
    ask: float | None = Field(default=None, description="best ask [currency/MWh]")
    currency: str | None = Field(default=None, max_length=3, description="ISO 4217")
    revision: Int64 | None = Field(default=None, description="run or revision of the same interval")


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
            ]
        ),
        identity=("market", "symbol"),
        time="tick_time",
        text_limit={"market": MAX_SYMBOL, "symbol": MAX_SYMBOL, "kind": MAX_SYMBOL, "currency": 3},
    )
