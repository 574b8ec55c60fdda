"""Frames of other libraries to ticks: ENTSO-E prices as `entsoe-py` returns them, US LMPs as `gridstatus` does.

Neither library is needed here, nor pandas: what they return is looked at through the few attributes that it has.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from schemas.errors import MissingColumns
from schemas.layout import Ints
from schemas.markets import Market
from schemas.ticks import TickBatch
from simulators.feeds.feed import ticks

#: What gridstatus calls a price, and its components -> columns of a tick.
_PRICES = ("LMP", "SPP")
_COMPONENTS = {"Energy": "energy_price", "Congestion": "congestion_price", "Loss": "loss_price"}


def from_entsoe(series: Any, market: Market, symbol: str) -> TickBatch:
    """Read day-ahead prices (`EntsoePandasClient.query_day_ahead_prices`).

    Args:
        series: a pandas series of prices [EUR/MWh] by the start of their interval, in a time zone. An interval is as
            long as the way to the nearer of the prices beside it: a series that spans 2025-10-01 is hourly before
            and has quarters of an hour after, and a gap makes no interval longer.
        market: whose prices they are.
        symbol: zone.

    Raises:
        ValueError: the index has no time zone: the hour that comes twice could not be told apart.
    """
    time_us = _instants(series.index)
    length = _lengths(time_us, market.interval_s)
    return ticks(
        market,
        symbol,
        time_us if market.label == "start" else time_us + length * 1_000_000,
        "settlement",
        price=np.asarray(series.to_numpy(), dtype=np.float64),
        interval_s=length,
    )


def _lengths(time_us: Ints, alone_s: int) -> Ints:
    """Return the distance of each time to the nearer of those beside it [s]; `alone_s` where there is only one."""
    if len(time_us) < 2:
        return np.full(len(time_us), alone_s, dtype=np.int64)
    apart: Ints = np.diff(time_us) // 1_000_000
    nearer: Ints = np.minimum(np.r_[apart[:1], apart], np.r_[apart, apart[-1:]])
    return nearer


def from_gridstatus(frame: Any, market: Market) -> TickBatch:
    """Read locational marginal prices (`get_lmp`), with their components where the frame has them.

    California's prices have a component for greenhouse gas, `GHG`, which is part of what energy costs and is counted
    there. ERCOT settles at prices of settlement points (`get_spp`), whose column is `SPP`.

    Args:
        frame: a pandas frame with `Interval Start`, `Interval End` (in a time zone), `Location` and `LMP` or `SPP`
            [USD/MWh].
        market: whose prices they are.

    Raises:
        MissingColumns: a needed column is not there.
        ValueError: a time without a zone.
    """
    price = next((name for name in _PRICES if name in frame.columns), _PRICES[0])
    needed = ["Interval Start", "Interval End", "Location", price]
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise MissingColumns(missing, [str(name) for name in frame.columns])
    start, end = (_instants(frame[name].array) for name in needed[:2])
    columns = {price: "price"} | _COMPONENTS
    figures = {to: np.asarray(frame[name], dtype=np.float64) for name, to in columns.items() if name in frame.columns}
    if "GHG" in frame.columns and "energy_price" in figures:
        figures["energy_price"] = figures["energy_price"] + np.nan_to_num(np.asarray(frame["GHG"], dtype=np.float64))
    return ticks(
        market,
        pa.array([str(name) for name in frame["Location"]]),
        start if market.label == "start" else end,
        "settlement",
        interval_s=(end - start) // 1_000_000,
        **figures,
    )


def _instants(index: Any) -> Ints:
    if getattr(index, "tz", None) is None:
        raise ValueError("times without a zone: the hour that comes twice in autumn could not be told apart")
    instants: Ints = np.asarray(index.tz_convert("UTC").tz_localize(None), dtype="datetime64[us]").astype(np.int64)
    return instants
