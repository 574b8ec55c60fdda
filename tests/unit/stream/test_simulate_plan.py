"""A run is decided before it starts, and impossible ones stop there."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.errors import ConfigurationError
from simulators.profile import load_profile
from stream.simulate.plan import FleetMode, Plan, span_of
from stream.simulate.shape import shape_of

NOON = datetime(2026, 3, 4, 12, 7, 30, tzinfo=UTC)


def plan(**changes: object) -> Plan:
    start_s, end_s = span_of(NOON, timedelta(hours=6), 900)
    settings: dict[str, object] = {
        "meters": 500, "seed": 7, "interval_s": 900, "start_s": start_s, "end_s": end_s, "speedup": 600.0,
        "jitter_s": 45.0, "mode": FleetMode.SINGLE, "publishers": 1, "profile": load_profile("showcase"),
    }  # fmt: skip
    return Plan(**(settings | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("interval_s", "minute"), [(300, 5), (900, 0), (1800, 0), (None, 0), (3600, 0)])
def test_a_run_begins_and_ends_on_the_grid_of_its_intervals(interval_s: int | None, minute: int) -> None:
    start_s, end_s = span_of(NOON, timedelta(minutes=100), interval_s)
    run = plan(start_s=start_s, end_s=end_s, interval_s=interval_s)
    assert run.start == datetime(2026, 3, 4, 12, minute, tzinfo=UTC)
    assert run.end - run.start >= timedelta(minutes=100)


@pytest.mark.parametrize(
    ("start", "duration", "interval_s", "says"),
    [
        (NOON, timedelta(hours=1), 420, "divide a day"),
        (NOON, timedelta(hours=1), 30, "divide a day"),
        (NOON, timedelta(), 900, "sends nothing"),
        (datetime(2001, 1, 1, tzinfo=UTC), timedelta(hours=1), 900, "before 2010"),
    ],
)
def test_impossible_runs_are_refused(start: datetime, duration: timedelta, interval_s: int, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        span_of(start, duration, interval_s)


def test_more_meters_than_numbers_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="a grid has 1 to"):
        plan(meters=20_000_000).grid()


def test_the_shape_says_what_the_run_will_be() -> None:
    shape = shape_of(plan(publishers=3))
    assert shape.meters == 500
    assert shape.readings == plan().readings == 500 * 24 + (500 if plan().end_s - plan().start_s > 6 * 3600 else 0)
    assert sum(shape.kinds.values()) == sum(shape.devices.values()) == 500
    assert shape.faults["spike"] > 0
    assert shape.peak_load_mw >= shape.mean_load_mw > 0
    assert shape.readings_per_s == pytest.approx(shape.readings / ((plan().end_s - plan().start_s) / 600), abs=0.01)


def test_a_mixture_is_estimated_near_the_truth() -> None:
    mixed = plan(interval_s=None, end_s=plan().start_s + 6 * 3600)
    assert shape_of(mixed).readings == pytest.approx(mixed.readings, rel=0.1)
