"""Weather and sun are plausible, and the same whenever they are asked for."""

from datetime import UTC, datetime

import numpy as np
import pytest

from simulators.grid import Grid
from simulators.local_time import DAY_S, day_of
from simulators.regions import REGIONS
from simulators.solar import Solar, clear_sky
from simulators.weather import Weather

WEATHER = Weather(7)
YEAR = np.arange(5_479, 5_844, 1 / 24) * DAY_S


def test_temperatures_follow_the_climate_of_their_region() -> None:
    temperature = WEATHER.temperature_c(YEAR)
    assert np.abs(temperature.mean(axis=0) - [region.mean_c for region in REGIONS]).max() < 1.5
    assert temperature.min() > -28
    assert temperature.max() < 44
    july, january = temperature[181 * 24 : 212 * 24].mean(), temperature[: 31 * 24].mean()
    assert 13 < july - january < 25


def test_weather_is_a_function_of_time() -> None:
    some = YEAR[1000:1010]
    np.testing.assert_array_equal(WEATHER.temperature_c(YEAR)[1000:1010], WEATHER.temperature_c(some))
    np.testing.assert_array_equal(WEATHER.clear_share(YEAR)[1000:1010], WEATHER.clear_share(some))
    assert (Weather(8).temperature_c(some) != WEATHER.temperature_c(some)).all()


def test_clouds_let_something_through() -> None:
    share = WEATHER.clear_share(YEAR)
    assert share.min() >= 0.08 - 1e-12
    assert share.max() <= 1
    assert 0.4 < share.mean() < 0.75


def test_the_frequency_stays_near_nominal() -> None:
    frequency = WEATHER.frequency_hz(YEAR)
    assert np.abs(frequency - 50).max() < 0.1


@pytest.mark.parametrize(("month", "least", "most"), [(6, 6.5, 10), (12, 1.5, 5)])
def test_a_clear_day_on_a_southern_roof(month: int, least: float, most: float) -> None:
    plane = clear_sky(REGIONS[4], day_of(datetime(2025, month, 21, tzinfo=UTC)))
    assert least < plane[:, 0].sum() / 2000 < most
    assert plane[0].max() == 0
    assert plane.argmax(axis=0)[3] < plane.argmax(axis=0)[4]  # east before west


def test_the_quick_estimate_of_a_day_is_near_the_sum_of_its_half_hours() -> None:
    grid = Grid.build(2_000, 7)
    solar = Solar(grid, WEATHER)
    days = range(5_479, 5_844, 7)
    exact = np.array([solar.generated(solar.owner, day).sum(axis=0) for day in days])
    quick = np.array([solar.expected_wh(solar.owner, WEATHER.sunshine_kwh(np.array([float(day)]))[0]) for day in days])
    assert 0.75 < exact.sum() / quick.sum() < 1.1
    assert np.corrcoef(exact.mean(axis=1), quick.mean(axis=1))[0, 1] > 0.93


def test_panels_bring_about_a_thousand_full_hours_a_year() -> None:
    grid = Grid.build(1_000, 7)
    solar = Solar(grid, WEATHER)
    days = range(5_479, 5_844, 5)
    energy = sum(solar.generated(solar.owner, day).sum(axis=0) for day in days) * 5
    hours = energy / solar.peak_w(solar.owner)
    assert hours.min() > 550
    assert hours.max() < 1_250
