"""Each tick against its own series: order, revisions, gaps, a price that stands still, a change that is unusual."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.market import anomalies, depth, slips
from processors.market.depth import sidedness
from processors.market.extremes import extreme, is_event, learn
from processors.market.price import price_of
from processors.market.series import SeriesState
from processors.market.terms import Terms, is_one_of
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
        unmoved: a feed is taken for stuck after this many ticks in a row with exactly the same price,
        longer: and after this many times as long as the price has stood still before.
    """

    settled: int = 12
    floor: float = 0.01
    least: float = 0.01
    unmoved: int = 12
    longer: float = 2.0


#: How much of the longest rest is left with each price that moves.
FADING = 0.995
#: A trade that stands alone is followed by one that has gone back by all but this share of the jump.
_BACK_WITHIN = 0.2
_MASKS = (
    "in_order",
    "newest",
    "behind",
    "stuck",
    "extreme",
    "extreme_begins",
    "jump",
    "sided_begins",
    "slipped",
    "lone",
)


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
        extreme: bool[n], the price is near what the market allows, and far from the usual.
        extreme_begins: bool[n], and the price before was not.
        jump: bool[n], the price has changed by far more than usual.
        sided_begins: bool[n], one side of the book is far deeper than usual, and was not before.
        slipped: bool[n], the tick with which a price has stayed at a power of ten of what it was for long enough.
        slip_base: float64[n], the price before that [currency/unit], NaN elsewhere.
        lone: bool[n], a trade at the price of before one that jumped: nobody else has traded there.
        lone_base: float64[n], that price [currency/unit], NaN elsewhere.
        usual: float64[n], usual size of its series' price then [currency/unit], NaN where unknown.
        rested: int64[n], ticks for which the price had stood still.
        gap_s: float64[n], time since the tick before [s], NaN for the first of a series.
        score: float32[n], 0 to 1, higher is more unusual; NaN where there is nothing to judge by.
    """

    in_order: Mask
    newest: Mask
    behind: Mask
    missing: Ints
    stuck: Mask
    before: Floats
    volatility: Floats
    extreme: Mask
    extreme_begins: Mask
    jump: Mask
    sided_begins: Mask
    slipped: Mask
    slip_base: Floats
    lone: Mask
    lone_base: Floats
    usual: Floats
    rested: Ints
    gap_s: Floats
    score: npt.NDArray[np.float32]

    @classmethod
    def nothing(cls, count: int) -> "Followed":
        """Return what is known before anything was looked at, to be filled in."""
        return cls(
            **{name: np.zeros(count, dtype=bool) for name in _MASKS},
            missing=np.zeros(count, dtype=np.int64),
            rested=np.zeros(count, dtype=np.int64),
            before=np.full(count, np.nan),
            volatility=np.full(count, np.nan),
            slip_base=np.full(count, np.nan),
            lone_base=np.full(count, np.nan),
            usual=np.full(count, np.nan),
            gap_s=np.full(count, np.nan),
            score=np.full(count, np.nan, dtype=np.float32),
        )


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
    revision, near, sided = batch.revisions, extreme(price, terms), sidedness(batch)
    trade = is_one_of(batch.column("kind"), ("trade",))
    for turn in rounds(rows):
        at = turn if skip is None else turn[~skip[turn]]
        row = rows[at]
        later, same = time_us[at] > state.last_time_us[row], time_us[at] == state.last_time_us[row]
        higher = revision[at] > state.last_revision[row]
        found.in_order[at] = later
        found.newest[at] = later | (same & higher)
        found.behind[at] = same & (revision[at] < state.last_revision[row])
        found.extreme[at], found.extreme_begins[at] = is_event(near[at], price[at], row, state)
        again = at[same & higher]
        state.last_revision[rows[again]] = revision[again]
        at = at[later]
        row = rows[at]
        last_us = state.last_time_us[row]
        found.gap_s[at] = np.where(last_us == NEVER_US, np.nan, (time_us[at] - last_us) / 1e6)
        found.missing[at] = _missing(terms, at, state.last_end_us[row])
        state.last_time_us[row], state.last_end_us[row] = time_us[at], terms.end_us[at]
        state.last_revision[row] = revision[at]
        priced = at[~np.isnan(price[at])]
        if len(priced):
            _judge(found, priced, rows[priced], price[priced], trade[priced], state, following)
            learn(found.extreme[priced], price[priced], rows[priced], state)
        quoted = at[~np.isnan(sided[at])]
        if len(quoted):
            _judge_depth(found, quoted, rows[quoted], sided[quoted], state)
    return found


def _missing(terms: Terms, at: Positions, last_end_us: Ints) -> Ints:
    """Count the intervals between the end of the last one and the start of this one."""
    length = np.maximum(terms.end_us[at] - terms.start_us[at], 1)
    due = terms.regular[at] & (last_end_us != NEVER_US)
    gap = np.where(due, terms.start_us[at] - np.where(due, last_end_us, 0), 0)
    missing: Ints = np.maximum(gap, 0) // length
    return missing


def _judge(
    found: Followed,
    at: Positions,
    row: Positions,
    price: Floats,
    trade: Mask,
    state: SeriesState,
    following: Following,
) -> None:
    """Judge at most one tick per series, then learn from it."""
    before, variance = state.last_price[row], state.variance[row]
    volatility = np.sqrt(variance)
    found.before[at], found.volatility[at] = before, volatility
    found.usual[at] = np.where(state.changes[row] > 0, state.level[row], np.nan)
    found.rested[at] = state.unmoved[row]
    back = slips.returns(price, row, state)
    found.slipped[at], base = slips.slipped(price, row, state)
    found.slip_base[at] = np.where(found.slipped[at], base, np.nan)
    least = np.maximum(following.floor * np.abs(before), following.least)
    known = state.changes[row] >= following.settled
    score = np.where(known, anomalies.score(price, before, volatility, least, state.unusual_z[row]), np.nan)
    base = state.jump_base[row]
    found.lone[at] = lone = trade & (np.abs(price - base) <= _BACK_WITHIN * np.abs(before - base))
    found.lone_base[at] = np.where(lone, base, np.nan)
    # Back from a slip that was told, or from a trade that stands alone, is back to the usual.
    score = np.where(back | lone, 0.0, score)
    found.score[at], found.jump[at] = score.astype(np.float32), anomalies.unusual(score)
    state.jump_base[row] = np.where(found.jump[at], before, np.nan)
    state.unusual_z[row] = anomalies.next_bound(state.unusual_z[row], score)
    change = price - before
    _judge_rest(found, at, row, change == 0, state, following)
    # One spike must not blind the series to the next: a change pulls no harder than the bound of the unusual.
    bound = anomalies.UNUSUAL_Z * np.maximum(volatility, least)
    square = np.where(known, np.minimum(np.abs(change), bound), change) ** 2
    moved = ~np.isnan(change)
    learnt = np.where(np.isnan(variance), square, DECAY * variance + (1 - DECAY) * square)
    state.variance[row] = np.where(moved, learnt, variance)
    state.changes[row] += moved
    state.last_price[row] = price


def _judge_rest(
    found: Followed, at: Positions, row: Positions, still: Mask, state: SeriesState, following: Following
) -> None:
    """Tell prices that have stood still for too long, once; some markets' prices rest for hours as a rule."""
    before, unmoved = state.unmoved[row], np.where(still, state.unmoved[row] + 1, 0)
    patience = np.maximum(following.unmoved, np.ceil(following.longer * state.longest_run[row]))
    found.stuck[at] = still & (unmoved == patience)
    # What was stuck is no rest of the market's own, and teaches no more than the patience it has tried.
    ended = np.minimum(before, patience)
    state.longest_run[row] = np.where(still, state.longest_run[row], np.maximum(ended, FADING * state.longest_run[row]))
    state.unmoved[row] = unmoved


def _judge_depth(found: Followed, at: Positions, row: Positions, sided: Floats, state: SeriesState) -> None:
    """Judge at most one book per series; the higher of the two scores counts."""
    score = depth.judge(sided, row, state)
    unusual = anomalies.unusual(score)
    found.sided_begins[at] = unusual & ~state.was_sided[row]
    state.was_sided[row] = unusual
    found.score[at] = np.fmax(found.score[at], score.astype(np.float32))
