"""Judgement of readings against their own past: usual interval, seasonal profile, robust score, quality flag."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.rounds import rounds
from processors.state import SLOTS, MeterState
from schemas.layout import Floats, Ints, Mask, Positions
from schemas.quality import ANOMALY, MISSING, NORMAL, WARNING
from schemas.readings import ReadingBatch

_DAY_S = 86_400.0
_HOUR_US = 3_600_000_000
#: Mean absolute deviation to standard deviation of a normal distribution: sqrt(pi / 2).
_SIGMA_PER_SPREAD = 1.2533
#: Readings in a slot of the week after which its own spread is trusted.
_SETTLED = 3


@dataclass(frozen=True)
class Judging:
    """When a reading is unusual.

    Attributes:
        voltage_low: below this a reading is a warning [V].
        voltage_high: above this a reading is a warning [V].
        times_average: an anomaly uses more than this many times the meter's average daily use, pro rata.
        unusual_z: and is at least this many robust standard deviations above its slot of the week; 3.5 is the
            outlier bound for modified z-scores of Iglewicz and Hoaglin (1993), so that a routine evening peak
            of a short interval is not an anomaly.
        history_s: nothing is called an anomaly before this much of a meter's past is known [s].
        memory_s: the past counts with this time constant [s].
    """

    voltage_low: float = 210.0
    voltage_high: float = 250.0
    times_average: float = 3.0
    unusual_z: float = 3.5
    history_s: float = _DAY_S
    memory_s: float = 28 * _DAY_S


@dataclass(frozen=True)
class Past:
    """What was known of each reading's meter before it came, one value per reading; NaN where nothing was.

    Attributes:
        interval_s: float32[n], the meter's usual interval [s].
        last_kw: float32[n], mean power of the interval before [kW].
        day_mean_kw: float32[n], mean power over about a day [kW].
        peak_kw: float32[n], highest mean power of an interval [kW].
    """

    interval_s: npt.NDArray[np.float32]
    last_kw: npt.NDArray[np.float32]
    day_mean_kw: npt.NDArray[np.float32]
    peak_kw: npt.NDArray[np.float32]

    @classmethod
    def unknown(cls, count: int) -> "Past":
        """Return the past of meters of which nothing is known, to be filled in."""
        return cls(*(np.full(count, np.nan, dtype=np.float32) for _ in range(4)))

    def note(self, at: Positions, state: MeterState, row: Positions) -> None:
        """Fill in what the state says of some readings' meters."""
        self.interval_s[at], self.last_kw[at] = state.interval_s[row], state.last_kw[row]
        self.day_mean_kw[at], self.peak_kw[at] = state.day_mean_kw[row], state.peak_kw[row]


@dataclass(frozen=True)
class Judgement:
    """What was found, one value per reading.

    Attributes:
        flag: int8[n], code of a `QualityFlag`.
        score: float32[n], 0 to 1, higher is more unusual; NaN where there is nothing to judge by.
        expected_kwh: float64[n], what the meter usually uses at this time of the week [kWh]; NaN where unknown.
        in_order: bool[n], false for readings that are not newer than the newest already seen of their meter.
        past: what was known before.
    """

    flag: npt.NDArray[np.int8]
    score: npt.NDArray[np.float32]
    expected_kwh: Floats
    in_order: Mask
    past: Past


