"""Prices beside their neighbours': those of the other symbols of the same market in the same interval.

A symbol has its usual distance from the middle of its market, and that distance varies as it usually does. What moves
the whole market moves the middle too, and is nothing; a symbol that leaves its neighbours, or whose price alone is
wrong, is far from its usual distance.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from processors.market import usual
from processors.market.anomalies import UNUSUAL_Z, next_bound, unusual
from schemas.layout import Floats, Ints, Mask

#: Two symbols say that they differ, and not which of them is off.
LEAST_SYMBOLS = 3
#: Prices of a symbol after which its usual distance is known.
_SETTLED = 24
#: Weight of each interval in what is usual: about the last 200 count.
_WEIGHT = 1 / 200
#: A distance that never varies may still vary by this share of the market's usual price, and in currency per unit.
_LEAST_SHARE, _LEAST = 0.01, 0.01
#: It is over once a symbol was where it usually is for so many intervals.
CALM_INTERVALS = 4


@dataclass
class Neighbourhood:
    """What is remembered of a market and its n symbols.

    Attributes:
        level: usual size of the middle of its prices [currency/unit].
        intervals: intervals that it was learnt from.
        mean: float64[n], usual distance from the middle [currency/unit].
        variance: float64[n], of that distance.
        seen: int64[n], prices beside neighbours seen.
        bound: float64[n], beyond so many deviations a distance is unusual: more for a symbol that often is.
        calm: int64[n], intervals since it was last apart, as far as they count.
    """

    level: float
    intervals: int
    mean: Floats
    variance: Floats
    seen: Ints
    bound: Floats
    calm: Ints = field(repr=False)

    @classmethod
    def of(cls, symbols: int) -> "Neighbourhood":
        """Return one that nothing is known of."""
        return cls(
            level=0.0,
            intervals=0,
            mean=np.zeros(symbols),
            variance=np.zeros(symbols),
            seen=np.zeros(symbols, dtype=np.int64),
            bound=np.full(symbols, UNUSUAL_Z),
            calm=np.full(symbols, CALM_INTERVALS, dtype=np.int64),
        )


@dataclass(frozen=True)
class Beside:
    """How k intervals of n symbols compare.

    Attributes:
        expected: float64[k, n], what a symbol's price would be by its neighbours' [currency/unit]; NaN where unknown.
        score: float32[k, n], 0 to 1, 0.5 at the bound; NaN where there is nothing to judge by.
        apart: bool[k, n], further from its neighbours than usual.
        begins: bool[k, n], and it was not shortly before.
    """

    expected: Floats
    score: npt.NDArray[np.float32]
    apart: Mask
    begins: Mask


def compare(price: Floats, state: Neighbourhood) -> Beside:
    """Judge prices beside their neighbours', interval after interval, and let the state learn from them.

    Args:
        price: float64[k, n] [currency/unit], intervals in the order of time; NaN where there is none.
        state: of the market; changed in place.
    """
    found = Beside(
        np.full(price.shape, np.nan),
        np.full(price.shape, np.nan, dtype=np.float32),
        np.zeros(price.shape, dtype=bool),
        np.zeros(price.shape, dtype=bool),
    )
    for number, row in enumerate(price):
        at = np.flatnonzero(~np.isnan(row))
        if len(at) >= LEAST_SYMBOLS:
            middle = float(np.median(row[at]))
            _learn_level(abs(middle), state)
            _judge(found, number, at, row[at] - middle, middle, state)
    return found


def _learn_level(size: float, state: Neighbourhood) -> None:
    """Let the middle of an interval change what is usual; a spike of the whole market must not."""
    kept = min(size, 3 * state.level) if state.intervals >= _SETTLED else size
    state.level += max(_WEIGHT, 1 / (state.intervals + 1)) * (kept - state.level)
    state.intervals += 1


def _judge(found: Beside, number: int, at: Ints, distance: Floats, middle: float, state: Neighbourhood) -> None:
    seen, off = state.seen[at], distance - state.mean[at]
    spread = np.maximum(np.sqrt(state.variance[at]), max(_LEAST_SHARE * state.level, _LEAST))
    # Where the whole market is dear, zones are further apart: losses and congestion are shares of the price.
    scale = max(1.0, abs(middle) / max(state.level, _LEAST))
    z = off / (spread * scale)
    score = np.where(seen >= _SETTLED, z * z / (z * z + state.bound[at] ** 2), np.nan)
    apart = unusual(score)
    begins = apart & (state.calm[at] >= CALM_INTERVALS)
    found.expected[number, at], found.score[number, at] = middle + state.mean[at], score.astype(np.float32)
    found.apart[number, at], found.begins[number, at] = apart, begins
    # An episode counts once, however long it lasts.
    state.bound[at] = next_bound(state.bound[at], np.where(apart & ~begins, np.nan, score))
    state.calm[at] = np.where(apart, 0, np.minimum(state.calm[at] + 1, CALM_INTERVALS))
    state.mean[at], state.variance[at] = usual.learn(
        state.mean[at], state.variance[at], seen, off / scale, spread, settled=_SETTLED, weight=_WEIGHT
    )
    state.seen[at] += 1
