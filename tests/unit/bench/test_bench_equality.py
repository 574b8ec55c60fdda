"""A run that is fast and wrong has failed, and what is wrong is said."""

import numpy as np
import pytest

from tests.bench.equality import differences
from tests.bench.spec import START_S, Load, Outcome, expected

LOAD = Load(meters=7, intervals=5, interval_s=450, per_transformer=3, bad_share=0.3)


def counted(load: Load) -> tuple[dict[str, list[int]], dict[tuple[str, int], list[float]]]:
    """The same sums, one reading at a time."""
    meters: dict[str, list[int]] = {}
    windows: dict[tuple[str, int], list[float]] = {}
    for tick in load.ticks():
        for row in np.flatnonzero(tick.good).tolist():
            energy, voltage = round(tick.energy_kwh[row] * 1e9), round(tick.voltage[row] * 1e3)
            meter = meters.setdefault(f"M{row:07d}", [0, 0, 0, 0, 0])
            # The first reading has no interval, and the second one makes the past that the third is scored by.
            scored = meter[0] >= 2
            for position, value in enumerate((1, tick.time_s, energy, voltage, scored)):
                meter[position] += value
            key = f"T{row // load.per_transformer:05d}", tick.time_s - tick.time_s % 900
            window = windows.setdefault(key, [0, 0, 0, 0, -np.inf, np.inf, -np.inf])
            for position, value in enumerate((1, energy, 1, voltage)):
                window[position] += value
            window[4] = max(window[4], tick.demand_kw[row])
            window[5] = min(window[5], tick.voltage[row])
            window[6] = max(window[6], tick.voltage[row])
    return meters, windows


def test_what_is_expected_is_what_counting_by_hand_gives() -> None:
    meters, windows = counted(LOAD)
    found = expected(LOAD)
    assert {name: list(row) for name, row in found.meters.items()} == meters
    assert {key: list(row) for key, row in found.windows.items()} == windows
    assert found.rows == sum(row[0] for row in meters.values()) < len(LOAD)
    assert min(start for _, start in found.windows) == START_S
    assert found.rejected == len(LOAD) - found.rows > 0
    assert found.newest["M0000003"] == 1_000_000 * max(tick.time_s for tick in LOAD.ticks() if tick.good[3])


def test_a_load_is_the_same_every_time() -> None:
    assert differences(expected(LOAD), expected(LOAD)) == []


@pytest.mark.parametrize("position", range(5))
def test_a_meter_that_differs_in_anything_is_named(position: int) -> None:
    wanted, found = expected(LOAD), expected(LOAD)
    row = list(found.meters["M0000003"])
    row[position] += 1
    found.meters["M0000003"] = tuple(row)
    (said,) = differences(found, wanted)
    assert "M0000003" in said


def test_a_lost_window_and_a_foreign_meter_are_named() -> None:
    wanted, found = expected(LOAD), expected(LOAD)
    del found.windows["T00001", START_S]
    found.meters["X1"] = (1, 2, 3, 4, 5)
    said = differences(found, wanted)
    assert any("T00001" in line and "None instead of" in line for line in said)
    assert any("X1" in line and "where nothing belongs" in line for line in said)


def test_a_reject_too_many_and_an_older_newest_value_are_named() -> None:
    wanted, found = expected(LOAD), expected(LOAD)
    found.rejected += 1
    found.newest["M0000003"] -= 1
    said = differences(found, wanted)
    assert len(said) == 2
    assert "newest value M0000003" in said[0]
    assert "meters.rejected" in said[1]


def test_many_differences_are_counted() -> None:
    said = differences(Outcome(), expected(LOAD))
    assert said[3] == "and 4 more meters"
