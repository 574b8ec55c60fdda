"""Judgement of readings against their own past: usual interval, profile, rarity of eleven signals, quality flag."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors import calibration, profile
from processors.clusters import QUIET_READINGS, stretch
from processors.judgement import Judgement
from processors.rounds import rounds
from processors.signals import (
    FIRST_EXCESS,
    FIRST_THRESHOLD,
    LEAST,
    NEEDS_DAY,
    SHAPE,
    SIGNALS,
    Anomaly,
    Measures,
    signals,
)
from processors.state import MeterState
from processors.tails import follow, rarity
from schemas.layout import Floats, Ints, Mask, Positions
from schemas.quality import ANOMALY, MISSING, MONITORING, WARNING
from schemas.readings import ReadingBatch

_DAY_S = 86_400.0
_SPIKE, _SWELL = SIGNALS.index(Anomaly.SPIKE), SIGNALS.index(Anomaly.SWELL)


@dataclass(frozen=True)
class Judging:
    """When a reading is unusual.

    Attributes:
        voltage_low: below this a reading is a warning [V].
        voltage_high: above this a reading is a warning [V].
        times_average: high use is an anomaly only above this many times the meter's average daily use, pro rata.
        monitoring: scores from here on are worth watching.
        warning: scores from here on are alerts, and anomalies.
        critical: scores from here on are critical alerts.
        budget: what the scale stands for: alerts of scores from 0.85 on per 10,000 healthy meters and day.
        history_s: nothing is called an anomaly before this much of a meter's past is known [s].
        memory_s: the past counts with this time constant [s].
    """

    voltage_low: float = 210.0
    voltage_high: float = 250.0
    times_average: float = 3.0
    monitoring: float = calibration.MONITORING
    warning: float = calibration.WARNING
    critical: float = calibration.CRITICAL
    budget: float = calibration.BUDGET
    history_s: float = _DAY_S
    memory_s: float = 28 * _DAY_S


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
    found = Judgement.nothing(len(batch), judging.budget)
    time_us, hour, measures = batch.time_us, profile.hour_of_week(batch.time_us), Measures.of(batch)
    for turn in rounds(rows):
        at = turn if skip is None else turn[~skip[turn]]
        at = at[time_us[at] > state.last_time_us[rows[at]]]
        found.in_order[at] = True
        regular, on_time = _follow(state, rows[at], time_us[at])
        state.last_time_us[rows[at]] = time_us[at]
        state.last_z[rows[at]] = state.last_volts_off[rows[at]] = np.nan
        known = regular & ~np.isnan(measures.energy_kwh[at])
        at, on_time = at[known], on_time[known]
        if len(at):
            found.past.note(at, state, rows[at])
            _judge_round(state, rows[at], hour[at], on_time, measures.take(at), judging, found, at)
    _flag(batch, judging, found.flag)
    return found


def _flag(batch: ReadingBatch, judging: Judging, flag: npt.NDArray[np.int8]) -> None:
    voltage = batch.floats("voltage")
    flag[((voltage < judging.voltage_low) | (voltage > judging.voltage_high)) & (flag != ANOMALY)] = WARNING
    silent = np.ones(len(batch), dtype=bool)
    for name in batch.layout.floats:
        silent &= np.isnan(batch.floats(name)) if batch.column(name).null_count else False
    flag[silent] = MISSING


def _follow(state: MeterState, row: Positions, time_us: Ints) -> tuple[Mask, Mask]:
    """Keep each meter's usual interval; return where it is known, and where the reading came one such after the last.

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
    return np.asarray(state.interval_s[row] > 0), fits & seen


def _judge_round(
    state: MeterState,
    row: Positions,
    hour: Ints,
    on_time: Mask,
    measures: Measures,
    judging: Judging,
    found: Judgement,
    at: Positions,
) -> None:
    """Judge at most one reading per meter, then learn from it."""
    interval_s = state.interval_s[row].astype(np.float64)
    power = measures.energy_kwh * 3600.0 / interval_s
    warm = state.covered_s[row] >= judging.history_s
    average = state.energy_kwh[row] * 3600.0 / np.maximum(state.covered_s[row], 1.0)
    expected, sigma = profile.expect(state, row, hour, average)
    z = (power - expected) / sigma
    found.usual_voltage[at] = state.usual_voltage[row]
    values = signals(state, row, measures, power=power, average=average, z=z, interval_s=interval_s, on_time=on_time)
    found.z[at], found.volts_off[at] = z, values[:, _SWELL]
    state.last_z[row], state.last_volts_off[row] = found.z[at], found.volts_off[at]
    rare, usual_z = _rarity(state, row, values, warm)
    known = ~np.isnan(values)
    rare[warm] = stretch(state, row[warm], rare[warm], known[warm], interval_s[warm])
    # The rarest of several signals is no rarer than their number allows (Bonferroni).
    share = np.minimum(rare.min(axis=1) * known.sum(axis=1), 1.0)
    score = np.where(warm, calibration.score_of(share, interval_s, judging.budget), np.nan).astype(np.float32)
    high = rare.argmin(axis=1) == _SPIKE
    anomalous = (score >= judging.warning) & (~high | (power > judging.times_average * average))
    found.score[at] = score
    found.severity[at] = _begins(state, row, score, anomalous, judging)
    found.flag[at[score >= judging.monitoring]] = MONITORING
    found.flag[at[anomalous]] = ANOMALY
    found.rarity[at] = np.where(warm[:, None], rare, np.nan)
    found.expected_kwh[at] = np.where(warm, expected * interval_s / 3600.0, np.nan)
    found.band_kwh[at] = np.where(warm, usual_z * sigma * interval_s / 3600.0, np.nan)
    capped = np.where(anomalous, np.minimum(power, judging.times_average * average), power)
    # What comes again and again is a habit: the profile follows it, a few sigma at a time.
    profile.learn(state, row, hour, power, expected, sigma, interval_s)
    _learn_recent(state, row, power, capped, interval_s, judging)
    _learn(state, row, capped, interval_s, average, sigma, judging)


def _rarity(state: MeterState, row: Positions, values: Floats, warm: Mask) -> tuple[Floats, Floats]:
    """Return how rare each signal is for its meter, and the deviation that 98 % stay below; learn from the signals."""
    new = np.isnan(state.tail_threshold[row, :1])
    threshold = np.where(new, FIRST_THRESHOLD, state.tail_threshold[row])
    excess = np.where(new, FIRST_EXCESS, state.tail_excess[row])
    rare = rarity(values, threshold, excess, SHAPE)
    moved = follow(values, rare, threshold, excess, LEAST, state.covered_s[row] / _DAY_S)
    teaches = warm[:, None] | ~NEEDS_DAY
    state.tail_threshold[row] = np.where(teaches, moved[0], threshold)
    state.tail_excess[row] = np.where(teaches, moved[1], excess)
    return rare, threshold[:, _SPIKE].astype(np.float64)


def _begins(
    state: MeterState, row: Positions, score: npt.NDArray[np.float32], anomalous: Mask, judging: Judging
) -> npt.NDArray[np.int8]:
    """Return the severity of what begins with each reading, 0 where nothing does, or where it is going on already."""
    severity = anomalous.astype(np.uint8) + (anomalous & (score >= judging.critical))
    before = state.episode[row]
    calm = np.where(score >= judging.monitoring, 0, np.minimum(state.calm[row] + 1, QUIET_READINGS))
    state.episode[row] = np.where(calm >= QUIET_READINGS, 0, np.maximum(before, severity))
    state.calm[row] = calm
    return np.where(severity > before, severity, 0).astype(np.int8)


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
