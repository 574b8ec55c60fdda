"""Prices near what the market allows at all: events where they are far from what is usual for their series."""

import numpy as np

from processors.market.series import SeriesState
from processors.market.terms import Terms
from schemas.layout import Floats, Mask, Positions

#: A price of more than this share of the market's cap, or below this share of a negative floor, is extreme: in the
#: Australian market, 10,000 of 20,300 and more is a matter of hours a year.
EXTREME_SHARE = 0.5
#: And it is at least so many times as large as the series' prices are usually: India's are near their cap for weeks.
TIMES_USUAL = 3.0
#: Weight of each tick in what is usual: about the last 500 count.
_WEIGHT = 1 / 500
#: Price changes after which what is usual is known.
_SETTLED = 12


def extreme(price: Floats, terms: Terms) -> Mask:
    """Say which prices come near to what the market allows at all."""
    low = np.where(terms.low < 0, terms.low * EXTREME_SHARE, -np.inf)
    return np.asarray((price >= terms.high * EXTREME_SHARE) | (price <= low))


def is_event(near: Mask, price: Floats, row: Positions, state: SeriesState) -> tuple[Mask, Mask]:
    """Say which extreme prices are events of their series, and which of them begin one.

    Args:
        near: bool[n], extreme prices.
        price: float64[n] [currency/unit].
        row: intp[n], state row of each tick's series.
        state: the partition's state.

    Returns: bool[n], the price is extreme and far from the usual; bool[n], and the one before was not.
    """
    known = state.changes[row] >= _SETTLED
    event = near & (~known | (np.abs(price) >= TIMES_USUAL * state.level[row]))
    return event, event & ~state.was_extreme[row]


def learn(event: Mask, price: Floats, row: Positions, state: SeriesState) -> None:
    """Let at most one tick per series change what is usual; arguments as of `is_event`, prices none NaN."""
    size, level, seen = np.abs(price), state.level[row], state.changes[row]
    # One spike must not make the next one usual.
    kept = np.where(seen >= _SETTLED, np.minimum(size, TIMES_USUAL * level), size)
    state.level[row] += np.maximum(_WEIGHT, 1 / (seen + 1.0)) * (kept - level)
    state.was_extreme[row] = event
