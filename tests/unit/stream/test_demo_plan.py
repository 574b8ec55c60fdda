"""The demo's simulated time stays behind the present and begins on a whole interval."""

from datetime import UTC, datetime, timedelta

import pytest

from stream.demo.plan import BACKFILL_STEPS, Plan

NOW = datetime(2026, 3, 29, 12, 7, 31, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [1.0, 60.0, 3_600.0])
def test_the_last_tick_is_a_good_while_ago(seconds: float) -> None:
    plan = Plan.before(NOW, seconds)
    assert plan.ticks == int(seconds)
    last = plan.reading_time(BACKFILL_STEPS + int(seconds))
    assert timedelta(hours=23) < NOW - last < timedelta(hours=25)


def test_without_an_end_there_are_hours_before_the_present_is_reached() -> None:
    plan = Plan.before(NOW, None)
    assert plan.ticks is None
    live_s = (NOW - plan.reading_time(BACKFILL_STEPS)) / timedelta(minutes=15)
    assert live_s > 4 * 3_600


def test_intervals_are_whole_quarters_of_an_hour() -> None:
    plan = Plan.before(NOW, 60)
    assert plan.start.minute % 15 == plan.start.second == plan.start.microsecond == 0
    assert plan.reading_time(0) - plan.interval(0) == timedelta(minutes=15)
    assert plan.interval(1) == plan.reading_time(0)
