"""What users ask of series of prices: how often how high, how restless, how alike, and what renewables do to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from processors.market.bars import floor_to, summarise
from processors.market.correlation import CoMoments, aligned
from processors.market.duration import DurationCurve, duration_curve, hours_above
from processors.market.renewables import Response, rolling_response
from processors.market.returns import asinh_returns, differences, scale_of
from processors.market.volatility import ewma, realised
from processors.market_time import day_start, settlement_day
from schemas.errors import ConfigurationError
from schemas.layout import Floats, Ints
from stream.market.price_source import Series

Stretch = Literal["hour", "day", "all"]
#: What is compared of two markets: prices, their changes, or changes of asinh((price - centre) / scale).
Measure = Literal["price", "change", "asinh"]
_HOUR_S = 3_600


@dataclass(frozen=True)
class Durations:
    """How long a price was how high.

    Attributes:
        curve: prices from the highest to the lowest, with the time for which each was reached.
        hours: time of all intervals with a price [h].
        negative: time with a price below nothing [h].
        above: level [currency/unit] and time above it [h].
    """

    curve: DurationCurve
    hours: float
    negative: float
    above: list[tuple[float, float]]


@dataclass(frozen=True)
class Restlessness:
    """Volatility by stretch of time, one value per stretch.

    Attributes:
        start_us: int64[k], start of the stretch [us since 1970-01-01 UTC].
        prices: int64[k], prices in it.
        low: float64[k] [currency/unit].
        high: float64[k] [currency/unit].
        realised: float64[k], root of the sum of squared changes [currency/unit].
        ewma: float64[k], exponentially weighted volatility after its last price [currency/unit]; NaN without changes.
    """

    start_us: Ints
    prices: Ints
    low: Floats
    high: Floats
    realised: Floats
    ewma: Floats


@dataclass(frozen=True)
class Likeness:
    """Two series beside each other.

    Attributes:
        first, second: names.
        moments: of what both have; its `correlation` is Pearson's coefficient.
    """

    first: str
    second: str
    moments: CoMoments


@dataclass(frozen=True)
class RenewableImpact:
    """Price against renewable share, one fit per window of intervals that have all three figures.

    Attributes:
        until_us: int64[n], end of each interval [us since 1970-01-01 UTC].
        share: float64[n], renewable output over demand.
        price: float64[n] [currency/unit].
        response: rolling least squares.
    """

    until_us: Ints
    share: Floats
    price: Floats
    response: Response


def durations(series: Series, levels: Sequence[float]) -> Durations:
    """Return how long prices were how high.

    Raises:
        ConfigurationError: the series has no price that lasts.
    """
    price, length_s = _priced(series).price, _priced(series).length_s
    hours = float(length_s.sum() / _HOUR_S)
    if not hours:
        raise ConfigurationError(f"{series.name} has no price that lasts any time")
    above = [(level, hours_above(price, length_s, level)) for level in levels]
    negative = float(length_s[price < 0].sum() / _HOUR_S)
    return Durations(duration_curve(price, length_s), hours, negative, above)


def restlessness(series: Series, stretch: Stretch) -> Restlessness:
    """Return the volatility of each hour, local day of the market, or of all.

    The first change of a stretch is from the last price of the one before.

    Raises:
        ConfigurationError: the series has no price.
    """
    series = _priced(series)
    one = np.zeros(len(series), dtype=np.int64)
    if stretch == "hour":
        start = floor_to(series.start_us, _HOUR_S)
    elif stretch == "day":
        start = day_start(series.market, settlement_day(series.market, series.start_us, label="start"))
    else:
        start = one + series.start_us[0]
    found, squares = realised(differences(one, series.price), start)
    first = np.searchsorted(start, found)
    last = np.r_[first[1:], len(start)] - 1
    variance = np.full(1, np.nan)
    before = ewma(one.astype(np.intp), series.price, np.full(1, np.nan), variance)
    after = np.r_[before[1:], np.sqrt(variance)]
    low, high = (how.reduceat(series.price, first) for how in (np.minimum, np.maximum))
    return Restlessness(found, last - first + 1, low, high, squares, after[last])


def likenesses(series: Sequence[Series], measure: Measure, every_s: int | None = None) -> list[Likeness]:
    """Correlate every two of some series at the times that both have.

    Args:
        series: at least two.
        measure: what is correlated.
        every_s: length of the means over time that are compared [s]; that of the longest intervals by default.

    Raises:
        ConfigurationError: fewer than two, or one has no price.
    """
    if len(series) < 2:
        raise ConfigurationError("a correlation takes two series, or more")
    length_s = every_s or int(max(np.median(one.length_s) for one in series)) or 1
    found = [_measured(one, measure, length_s) for one in series]
    return [
        Likeness(str(series[i].name), str(series[j].name), CoMoments.of(*aligned(*found[i], *found[j])))
        for i in range(len(series))
        for j in range(i + 1, len(series))
    ]


def impact(price: Series, output: Series, demand: Series, window: int) -> RenewableImpact:
    """Fit price against renewable share over the last `window` intervals, for each interval.

    Args:
        price: of a symbol.
        output: renewable output, as quantities.
        demand: as quantities, in the same unit.
        window: intervals per fit, at least 3.

    Raises:
        ConfigurationError: fewer intervals than a window have all three figures.
    """
    sides = [price.where(~np.isnan(price.price)), *(one.where(~np.isnan(one.quantity)) for one in (output, demand))]
    both = np.intersect1d(sides[1].start_us, sides[2].start_us[sides[2].quantity > 0])
    times = np.intersect1d(sides[0].start_us, both)
    if len(times) < window:
        raise ConfigurationError(
            f"{len(times)} intervals have a price of {price.name}, {output.name} and {demand.name}, and a fit takes "
            f"{window} (--window)"
        )
    at = [np.searchsorted(one.start_us, times) for one in sides]
    share = sides[1].quantity[at[1]] / sides[2].quantity[at[2]]
    prices = sides[0].price[at[0]]
    return RenewableImpact(sides[0].end_us[at[0]], share, prices, rolling_response(share, prices, window))


def _priced(series: Series) -> Series:
    known = ~np.isnan(series.price)
    if not known.any():
        raise ConfigurationError(f"{series.name} has no price")
    return series.where(known)


def _measured(series: Series, measure: Measure, length_s: int) -> tuple[Ints, Floats]:
    """Return starts and values of what is compared, means over time in whole multiples of a length since 1970 (UTC)."""
    series = _priced(series)
    one, start = np.zeros(len(series), dtype=np.int64), floor_to(series.start_us, length_s)
    bars = summarise(one, start, start + length_s * 1_000_000, series.start_us, series.price, series.quantity)
    mean, same = bars.twap, np.zeros(len(bars), dtype=np.int64)
    if measure == "change":
        return bars.start_us, differences(same, mean)
    if measure == "asinh":
        return bars.start_us, asinh_returns(same, mean, *scale_of(mean))
    return bars.start_us, mean