def judge(
    batch: ReadingBatch, rows: Positions, state: MeterState, judging: Judging, skip: Mask | None = None
) -> Judgement:
    """Flag and score readings, and let the state learn from them.

    A reading that is not newer than its meter's newest is stored and counted but neither judged nor learned
    from: its place in the past is already taken.

    Args:
        batch: n valid readings, in the order of their partition.
        rows: intp[n], state row of each reading's meter.
        state: the partition's state; changed in place.
        judging: bounds.
        skip: bool[n], readings that the state has already seen (replay after a crash).

    Returns: flags, scores and expectations; they do not depend on how the stream was cut into batches.
    """
    n = len(batch)
    energy, time_us = batch.floats("consumption_kwh"), batch.time_us
    score = np.full(n, np.nan, dtype=np.float32)
    expected = np.full(n, np.nan)
    anomalous, in_order = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    past = Past.unknown(n)
    slot = slot_of(time_us)
    for turn in rounds(rows):
        at = turn if skip is None else turn[~skip[turn]]
        at = at[time_us[at] > state.last_time_us[rows[at]]]
        in_order[at] = True
        measured = _follow(state, rows[at], time_us[at]) & ~np.isnan(energy[at])
        state.last_time_us[rows[at]] = time_us[at]
        at = at[measured]
        if len(at):
            past.note(at, state, rows[at])
            outcome = _judge_round(state, rows[at], slot[at], energy[at], judging)
            score[at], expected[at], anomalous[at] = outcome
    return Judgement(_flags(batch, anomalous, judging), score, expected, in_order, past)


