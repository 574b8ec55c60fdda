"""Overload: when it begins and ends, how bad it is by ratio and by duration, and the oil behind it."""

import numpy as np
import pytest

from processors.loading import LoadingRules, Loads, overloads, top_oil_c
from schemas.alerts import AlertKind, Severity
from schemas.layout import Floats

RULES = LoadingRules(ambient_c=20.0)
START_S = 1_700_000_100


def loads(*loading: float, measured: bool = True) -> Loads:
    return Loads("T1", START_S + 900 * np.arange(len(loading)), np.array(loading), 400.0, measured)


def quarters(load: float, hours: float) -> list[float]:
    return [load] * round(4 * hours)


@pytest.mark.parametrize(
    ("peak", "count", "expected"), [(1.0, 2, 1), (0.999, 8, 0), (1.4, 1, 0), (1.0, 1, 0), (1.01, 3, 1)]
)
def test_it_begins_when_the_load_has_held_at_the_rating(peak: float, count: int, expected: int) -> None:
    assert len(overloads(loads(*[0.5] * 4, *[peak] * count, *[0.5] * 8), RULES)) == expected


def test_it_ends_only_when_the_load_stays_well_below() -> None:
    wavers = [0.5, 1.1, 1.1, 0.95, 0.8, 0.8, 1.02, 0.95, 0.95, 0.7, 0.7, 0.7, 0.7, 0.5]
    (one,) = overloads(loads(*wavers), RULES)
    assert one.started_s == START_S + 900
    assert one.ended_s == START_S + 9 * 900
    (lasting,) = overloads(loads(*wavers[:11]), RULES)
    assert lasting.ended_s == 0
    assert one.kind is AlertKind.TRANSFORMER_OVERLOAD
    assert (one.measured, one.expected, one.unit) == (pytest.approx(440), 400, "kVA")


@pytest.mark.parametrize(
    ("load", "hours", "severity"),
    [
        (1.2, 1, Severity.INFO),
        (1.2, 24, Severity.INFO),
        (1.4, 1, Severity.INFO),
        (1.4, 8, Severity.WARNING),
        (1.49, 24, Severity.CRITICAL),
        (1.51, 0.5, Severity.WARNING),
        (1.81, 0.5, Severity.CRITICAL),
    ],
)
def test_how_bad_it_is_follows_from_ratio_and_duration(load: float, hours: float, severity: Severity) -> None:
    (one,) = overloads(loads(*quarters(0.5, 12), *quarters(load, hours)), RULES)
    assert one.severity is severity


def test_feeding_back_loads_it_as_well_and_customers_are_named_as_the_source() -> None:
    (one,) = overloads(loads(*quarters(-1.3, 2), measured=False), RULES)
    assert one.measured == pytest.approx(520)
    assert "customers" in one.detail


def test_two_overloads_are_two_and_nothing_is_none() -> None:
    day: list[float] = [*quarters(0.5, 20), *quarters(1.2, 4)]
    assert [one.ended_s == 0 for one in overloads(loads(*day, *day), RULES)] == [False, True]
    assert overloads(loads(), RULES) == []


@pytest.mark.parametrize("interval_s", [900, 1_800, 3_600])
def test_meters_that_send_less_often_show_the_same_load(interval_s: int) -> None:
    """A quarter-hour holds all of the interval that ends in it, and the others hold nothing."""
    every = interval_s // 900
    hours = np.array([0.5] * 6 + [1.2] * 6 + [0.5] * 6).repeat(4)
    ends = np.arange(every - 1, len(hours), every)
    seen = Loads("T1", START_S + 900 * ends, every * hours[ends], 400.0, measured=True, interval_s=interval_s)
    (one,) = overloads(seen, RULES)
    assert one.measured == pytest.approx(480)
    assert abs(one.started_s - (START_S + 24 * 900)) <= interval_s
    assert abs(one.ended_s - (START_S + 48 * 900)) <= interval_s


def oil(loading: Floats, hours: float) -> float:
    times = START_S + 900 * np.arange(round(4 * hours))
    return float(top_oil_c(np.full(len(times), loading), times, 20.0)[-1])


def test_oil_at_rated_load_rises_to_what_the_standard_says() -> None:
    """60 K at last, 63 % of the way from idle after one time constant of three hours."""
    assert oil(np.array(1.0), 40) == pytest.approx(80, abs=0.01)
    idle = 60 * (1 / 6) ** 0.8
    assert oil(np.array(1.0), 3) == pytest.approx(20 + idle + (60 - idle) * (1 - np.exp(-1)), abs=0.01)
    assert oil(np.array(0.0), 5) == pytest.approx(20 + idle, abs=0.01)


def test_oil_reaches_its_limit_where_the_formula_says() -> None:
    """(1 + 5 K^2) / 6 to the power of 0.8 of 60 K is 85 K at K = 1.286: 105 degrees at 20 in the air."""
    assert oil(np.array(1.286), 60) == pytest.approx(105, abs=0.1)


def test_a_gap_holds_the_load_that_was_before_it() -> None:
    times = START_S + 900 * np.array([0, 1, 2, 14])
    whole = START_S + 900 * np.arange(15)
    gap = top_oil_c(np.array([1.2, 1.2, 1.2, 1.2]), times, 20.0)
    assert gap[-1] == pytest.approx(top_oil_c(np.full(15, 1.2), whole, 20.0)[-1])
