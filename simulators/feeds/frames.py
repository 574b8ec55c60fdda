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

#: Columns of a gridstatus frame of LMPs -> columns of a tick.
_LMP = {"LMP": "price", "Energy": "energy_price", "Congestion": "congestion_price", "Loss": "loss_price"}


def from_entsoe(series: Any, market: Market, symbol: str) -> TickBatch:
    """Read day-ahead prices (`EntsoePandasClient.query_day_ahead_prices`).

    Args:
        series: a pandas series of prices [EUR/MWh] by the start of their interval, in a time zone; the interval's
            length is the shortest distance between two of them.
        market: whose prices they are.
        symbol: zone.

    Raises:
        ValueError: the index has no time zone: the hour that comes twice could not be told apart.
    """
    time_us = _instants(series.index)
    length = int(np.diff(time_us).min() // 1_000_000) if len(time_us) > 1 else market.interval_s
    return ticks(
        market,
        symbol,
        time_us if market.label == "start" else time_us + length * 1_000_000,
        "settlement",
        price=np.asarray(series.to_numpy(), dtype=np.float64),
        interval_s=np.full(len(time_us), length),
    )


def from_gridstatus(frame: Any, market: Market) -> TickBatch:
    """Read locational marginal prices (`get_lmp`), with their components where the frame has them.

    Args:
        frame: a pandas frame with `Interval Start`, `Interval End` (in a time zone), `Location` and `LMP` [USD/MWh].
        market: whose prices they are.

    Raises:
        MissingColumns: a needed column is not there.
        ValueError: a time without a zone.
    """
    needed = ["Interval Start", "Interval End", "Location", "LMP"]
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise MissingColumns(missing, [str(name) for name in frame.columns])
    start, end = (_instants(frame[name].array) for name in needed[:2])
    figures = {to: np.asarray(frame[name], dtype=np.float64) for name, to in _LMP.items() if name in frame.columns}
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
