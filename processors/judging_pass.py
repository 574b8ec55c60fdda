"""The pass that judges readings one after another: usual interval, profile, rarity of twelve signals, what begins."""

import math
from typing import NamedTuple

import numpy as np

from processors import profile
from processors.calibration import BUDGET, LEAST_SHARE, LOG_DAYS, SCORES
from processors.clusters import QUIET_READINGS, stretch
from processors.compiled import compiled, own, part
from processors.hours import hour_of_week
from processors.judgement import Found, Judgement
from processors.judging import Bounds
from processors.learned import Learned, learned
from processors.runs import rarity_of_sum
from processors.signal_pass import Measures, signals
from processors.signals import (
    FIRST_EXCESS,
    FIRST_THRESHOLD,
    LEAST,
    NEEDS_DAY,
    SHAPE,
    SIGNALS,
    Anomaly,
)
from processors.state import NEVER_US, TAILS, MeterState
from processors.tails import follow, pace, rarity
from schemas.layout import Floats, Ints, Mask, Positions
from schemas.quality import ANOMALY, MONITORING
from schemas.readings import ReadingBatch

_COUNT = len(SIGNALS)
_SPIKE, _SWELL = SIGNALS.index(Anomaly.SPIKE), SIGNALS.index(Anomaly.SWELL)
_LONGER_RUNS = SIGNALS.index(Anomaly.LONGER_RUNS)
_LEAST_THRESHOLD, _LEAST_EXCESS = LEAST
_DAY_S = 86_400.0
_ANOMALY, _MONITORING = int(ANOMALY), int(MONITORING)


class Moments(NamedTuple):
    """When readings were taken.

    Attributes:
        time_us: int64[n], reading time [us].
        hour: int64[n], hour of the week.
        skip: bool[n], readings that the state has already seen.
    """

    time_us: Ints
    hour: Ints
    skip: Mask


def judge_batch(
    batch: ReadingBatch, rows: Positions, state: MeterState, bounds: Bounds, found: Judgement, skip: Mask | None
) -> None:
    """Judge a batch; see `judge.judge`, which says what the arguments are."""
    seen = np.zeros(len(batch), dtype=bool) if skip is None else skip
    moments = Moments(own(batch.time_us), hour_of_week(batch.time_us), own(seen))
    room = np.empty((3, _COUNT))
    judge_all(learned(state), own(rows), moments, Measures.of(batch), bounds, found.columns, room)


@compiled
def judge_all(
    learned: Learned, rows: Positions, moments: Moments, measures: Measures, bounds: Bounds, found: Found, room: Floats
) -> None:  # pragma: no cover - runs compiled
    """Judge readings in their order, and learn from each before the next one.

    Args:
        learned: of the partition's meters; changed in place.
        rows: intp[n], row of each reading's meter.
        moments: when they were taken.
        measures: what they measured.
        bounds: when a reading is unusual.
        found: what is said of each; filled in.
        room: float64[3, 12], to work in.
    """
    values, rare, decades = room[0], room[1], room[2]
    for at in range(len(rows)):
        row, time_us = rows[at], moments.time_us[at]
        if moments.skip[at] or time_us <= learned.last_time_us[row]:
            continue
        found.in_order[at] = True
        on_time = _keep_interval(learned, row, time_us)
        learned.last_time_us[row] = time_us
        learned.last_z[row] = learned.last_volts_off[row] = np.nan
        if learned.interval_s[row] > 0 and not np.isnan(measures.energy_kwh[at]):
            _note(learned, row, found, at)
            _judge(learned, row, moments.hour[at], measures, at, on_time, bounds, found, values, rare, decades)


@part
def _keep_interval(learned: Learned, row: int, time_us: int) -> bool:  # pragma: no cover
    """Keep a meter's usual interval; return whether the reading came one such after the last.

    One odd gap (a lost or an extra reading) changes nothing; three in a row are a new interval.
    """
    last_us, usual = learned.last_time_us[row], learned.interval_s[row]
    if last_us == NEVER_US:
        return False
    gap = np.float32((time_us - last_us) / 1e6)
    if abs(gap - usual) <= np.float32(0.25) * usual:
        learned.interval_s[row], learned.misfits[row] = usual + (gap - usual) * np.float32(0.125), 0
        return True
    learned.misfits[row] = min(learned.misfits[row] + 1, 3)
    if usual == 0 or learned.misfits[row] == 3:
        learned.interval_s[row], learned.misfits[row] = gap, 0
    return False


