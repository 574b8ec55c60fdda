"""Bars: open, high, low, close, VWAP and TWAP of each series and interval, as partials that add up.

Counts, volumes and money are whole numbers, so that neither order nor cuts can change them. A price holds until the
next tick, which makes a TWAP depend on which tick comes next: partials of one bar therefore merge exactly only where
they do not overlap in time. `overlapping` says which bars do; those are summarised again from their ticks.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from processors.market.exact import PER_UNIT, millionths
from schemas.layout import Floats, Ints, Mask

#: Bar lengths [s]: 1, 5, 15 and 60 minutes. Sessions are bars too: `start_us` and `end_us` are the caller's.
BAR_LENGTHS_S = (60, 300, 900, 3_600)


@dataclass(frozen=True)
class BarPartials:
    """One row per (series, start, end); every column is int64[k] or float64[k].

    Attributes:
        series: what was traded, as the caller numbers it.
        start_us: start [us since 1970-01-01 UTC].
        end_us: end [us].
        ticks: ticks that fell in.
        first_us: time of the earliest [us].
        last_us: time of the latest [us].
        open: price of the earliest [currency/unit].
        high: highest price.
        low: lowest price.
        close: price of the latest.
        volume_u: traded quantity [1e-6 units].
        notional_u: price times quantity [1e-6 currency].
        held: price integrated from the earliest tick to the latest, each price held until the next [currency/unit s].
    """

    series: Ints
    start_us: Ints
    end_us: Ints
    ticks: Ints
    first_us: Ints
    last_us: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume_u: Ints
    notional_u: Ints
    held: Floats

    def __len__(self) -> int:
        return len(self.series)

    @property
    def volume(self) -> Floats:
        """Traded quantity, in its unit."""
        return self.volume_u / PER_UNIT

    @property
    def vwap(self) -> Floats:
        """Mean price weighted by quantity; NaN where nothing was traded."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.volume_u != 0, self.notional_u / self.volume_u, np.nan)

    @property
    def twap(self) -> Floats:
        """Mean price over time, from the earliest tick to the end of the bar."""
        tail = (self.end_us - self.last_us) / 1e6
        return (self.held + self.close * tail) / ((self.end_us - self.first_us) / 1e6)

    def where(self, rows: npt.NDArray[np.bool_ | np.intp]) -> "BarPartials":
        """Return the rows that a mask or positions choose."""
        return BarPartials(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def concat(cls, parts: list["BarPartials"]) -> "BarPartials":
        """Put partials one behind the other; equal keys are not merged."""
        return cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})


def floor_to(time_us: Ints, length_s: int) -> Ints:
    """Return the start of the bar that holds each time; bars start at whole multiples since 1970 (UTC)."""
    floored: Ints = time_us - time_us % (length_s * 1_000_000)
    return floored


def summarise(
    series: Ints, start_us: Ints, end_us: Ints, time_us: Ints, price: Floats, quantity: Floats
) -> BarPartials:
    """Sum ticks up per series and bar.

    Args:
        series: int64[n].
        start_us: int64[n], start of the bar that each tick falls in [us].
        end_us: int64[n], its end [us]; the same for every tick of a bar.
        time_us: int64[n], start_us <= time_us < end_us [us].
        price: float64[n] [currency/unit]; ticks without a price are the caller's to leave out.
        quantity: float64[n], NaN counts as nothing traded.

    Returns: one row per series and bar, sorted by both; ticks of one instant count in the order of their prices, so
        that no result depends on the order of arrival.
    """
    order = np.lexsort((price, time_us, start_us, series))
    series, start_us, end_us, time_us = series[order], start_us[order], end_us[order], time_us[order]
    price, quantity = price[order], quantity[order]
    first, last = _runs(series, start_us)
    hold_s = np.zeros(len(time_us))
    hold_s[:-1] = np.diff(time_us) / 1e6
    hold_s[last] = 0.0
    return BarPartials(
        series=series[first],
        start_us=start_us[first],
        end_us=end_us[first],
        ticks=last - first + 1,
        first_us=time_us[first],
        last_us=time_us[last],
        open=price[first],
        high=_reduce(np.maximum, price, first),
        low=_reduce(np.minimum, price, first),
        close=price[last],
        volume_u=_reduce(np.add, millionths(quantity), first),
        notional_u=_reduce(np.add, millionths(price * quantity), first),
        held=_reduce(np.add, price * hold_s, first),
    )


def merge(parts: BarPartials) -> BarPartials:
    """Add partials of the same bars up; exact where `overlapping` finds none."""
    parts = parts.where(_in_time(parts))
    first, last = _runs(parts.series, parts.start_us)
    bridge = np.zeros(len(parts))
    bridge[:-1] = parts.close[:-1] * (parts.first_us[1:] - parts.last_us[:-1]) / 1e6
    bridge[last] = 0.0
    return BarPartials(
        series=parts.series[first],
        start_us=parts.start_us[first],
        end_us=parts.end_us[first],
        ticks=_reduce(np.add, parts.ticks, first),
        first_us=parts.first_us[first],
        last_us=_reduce(np.maximum, parts.last_us, first),
        open=parts.open[first],
        high=_reduce(np.maximum, parts.high, first),
        low=_reduce(np.minimum, parts.low, first),
        close=parts.close[last],
        volume_u=_reduce(np.add, parts.volume_u, first),
        notional_u=_reduce(np.add, parts.notional_u, first),
        held=_reduce(np.add, parts.held + bridge, first),
    )


def overlapping(parts: BarPartials) -> Mask:
    """Say which partials belong to a bar whose partials overlap or touch in time."""
    order = _in_time(parts)
    bar = np.cumsum(np.r_[True, ~_same_bar(parts.series[order], parts.start_us[order])][: len(parts)])
    # In the order of their beginnings, the first two that overlap are neighbours.
    clash = (np.diff(bar) == 0) & (parts.first_us[order][1:] <= parts.last_us[order][:-1])
    found = np.zeros(len(parts), dtype=bool)
    found[order] = np.isin(bar, bar[1:][clash])
    return found


def _in_time(parts: BarPartials) -> npt.NDArray[np.intp]:
    return np.lexsort((parts.last_us, parts.first_us, parts.start_us, parts.series))


def _same_bar(series: Ints, start_us: Ints) -> Mask:
    return np.asarray((np.diff(series) == 0) & (np.diff(start_us) == 0))


def _runs(series: Ints, start_us: Ints) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the first and the last position of each bar of sorted rows."""
    if not len(series):
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    edges = np.flatnonzero(~_same_bar(series, start_us))
    return np.r_[0, edges + 1], np.r_[edges, len(series) - 1]


def _reduce(how: np.ufunc, values: npt.NDArray[Any], first: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
    # Adding nothing makes -0.0 a plain zero: which of the two would win depends on their order.
    reduced: npt.NDArray[Any] = (how.reduceat(values, first) if len(first) else values) + values.dtype.type(0)
    return reduced