def slot_of(time_us: Ints) -> npt.NDArray[np.int64]:
    """Return the slot of the week: hour of the UTC day, plus 24 at weekends."""
    hours = time_us // _HOUR_US
    weekday = (hours // 24 + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    slots: npt.NDArray[np.int64] = hours % 24 + 24 * (weekday >= 5)
    return slots


def _flags(batch: ReadingBatch, anomalous: Mask, judging: Judging) -> npt.NDArray[np.int8]:
    voltage = batch.floats("voltage")
    flag = np.full(len(batch), NORMAL, dtype=np.int8)
    flag[(voltage < judging.voltage_low) | (voltage > judging.voltage_high)] = WARNING
    flag[anomalous] = ANOMALY
    silent = np.ones(len(batch), dtype=bool)
    for name in batch.layout.floats:
        silent &= np.isnan(batch.floats(name)) if batch.column(name).null_count else False
    flag[silent] = MISSING
    return flag


def _follow(state: MeterState, row: Positions, time_us: Ints) -> Mask:
    """Keep each meter's usual interval; return where it is known.

    One odd gap (a lost or an extra reading) changes nothing; three in a row are a new interval.
    """
    last = state.last_time_us[row]
    seen = last != np.iinfo(np.int64).min
    gap = np.where(seen, (time_us - np.where(seen, last, time_us)) / 1e6, 0.0).astype(np.float32)
    usual, misfits = state.interval_s[row], state.misfits[row]
    fits = np.abs(gap - usual) <= 0.25 * usual
    misfits = np.where(fits, 0, np.minimum(misfits + seen, 3)).astype(np.uint8)
    renew = seen & ~fits & ((usual == 0) | (misfits == 3))
    state.interval_s[row] = np.where(
        renew, gap, np.where(fits & seen, usual + (gap - usual) * np.float32(0.125), usual)
    )
    state.misfits[row] = np.where(renew, 0, misfits)
    return np.asarray(state.interval_s[row] > 0)


def _judge_round(
    state: MeterState, row: Positions, slot: npt.NDArray[np.int64], energy: Floats, judging: Judging
) -> tuple[Floats, Floats, Mask]:
    """Judge at most one reading per meter, then learn from it."""
    interval_s = state.interval_s[row].astype(np.float64)
    power = energy * 3600.0 / interval_s
    covered = state.covered_s[row]
    average = state.energy_kwh[row] * 3600.0 / np.maximum(covered, 1.0)
    expected, spread = _usual(state, row, slot, average)
    # The floor keeps an almost constant load from calling every flicker unusual: 5 % of the average, and 1 W.
    sigma = _SIGMA_PER_SPREAD * spread + 0.05 * average + 0.001
    z = (power - expected) / sigma
    warm = covered >= judging.history_s
    anomalous = warm & (power > judging.times_average * average) & (z >= judging.unusual_z)
    squared = z * z
    score = np.where(warm, squared / (squared + judging.unusual_z**2), np.nan)
    capped = np.where(anomalous, judging.times_average * average, power)
    _learn_recent(state, row, power, capped, interval_s, judging)
    _learn(state, row, capped, interval_s, average, sigma, judging)
    # What comes again and again is a habit: its slot follows it, a few sigma at a time.
    _learn_slot(state, row, slot, np.where(anomalous, np.minimum(power, expected + 3 * sigma), power), sigma)
    return score, np.where(warm, expected * interval_s / 3600.0, np.nan), anomalous


def _usual(
    state: MeterState, row: Positions, slot: npt.NDArray[np.int64], average: Floats
) -> tuple[Floats, npt.NDArray[np.float32]]:
    """Return mean and spread of power in a slot of the week; what is not known of it comes from wider ones.

    A slot never seen borrows from the same hour of the other kind of day: the first Saturday evening is an evening.
    """
    look = np.where(state.slot_count[row, slot] > 0, slot, (slot + SLOTS // 2) % SLOTS)
    expected = np.where(state.slot_count[row, look] > 0, state.slot_mean_kw[row, look], average)
    own = state.slot_spread_kw[row, look]
    settled = (look == slot) & (state.slot_count[row, slot] >= _SETTLED)
    return expected, np.where(settled, own, np.maximum(own, state.spread_kw[row]))


def _learn_recent(
    state: MeterState, row: Positions, power: Floats, capped: Floats, interval_s: Floats, judging: Judging
) -> None:
    """Keep the newest power, the mean of about a day and the highest power, which fades as the past does."""
    known = state.covered_s[row] > 0
    weight = interval_s / np.clip(state.covered_s[row] + interval_s, interval_s, np.maximum(_DAY_S, interval_s))
    mean = np.where(known, state.day_mean_kw[row], capped)
    state.day_mean_kw[row] = mean + weight * (capped - mean)
    peak = np.where(known, state.peak_kw[row] * np.maximum(1.0 - interval_s / judging.memory_s, 0.0), capped)
    state.peak_kw[row] = np.maximum(peak, capped)
    state.last_kw[row] = power


def _learn(
    state: MeterState,
    row: Positions,
    power: Floats,
    interval_s: Floats,
    average: Floats,
    sigma: Floats,
    judging: Judging,
) -> None:
    """Move average and spread towards one reading per meter; far deviations pull no harder than 3 sigma."""
    keep = np.maximum(1.0 - interval_s / judging.memory_s, 0.0)
    known = state.covered_s[row] > 0
    deviation = np.where(known, np.clip(power - average, -3 * sigma, 3 * sigma), 0.0)
    weight = np.maximum(interval_s / (state.covered_s[row] + interval_s), interval_s / judging.memory_s)
    state.spread_kw[row] += (weight * (np.abs(deviation) - state.spread_kw[row])).astype(np.float32)
    state.energy_kwh[row] = keep * state.energy_kwh[row] + power * interval_s / 3600.0
    state.covered_s[row] = keep * state.covered_s[row] + interval_s


def _learn_slot(state: MeterState, row: Positions, slot: npt.NDArray[np.int64], power: Floats, sigma: Floats) -> None:
    """Move a slot's mean and spread towards one reading per meter, once settled by no more than 3 sigma."""
    count = state.slot_count[row, slot]
    mean = state.slot_mean_kw[row, slot].astype(np.float64)
    bound = np.where(count >= _SETTLED, 3 * sigma, np.inf)
    offset = np.clip(power - mean, -bound, bound)
    rate = np.maximum(1.0 / (count + 1.0), 0.05)
    state.slot_mean_kw[row, slot] = mean + rate * offset
    spread = state.slot_spread_kw[row, slot].astype(np.float64)
    state.slot_spread_kw[row, slot] = np.where(
        count == 0, state.spread_kw[row], spread + rate * (np.abs(offset) - spread)
    )
    state.slot_count[row, slot] = np.minimum(count, 254) + 1
