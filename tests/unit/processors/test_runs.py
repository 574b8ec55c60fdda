"""Longer runs: a machine whose every run takes a little longer is found, and a household is not."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from processors.judge import judge
from processors.judgement import Judgement
from processors.judging import Judging
from processors.runs import rarity_of_sum
from processors.signals import SIGNALS, Anomaly
from processors.state import COLUMNS, MeterState
from schemas.layout import Floats, Mask
from schemas.quality import ANOMALY
from schemas.readings import ReadingBatch
from tests.builders import MINUTE_US, START_US, batch

LONGER_RUNS = SIGNALS.index(Anomaly.LONGER_RUNS)
#: Standard deviations of a run's logarithm: a compressor's, and a household's.
MACHINE, HOUSEHOLD = 0.1, 0.9


def cycles(minutes: float, count: int, spread: float = MACHINE, seed: int = 1, pause: int = 15) -> list[float]:
    """Energy of each minute [kWh]: runs whose length scatters, each after a pause."""
    lengths = np.maximum(np.rint(minutes * np.exp(spread * np.random.default_rng(seed).normal(size=count))), 1)
    on = [0.0] * pause, 0.1 / 60
    return [energy for length in lengths.astype(int).tolist() for energy in [*on[0], *[on[1]] * length]] + [0.0]


def readings(energy: list[float], step_us: int = MINUTE_US, start_us: int = START_US) -> ReadingBatch:
    noisy = np.array(energy) * (1 + 0.01 * np.random.default_rng(2).normal(size=len(energy)))
    return batch("M1", start_us + step_us * np.arange(len(energy), dtype=np.int64), consumption_kwh=noisy)


def judged(found: ReadingBatch, state: MeterState | None = None) -> Judgement:
    state = MeterState() if state is None else state
    return judge(found, state.rows(found.meter_number), state, Judging())


def of_runs(found: Judgement, flag: bool = True) -> Mask:
    """Return which readings are unusual for their longer runs."""
    rare = np.nan_to_num(found.rarity, nan=1.0)
    return np.asarray((rare.argmin(axis=1) == LONGER_RUNS) & ((found.flag == ANOMALY) | (not flag)) & (rare.min(1) < 1))


HEALTHY, BROKEN = cycles(12, 400), cycles(12 * 1.25, 150, seed=3)


@cache
def broken() -> tuple[Judgement, Floats]:
    found = readings(HEALTHY + BROKEN)
    return judged(found), np.array(HEALTHY + BROKEN)


def test_a_machine_whose_runs_become_longer_is_found_at_the_ends_of_its_runs_within_two_days() -> None:
    found, energy = broken()
    at = np.flatnonzero(of_runs(found))
    assert len(at) > 50, "most runs of the second half"
    assert at.min() > len(HEALTHY), "and none before"
    assert at.min() < len(HEALTHY) + 2 * 1_440
    assert (energy[at] == 0).all()
    assert (energy[at - 1] > 0).all()


def test_it_is_told_once_and_once_more_when_it_is_critical() -> None:
    found, _ = broken()
    assert found.severity[of_runs(found)].nonzero()[0].size <= 2
    assert found.severity[of_runs(found)][0] == 1


def test_healthy_runs_are_not_longer_however_many_there_are() -> None:
    found = judged(readings(cycles(12, 3_000, seed=9)))
    assert not of_runs(found).any()


@pytest.mark.parametrize(
    ("minutes", "spread", "pause"),
    [(12, HOUSEHOLD, 15), (3, MACHINE, 15), (300, MACHINE, 300)],
    ids=["a household's differ", "too short to be known", "a matter of seasons"],
)
def test_runs_that_say_nothing_are_no_signal_however_much_longer_they_become(
    minutes: float, spread: float, pause: int
) -> None:
    longer = cycles(minutes, 200, spread, pause=pause) + cycles(minutes * 1.25, 60, spread, seed=3, pause=pause)
    assert not of_runs(judged(readings(longer)), flag=False).any()


def test_after_a_repair_all_is_well_and_the_next_fault_is_told_anew() -> None:
    state = MeterState()
    first = judged(readings(HEALTHY + BROKEN + cycles(12, 300, seed=4)), state)
    assert state.run_sum[0] < 8
    assert state.run_told[0] == 0
    assert not of_runs(first)[-2_000:].any()
    start_us = int(state.last_time_us[0]) + MINUTE_US
    again = judged(readings(BROKEN, start_us=start_us), state)
    assert again.severity[of_runs(again)].max() > 0


def test_of_a_run_that_ends_in_a_gap_nobody_knows_how_long_it_was() -> None:
    state = MeterState()
    judged(readings(HEALTHY + [0.1 / 60] * 5), state)
    before = (state.run_count[0], state.run_log[0])
    later = int(state.last_time_us[0]) + 60 * MINUTE_US
    judged(readings([0.0] * 5, start_us=later), state)
    assert (state.run_count[0], state.run_log[0]) == before


def test_the_usual_run_is_its_mean_length_whatever_the_interval_becomes() -> None:
    state = MeterState()
    judged(readings(HEALTHY), state)
    assert np.exp(state.run_log[0]) == pytest.approx(12 * 60, rel=0.03)
    assert 1.2533 * state.run_spread[0] == pytest.approx(MACHINE, rel=0.3)
    half_minutes = [energy / 2 for energy in cycles(12, 400, seed=5) for _ in range(2)]
    found = judged(readings(half_minutes, MINUTE_US // 2, int(state.last_time_us[0]) + MINUTE_US), state)
    assert not of_runs(found).any()


def test_cuts_do_not_show() -> None:
    found, whole, parts = readings(HEALTHY + BROKEN), MeterState(), MeterState()
    judged(found, whole)
    edges = [0, *np.sort(np.random.default_rng(4).choice(len(found), 60, replace=False)).tolist(), len(found)]
    said = [judged(found.slice(a, b - a), parts) for a, b in pairwise(edges)]
    assert np.concatenate([one.score for one in said]).tobytes() == broken()[0].score.tobytes()
    for name in COLUMNS:
        assert getattr(parts, name)[:1].tobytes() == getattr(whole, name)[:1].tobytes(), name


def test_a_sum_is_as_rare_as_it_is_where_nothing_is_wrong() -> None:
    height, steps = 5.0, np.random.default_rng(6).normal(size=1_000_000) - 0.25
    reached, total = 0, 0.0
    for step in steps.tolist():
        total = max(total + step, 0.0)
        if total >= height:
            reached, total = reached + 1, 0.0
    # Every run is followed by a pause: two readings at least.
    assert rarity_of_sum(height, 2.0) == pytest.approx(reached / len(steps) / 2, rel=0.1)


def test_the_higher_a_sum_the_rarer_and_the_longer_a_run_the_fewer_of_its_readings_show_it() -> None:
    share = [rarity_of_sum(height, 10.0) for height in (0.5, 5.0, 20.0, 27.0)]
    assert share == sorted(share, reverse=True)
    assert 0 < share[-1] < 1e-7
    assert rarity_of_sum(20.0, 30.0) == pytest.approx(rarity_of_sum(20.0, 10.0) / 3)
