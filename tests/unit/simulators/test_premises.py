"""Households, cars, panels and batteries behave, and any day can be worked out first."""

from datetime import UTC, datetime

import numpy as np
import pytest

from simulators.customers import KINDS
from simulators.grid import Grid
from simulators.local_time import day_of
from simulators.premises import Premises
from simulators.weather import Weather

GRID = Grid.build(4_000, 7)
PREMISES = Premises(GRID, Weather(7))
WINTER, SUMMER = (day_of(datetime(2025, month, 14, tzinfo=UTC)) for month in (1, 7))
NAMES = [kind.name for kind in KINDS]


def kind(name: str) -> np.ndarray:
    return np.flatnonzero(GRID.kind == NAMES.index(name))


def daily_kwh(days: range) -> np.ndarray:
    return np.mean([PREMISES.day(slice(0, 4_000), day).drawn_wh[-1] for day in days], axis=0) / 1000


def test_one_day_ends_where_the_next_begins() -> None:
    today, tomorrow = (PREMISES.day(slice(0, 4_000), SUMMER + offset) for offset in (0, 1))
    assert (today.register_wh + today.drawn_wh[-1] == tomorrow.register_wh).all()


@pytest.mark.parametrize("block", [0, 31, 32, 63, 64])
def test_days_join_at_the_edges_of_blocks(block: int) -> None:
    today, tomorrow = (PREMISES.day(slice(0, 500), block + offset) for offset in (0, 1))
    assert (today.register_wh + today.drawn_wh[-1] == tomorrow.register_wh).all()


def test_what_a_meter_gets_does_not_depend_on_the_others() -> None:
    some = np.array([3, 17, 900, 901, 3_999])
    everyone, few = PREMISES.day(slice(0, 4_000), SUMMER), PREMISES.day(some, SUMMER)
    assert (everyone.drawn_wh[:, some] == few.drawn_wh).all()
    assert (everyone.register_wh[some] == few.register_wh).all()
    minutes = np.array([0, 7, 612, 1_439, 1_440])
    assert (everyone.drawn(slice(0, 4_000), minutes)[np.arange(5), some] == few.drawn_each(minutes)).all()


def test_use_never_runs_backwards_at_any_minute() -> None:
    day = PREMISES.day(slice(0, 4_000), WINTER)
    assert (np.diff(day.drawn(slice(0, 4_000), np.arange(1_441)), axis=0) >= 0).all()
    assert (np.diff(day.fed(slice(0, 4_000), np.arange(1_441))[1], axis=0) >= 0).all()


def test_customers_use_about_what_their_kind_does() -> None:
    use = daily_kwh(range(5_479, 5_844, 13))
    for number, one in enumerate(KINDS):
        if one.name not in {"solar_battery", "ev_charging"}:
            ratio = use[GRID.kind == number] / (GRID.daily_wh[GRID.kind == number] / 1000)
            assert 0.9 < ratio.mean() < 1.12, one.name
    assert use[kind("minimal_use")].max() < 3


def test_weekend_shifters_use_more_on_rest_days_and_offices_less() -> None:
    monday = day_of(datetime(2025, 9, 8, tzinfo=UTC))
    working, resting = daily_kwh(range(monday, monday + 5)), daily_kwh(range(monday + 5, monday + 7))
    assert resting[kind("weekend_shift")].mean() > 1.4 * working[kind("weekend_shift")].mean()
    assert resting[kind("business_commercial")].mean() < 0.6 * working[kind("business_commercial")].mean()


def test_seasonal_users_follow_the_temperature() -> None:
    winter, summer = (daily_kwh(range(day, day + 5)) for day in (WINTER, SUMMER))
    heavy, steady = kind("seasonal_heavy"), kind("early_industrial")
    assert winter[heavy].mean() > 1.4 * summer[heavy].mean()
    assert winter[steady].mean() < 1.3 * summer[steady].mean()


def test_cars_charge_what_they_have_driven() -> None:
    vehicles, minutes = PREMISES.vehicles, np.array([0, 1_440])
    charged = np.stack([vehicles.charging(vehicles.owner, day).until_midnight for day in range(5_000, 5_065)])
    assert (np.diff(charged, axis=0) >= 0).all()
    per_day = (charged[-1] - charged[0]) / 64 / 1000
    assert 6 < per_day.mean() < 9.5
    full = vehicles.state_of_charge(vehicles.owner, 5_000, minutes)
    assert ((full >= 0.05) & (full <= 1)).all()
    assert full.max() > 0.9


def test_a_car_is_fuller_after_charging() -> None:
    vehicles = PREMISES.vehicles
    morning, night = vehicles.state_of_charge(vehicles.owner, 5_100, np.array([600, 1_440]))
    charging = vehicles.charging(vehicles.owner, 5_100)
    gained = charging.since_midnight(np.array([1_440])) - charging.since_midnight(np.array([600]))
    assert (night[gained > 2_000] > morning[gained > 2_000]).all()
    assert (night[gained == 0] == morning[gained == 0]).all()


def test_batteries_keep_within_their_size_and_join_over_midnight() -> None:
    owners = PREMISES.solar.owner
    today, tomorrow = (PREMISES._flows(owners, day, PREMISES.day(owners, day).drawn_wh) for day in (SUMMER, SUMMER + 1))
    assert (today.stored >= 0).all()
    assert (today.stored <= today.capacity + 1e-6).all()
    np.testing.assert_allclose(today.stored[-1], tomorrow.stored[0])
    assert (np.minimum(today.drawn, today.fed) == 0).all()
    assert 14 < today.stored.argmax(axis=0).mean() < 36  # full by day [half hours UTC]


def test_homes_with_panels_draw_little_and_feed_in_much_in_summer() -> None:
    owners = PREMISES.solar.owner
    winter, summer = (PREMISES.day(owners, day) for day in (WINTER, SUMMER))
    assert summer.drawn_wh[-1].mean() < 0.45 * GRID.daily_wh[owners].mean()
    assert summer.fed_wh[-1].mean() > 2 * winter.fed_wh[-1].mean()
    assert (summer.fed_wh[4] == 0).all()  # two o'clock at night
