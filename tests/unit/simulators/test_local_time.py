"""People live by the clock on the wall."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from simulators.local_time import date_of, day_of, local_hours, rest_days
from simulators.regions import REGIONS

BERLIN = REGIONS[1]


def day(year: int, month: int, number: int) -> int:
    return day_of(datetime(year, month, number, tzinfo=UTC))


def test_day_numbers_and_dates_agree() -> None:
    assert day(2010, 1, 1) == 0
    assert date_of(day(2026, 2, 28)) == date(2026, 2, 28)


@pytest.mark.parametrize("moment", [datetime(2026, 1, 1), datetime(2009, 12, 31, 23, tzinfo=UTC)])  # noqa: DTZ001
def test_times_without_offset_or_before_the_epoch_are_refused(moment: datetime) -> None:
    with pytest.raises(ValueError, match=r"offset|before"):
        day_of(moment)


def test_winter_is_one_hour_ahead_and_summer_two() -> None:
    assert local_hours(BERLIN, day(2026, 1, 10))[0] == pytest.approx(1.25)
    assert local_hours(BERLIN, day(2026, 7, 10))[0] == pytest.approx(2.25)


def test_the_clock_jumps_when_summer_time_begins_and_ends() -> None:
    spring, autumn = (np.diff(local_hours(BERLIN, day(2026, *when))) for when in ((3, 29), (10, 25)))
    assert sorted(set(spring.round(6).tolist())) == [0.5, 1.5]
    assert sorted(set(autumn.round(6).tolist())) == [-0.5, 0.5]


def test_weekends_and_regional_holidays_are_rest_days() -> None:
    rest = {region.subdivision: rest_days(region, day(2027, 1, 1)) for region in REGIONS}
    assert rest["BE"][day(2026, 2, 28)]  # a Saturday
    assert not rest["BE"][day(2026, 3, 2)]  # a Monday
    assert rest["BE"][day(2026, 12, 25)]
    assert rest["BY"][day(2026, 1, 6)]
    assert not rest["HH"][day(2026, 1, 6)]