@part
def _note(learned: Learned, row: int, found: Found, at: int) -> None:  # pragma: no cover
    """Note what is known of a meter before a reading of it teaches."""
    found.interval_s[at], found.covered_s[at] = learned.interval_s[row], learned.covered_s[row]
    found.last_kw[at], found.day_mean_kw[at] = learned.last_kw[row], learned.day_mean_kw[row]
    found.peak_kw[at], found.meter_class[at] = learned.peak_kw[row], learned.vee_class[row]
    found.usual_voltage[at] = learned.usual_voltage[row]


@part
def _judge(
    learned: Learned,
    row: int,
    hour: int,
    measures: Measures,
    at: int,
    on_time: bool,
    bounds: Bounds,
    found: Found,
    values: Floats,
    rare: Floats,
    decades: Floats,
) -> None:  # pragma: no cover
    interval_s, covered_s = float(learned.interval_s[row]), learned.covered_s[row]
    hours = interval_s / 3_600.0
    power, average = measures.energy_kwh[at] / hours, learned.energy_kwh[row] * 3_600.0 / max(covered_s, 1.0)
    warm = covered_s >= bounds.history_s
    expected, sigma = profile.expect(learned, row, hour, average)
    z = (power - expected) / sigma
    signals(learned, row, measures, at, power, average, z, interval_s, on_time, values)
    found.z[at], found.volts_off[at] = z, values[_SWELL]
    learned.last_z[row], learned.last_volts_off[row] = z, values[_SWELL]
    known, usual_z = _weigh(learned, row, values, warm, rare)
    score, anomalous, of_runs = np.float32(np.nan), False, False
    if warm:
        stretch(learned, row, rare, decades, known, interval_s)
        # The rarest of several signals is no rarer than their number allows (Bonferroni).
        rarest = rare.argmin()
        score = np.float32(_score_of(min(rare[rarest] * known, 1.0), interval_s, bounds.budget))
        high = power > bounds.times_average * average
        anomalous = bool(score >= np.float32(bounds.warning) and (rarest != _SPIKE or high))
        of_runs = anomalous and rarest == _LONGER_RUNS
        for signal in range(_COUNT):
            found.rarity[at, signal] = rare[signal]
        found.expected_kwh[at], found.band_kwh[at] = expected * hours, usual_z * sigma * hours
    found.score[at] = score
    found.severity[at] = _begins(learned, row, float(score), anomalous, of_runs, bounds)
    if anomalous:
        found.flag[at] = _ANOMALY
    elif score >= np.float32(bounds.monitoring):
        found.flag[at] = _MONITORING
    capped = min(power, bounds.times_average * average) if anomalous else power
    # What comes again and again is a habit: the profile follows it, a few sigma at a time.
    profile.learn(learned, row, hour, power, expected, sigma, interval_s)
    _learn_recent(learned, row, power, capped, interval_s, bounds.memory_s)
    _learn(learned, row, capped, interval_s, average, sigma, bounds.memory_s)


