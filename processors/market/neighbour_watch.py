"""Settlement prices of a market, interval by interval: which intervals can be judged, and what there is to tell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from processors.market.neighbours import Beside, Neighbourhood, compare
from processors.state import NEVER_US
from schemas.alerts import Alert, AlertKind, Severity, alert_id
from schemas.layout import Floats, Ints, Mask, instant_of


@dataclass(frozen=True)
class MarketPrices:
    """Prices of one market, n of them, of s symbols.

    Attributes:
        market: its name.
        symbols: their names, s.
        currency: of the market.
        symbol: int64[n], position of each price's symbol.
        time_us: int64[n], time that its tick bears [us since 1970-01-01 UTC], in order.
        start_us: int64[n], start of its interval [us].
        end_us: int64[n], end of it [us].
        price: float64[n] [currency/unit], the highest revision.
        arrived_us: int64[n], arrival in Kafka [us].
    """

    market: str
    symbols: Sequence[str]
    currency: str
    symbol: Ints
    time_us: Ints
    start_us: Ints
    end_us: Ints
    price: Floats
    arrived_us: Ints

    def until(self, time_us: int) -> "MarketPrices":
        """Return those that bear no later time."""
        some = slice(0, int(np.searchsorted(self.time_us, time_us, side="right")))
        columns = {name: getattr(self, name)[some] for name in _COLUMNS}
        return MarketPrices(self.market, self.symbols, self.currency, **columns)


_COLUMNS = ("symbol", "time_us", "start_us", "end_us", "price", "arrived_us")


@dataclass(frozen=True)
class Watched:
    """What came of some prices.

    Attributes:
        alerts: one for each price that begins to be far from its neighbours'.
        apart_us: int64[s], newest time at which each symbol was [us]; NEVER_US where it was not.
    """

    alerts: list[Alert]
    apart_us: Ints


def whole_until(prices: MarketPrices, newest_us: Ints, mark_us: int, now_us: int, lateness_us: int) -> int | None:
    """Return the time up to which nothing more is waited for; None where the first interval is still waited for.

    An interval is whole once every symbol has said something of it or of a later one. Who has stopped is waited for as
    long as bars are: until event time is so far past the interval's end, and the clock past its newest arrival, which
    is what a replay of the past goes by.

    Args:
        prices: of the market, at least one.
        newest_us: int64[s], newest time of each symbol [us].
        mark_us: event time that all partitions have reached [us].
        now_us: the time [us].
        lateness_us: how long is waited [us].
    """
    times, first = np.unique(prices.time_us, return_index=True)
    ends, arrived = (np.maximum.reduceat(values, first) for values in (prices.end_us, prices.arrived_us))
    whole: Mask = times <= newest_us.min()
    whole |= (ends + lateness_us <= mark_us) & (arrived + lateness_us <= now_us)
    ready = len(times) if whole.all() else int(np.argmin(whole))
    return int(times[ready - 1]) if ready else None


def watch(prices: MarketPrices, state: Neighbourhood) -> Watched:
    """Judge prices beside their neighbours', and let the state learn from them.

    Args:
        prices: of whole intervals; those of one time may be of intervals of several lengths, each compared by itself.
        state: of the market and its symbols; changed in place.
    """
    _, place, interval = np.unique(
        np.stack([prices.time_us, prices.end_us - prices.start_us]), axis=1, return_index=True, return_inverse=True
    )
    matrix = np.full((len(place), len(prices.symbols)), np.nan)
    matrix[interval, prices.symbol] = prices.price
    found = compare(matrix, state)
    judged = found.apart[interval, prices.symbol]
    apart_us = np.full(len(prices.symbols), NEVER_US)
    np.maximum.at(apart_us, prices.symbol[judged], prices.time_us[judged])
    begins = np.flatnonzero(found.begins[interval, prices.symbol])
    return Watched([_alert(prices, at, found, int(interval[at])) for at in begins.tolist()], apart_us)


def _alert(prices: MarketPrices, at: int, found: Beside, interval: int) -> Alert:
    symbol, time_us = int(prices.symbol[at]), int(prices.time_us[at])
    name, price, expected = prices.symbols[symbol], float(prices.price[at]), float(found.expected[interval, symbol])
    element = f"market/{prices.market}/{name}"
    return Alert(
        alert_id=alert_id(AlertKind.NEIGHBOUR_OUTLIER, f"{element}/settlement", time_us),
        kind=AlertKind.NEIGHBOUR_OUTLIER,
        severity=Severity.WARNING,
        element=element,
        occurred_at=instant_of(time_us),
        arrived_at=instant_of(int(prices.arrived_us[at])),
        measured=price,
        expected=expected,
        unit=prices.currency,
        score=float(found.score[interval, symbol]),
        message=f"{prices.market}/{name}: price {price:g} {prices.currency}, "
        f"where the other symbols would have it at {expected:g}",
    )
