"""Each tick against its own series: order, revisions, gaps, a price that stands still, a change that is unusual."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.market import anomalies
from processors.market.price import price_of
from processors.market.series import SeriesState
from processors.market.terms import Terms
from processors.market.volatility import DECAY
from processors.rounds import rounds
from processors.state import NEVER_US
from schemas.layout import Floats, Ints, Mask, Positions
from schemas.ticks import TickBatch


@dataclass(frozen=True)
class Following:
    """When a tick is remarkable.

    Attributes:
        settled: price changes after which a series' own volatility is trusted.
        floor: smallest volatility that counts, as a share of the price's size; 1 % of it.
        least: and in currency per unit.
        unmoved: a feed is taken for stuck after this many ticks in a row with exactly the same price.
    """

    settled: int = 12
    floor: float = 0.01
    least: float = 0.01
    unmoved: int = 12


@dataclass(frozen=True)
class Followed:
    """What was found, one value per tick.

    Attributes:
        in_order: bool[n], later than every earlier tick of its series.
        newest: bool[n], in order, or a higher revision of the newest time.
        behind: bool[n], a revision that comes after a higher one of its time.
        missing: int64[n], intervals of its series that should have come before it and have not.
        stuck: bool[n], the tick with which a price has stood still for too long.
        before: float64[n], price before it [currency/unit], NaN where unknown.
        volatility: float64[n], usual size of a change then [currency/unit], NaN where unknown.
        score: float32[n], 0 to 1, higher is more unusual; NaN where there is nothing to judge by.
    """

    in_order: Mask
    newest: Mask
    behind: Mask
    missing: Ints
    stuck: Mask
    before: Floats
    volatility: Floats
    score: npt.NDArray[np.float32]

    @classmethod
    def nothing(cls, count: int) -> "Followed":
        """Return what is known before anything was looked at, to be filled in."""
        in_order, newest, behind, stuck = (np.zeros(count, dtype=bool) for _ in range(4))
        missing, score = np.zeros(count, dtype=np.int64), np.full(count, np.nan, dtype=np.float32)
        return cls(in_order, newest, behind, missing, stuck, np.full(count, np.nan), np.full(count, np.nan), score)


def follow(
    batch: TickBatch, terms: Terms, rows: Positions, state: SeriesState, following: Following, skip: Mask | None = None
) -> Followed:
    """Compare ticks with what is remembered of their series, and let the state learn from them.

    Only ticks that are in order are learnt from: a revision changes what is stored, not what was known at the time.

    Args:
        batch: n valid ticks, in the order of their partition.
        terms: what their markets' definitions say.
        rows: intp[n], state row of each tick's series.
        state: the partition's state; changed in place.
        following: bounds.
        skip: bool[n], ticks that the state has already seen (replay after a crash).

    Returns: findings that do not depend on how the stream was cut into batches.
    """
    found = Followed.nothing(len(batch))
    price, time_us = price_of(batch), batch.time_us
    revision = batch.revisions
    for turn in rounds(rows):
        at = turn if skip is None else turn[~skip[turn]]
        row = rows[at]
        later, same = time_us[at] > state.last_time_us[row], time_us[at] == state.last_time_us[row]
        higher = revision[at] > state.last_revision[row]
        found.in_order[at] = later
        found.newest[at] = later | (same & higher)
        found.behind[at] = same & (revision[at] < state.last_revision[row])
        again = at[same & higher]
        state.last_revision[rows[again]] = revision[again]
        at = at[later]
        row = rows[at]
        found.missing[at] = _missing(terms, at, state.last_end_us[row])
        state.last_time_us[row], state.last_end_us[row] = time_us[at], terms.end_us[at]
        state.last_revision[row] = revision[at]
        at = at[~np.isnan(price[at])]
        if len(at):
            _judge(found, at, rows[at], price[at], state, following)
    return found


def _missing(terms: Terms, at: Positions, last_end_us: Ints) -> Ints:
    """Count the intervals between the end of the last one and the start of this one."""
    length = np.maximum(terms.end_us[at] - terms.start_us[at], 1)
    due = terms.regular[at] & (last_end_us != NEVER_US)
    gap = np.where(due, terms.start_us[at] - np.where(due, last_end_us, 0), 0)
    missing: Ints = np.maximum(gap, 0) // length
    return missing


def _judge(
    found: Followed, at: Positions, row: Positions, price: Floats, state: SeriesState, following: Following
) -> None:
    """Judge at most one tick per series, then learn from it."""
    before, variance = state.last_price[row], state.variance[row]
    volatility = np.sqrt(variance)
    found.before[at], found.volatility[at] = before, volatility
    least = np.maximum(following.floor * np.abs(before), following.least)
    known = state.changes[row] >= following.settled
    score = anomalies.score(price, before, volatility, least)
    found.score[at] = np.where(known, score, np.nan).astype(np.float32)
    change = price - before
    unmoved = np.where(change == 0, state.unmoved[row] + 1, 0)
    found.stuck[at] = unmoved == following.unmoved
    state.unmoved[row] = unmoved
    # One spike must not blind the series to the next: a change pulls no harder than the bound of the unusual.
    bound = anomalies.UNUSUAL_Z * np.maximum(volatility, least)
    square = np.where(known, np.minimum(np.abs(change), bound), change) ** 2
    moved = ~np.isnan(change)
    learnt = np.where(np.isnan(variance), square, DECAY * variance + (1 - DECAY) * square)
    state.variance[row] = np.where(moved, learnt, variance)
    state.changes[row] += moved
    state.last_price[row] = price
