"""Clusters: a meter whose outliers reach further than its tails say has a longer scale."""

import numpy as np
import pyarrow as pa
import pytest

from processors.clusters import EXPECTED_REACH, QUIET_READINGS, stretch
from processors.compiled import compiled
from processors.learned import Learned, learned
from processors.signals import SIGNALS as SIGNALS_IN_ORDER
from processors.signals import Anomaly
from processors.state import MeterState

SIGNALS = len(SIGNALS_IN_ORDER)
QUARTER_S = 900.0
DAILY = QUARTER_S / 86_400.0 / SIGNALS


@pytest.fixture
def state() -> MeterState:
    found = MeterState()
    found.rows(pa.array(["M1"]))
    return found


def shares(decades: float, signal: int = 0) -> np.ndarray:
    """One reading whose signal is once in 10^decades days, all others nothing."""
    rare = np.ones((1, SIGNALS))
    rare[0, signal] = DAILY * 10.0**-decades
    return rare


@compiled
def stretched(columns: Learned, rare: np.ndarray, room: np.ndarray, interval_s: float) -> None:
    stretch(columns, 0, rare, room, len(rare), interval_s)


def seen(state: MeterState, rare: np.ndarray) -> np.ndarray:
    found = rare.copy()
    stretched(learned(state), found[0], np.empty(SIGNALS), QUARTER_S)
    return found


def quiet(state: MeterState, readings: int = QUIET_READINGS) -> None:
    for _ in range(readings):
        seen(state, np.ones((1, SIGNALS)))


def test_a_meter_as_its_tails_say_keeps_its_scale(state: MeterState) -> None:
    for decades in np.random.default_rng(1).exponential(EXPECTED_REACH, 200):
        seen(state, shares(decades))
        quiet(state)
    assert state.cluster_reach[0, 0] == pytest.approx(EXPECTED_REACH, rel=0.6)
    assert seen(state, shares(0.0)) == pytest.approx(shares(0.0))


def test_what_comes_again_and_again_becomes_less_rare_for_its_signal_and_no_other(state: MeterState) -> None:
    first = seen(state, shares(2.0))[0, 0]
    for _ in range(30):
        quiet(state)
        last = seen(state, shares(2.0))[0, 0]
    assert first == pytest.approx(DAILY / 100, rel=1e-2)
    assert last > DAILY / 4
    quiet(state)
    assert seen(state, shares(2.0, signal=3))[0, 3] == pytest.approx(DAILY / 100, rel=1e-2)


def test_a_fault_teaches_once_however_long_it_lasts(state: MeterState) -> None:
    long, short = state, MeterState()
    short.rows(pa.array(["M1"]))
    for turns, one in ((500, long), (1, short)):
        for _ in range(turns):
            seen(one, shares(9.0))
        quiet(one)
    assert long.cluster_reach[0].tolist() == short.cluster_reach[0].tolist()
    assert long.cluster_reach[0, 0] < 2 * EXPECTED_REACH


def test_nothing_becomes_rarer_and_what_is_not_rare_stays_as_it_is(state: MeterState) -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        rare = np.minimum(rng.pareto(0.7, (1, SIGNALS)) * 1e-3, 1.0)
        found = seen(state, rare.copy())
        assert (found >= rare * (1 - 1e-6)).all()
        assert np.array_equal(found[rare >= DAILY], rare[rare >= DAILY])


def test_the_state_of_things_is_no_habit_however_often_it_comes(state: MeterState) -> None:
    overheating = SIGNALS_IN_ORDER.index(Anomaly.OVERHEATING)
    for _ in range(30):
        seen(state, shares(3.0, overheating))
        quiet(state)
    assert seen(state, shares(3.0, overheating))[0, overheating] == pytest.approx(DAILY / 1000, rel=1e-2)