@part
def _weigh(
    learned: Learned, row: int, values: Floats, warm: bool, rare: Floats
) -> tuple[int, float]:  # pragma: no cover
    """Work out how rare each signal is for its meter, and learn from it.

    Returns: how many signals there are, and the deviation that 98 % stay below [standard deviations].
    """
    step, weight = pace(learned.covered_s[row] / _DAY_S)
    new, known, usual_z = np.isnan(learned.tail_threshold[row, 0]), 0, 0.0
    for signal in range(TAILS):
        threshold = float(FIRST_THRESHOLD[signal] if new else learned.tail_threshold[row, signal])
        excess = float(FIRST_EXCESS[signal] if new else learned.tail_excess[row, signal])
        value = values[signal]
        known += not np.isnan(value)
        rare[signal] = rarity(value, threshold, excess, float(SHAPE[signal]))
        if signal == _SPIKE:
            usual_z = threshold
        if warm or not NEEDS_DAY[signal]:
            threshold, excess = follow(value, rare[signal], threshold, excess, step, weight)
            threshold, excess = max(threshold, _LEAST_THRESHOLD[signal]), max(excess, _LEAST_EXCESS[signal])
        learned.tail_threshold[row, signal], learned.tail_excess[row, signal] = threshold, excess
    height = values[_LONGER_RUNS]
    known += not np.isnan(height)
    rare[_LONGER_RUNS] = 1.0
    if height > 0.0:
        rare[_LONGER_RUNS] = rarity_of_sum(height, math.exp(learned.run_log[row]) / learned.interval_s[row] + 1.0)
    return known, usual_z


@part
def _score_of(share: float, interval_s: float, budget: float) -> float:  # pragma: no cover
    """Return the score of a share, as `calibration.score_of` does of many."""
    if share >= 1.0:
        return 0.0
    days = interval_s / _DAY_S / max(share, LEAST_SHARE) * (budget / BUDGET)
    at, step = math.log10(days), 0
    if at <= LOG_DAYS[0]:
        return 0.0
    while step < len(LOG_DAYS) - 2 and at >= LOG_DAYS[step + 1]:
        step += 1
    rise = (SCORES[step + 1] - SCORES[step]) / (LOG_DAYS[step + 1] - LOG_DAYS[step])
    return float(min(SCORES[step] + rise * (at - LOG_DAYS[step]), 1.0))


@part
def _begins(
    learned: Learned, row: int, score: float, anomalous: bool, of_runs: bool, bounds: Bounds
) -> int:  # pragma: no cover
    """Return the severity of what begins with a reading, 0 where nothing does, or where it is going on already."""
    before, severity = learned.episode[row], 0
    if anomalous:
        severity = 2 if score >= np.float32(bounds.critical) else 1
    if of_runs:  # which go on from one run to the next, however long the pause
        before = max(before, learned.run_told[row])
        learned.run_told[row] = max(learned.run_told[row], severity)
    quiet = not score >= np.float32(bounds.monitoring)
    learned.calm[row] = min(learned.calm[row] + 1, QUIET_READINGS) if quiet else 0
    learned.episode[row] = 0 if learned.calm[row] >= QUIET_READINGS else max(before, severity)
    return severity if severity > before else 0


@part
def _learn_recent(
    learned: Learned, row: int, power: float, capped: float, interval_s: float, memory_s: float
) -> None:  # pragma: no cover
    """Keep the newest power, the mean of about a day and the highest power, which fades as the past does."""
    covered_s, mean, peak = learned.covered_s[row], capped, capped
    if covered_s > 0:
        mean = float(learned.day_mean_kw[row])
        peak = learned.peak_kw[row] * max(1.0 - interval_s / memory_s, 0.0)
    weight = interval_s / min(covered_s + interval_s, max(_DAY_S, interval_s))
    learned.day_mean_kw[row] = mean + weight * (capped - mean)
    learned.peak_kw[row] = max(peak, capped)
    learned.last_kw[row] = power


@part
def _learn(
    learned: Learned, row: int, power: float, interval_s: float, average: float, sigma: float, memory_s: float
) -> None:  # pragma: no cover
    """Move average and spread towards a reading; far deviations pull no harder than 3 sigma."""
    covered_s, keep = learned.covered_s[row], max(1.0 - interval_s / memory_s, 0.0)
    deviation = min(max(power - average, -3 * sigma), 3 * sigma) if covered_s > 0 else 0.0
    weight = max(interval_s / (covered_s + interval_s), interval_s / memory_s)
    learned.spread_kw[row] += weight * (abs(deviation) - learned.spread_kw[row])
    learned.energy_kwh[row] = keep * learned.energy_kwh[row] + power * interval_s / 3_600.0
    learned.covered_s[row] = keep * covered_s + interval_s
