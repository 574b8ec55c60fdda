"""Validation: each bound is itself allowed, the next number beyond it is not, and null always is."""

import numpy as np
import pytest

from processors.validate import FAILURES, Limits, validate
from schemas.rejected import Reason
from tests.builders import DAY_US, START_US, batch

YEAR_2000_US = 946_684_800_000_000
BELOW = -np.inf
ABOVE = np.inf
BOUNDS = [
    ("voltage", 200.0, BELOW, Reason.VOLTAGE_OUT_OF_RANGE),
    ("voltage", 260.0, ABOVE, Reason.VOLTAGE_OUT_OF_RANGE),
    ("power_factor", 0.0, BELOW, Reason.POWER_FACTOR_OUT_OF_RANGE),
    ("power_factor", 1.0, ABOVE, Reason.POWER_FACTOR_OUT_OF_RANGE),
    ("consumption_kwh", 0.0, BELOW, Reason.NEGATIVE_ENERGY),
    ("export_kwh", 0.0, BELOW, Reason.NEGATIVE_ENERGY),
    ("register_kwh", 0.0, BELOW, Reason.NEGATIVE_ENERGY),
    ("consumption_kwh", 1e6, ABOVE, Reason.OUT_OF_RANGE),
    ("export_kwh", 1e6, ABOVE, Reason.OUT_OF_RANGE),
    *((name, 1e9, ABOVE, Reason.OUT_OF_RANGE) for name in ("demand_kw", "current_amps", "register_kwh")),
    *((name, 1e9, ABOVE, Reason.OUT_OF_RANGE) for name in ("reactive_kvarh", "frequency_hz", "temperature_c")),
    *((name, -1e9, BELOW, Reason.OUT_OF_RANGE) for name in ("demand_kw", "current_amps", "reactive_kvarh")),
    *((name, -1e9, BELOW, Reason.OUT_OF_RANGE) for name in ("frequency_hz", "temperature_c")),
]


def reasons(limits: Limits | None = None, arrived_us: int = START_US, **columns: object) -> list[Reason | None]:
    times = columns.pop("reading_time", START_US)
    found = batch("M1", times, **columns)
    codes = validate(found, np.full(len(found), arrived_us), limits or Limits())
    return [FAILURES[code - 1][0] if code else None for code in codes.tolist()]


@pytest.mark.parametrize(("name", "bound", "beyond", "reason"), BOUNDS)
def test_a_bound_is_allowed_and_the_next_number_beyond_it_is_not(
    name: str, bound: float, beyond: float, reason: Reason
) -> None:
    values = [np.nextafter(bound, -beyond), bound, np.nextafter(bound, beyond)]
    assert reasons(**{name: values}) == [None, None, reason]


def test_a_clock_may_be_ahead_by_a_day_and_not_by_a_microsecond_more() -> None:
    times = [START_US + DAY_US - 1, START_US + DAY_US, START_US + DAY_US + 1]
    assert reasons(reading_time=times) == [None, None, Reason.TIME_IN_FUTURE]


def test_time_begins_in_2000() -> None:
    times = [YEAR_2000_US - 1, YEAR_2000_US, YEAR_2000_US + 1]
    assert reasons(reading_time=times) == [Reason.TIME_TOO_OLD, None, None]


def test_a_reading_may_be_as_old_as_readings_are_kept_and_not_a_microsecond_older() -> None:
    limits = Limits(retention_s=86_400.0)
    times = [START_US - DAY_US - 1, START_US - DAY_US, START_US]
    assert reasons(limits, reading_time=times) == [Reason.BEYOND_RETENTION, None, None]
    assert reasons(Limits(), reading_time=times) == [None, None, None]


def test_a_time_that_nobody_believes_is_not_called_too_old_to_keep() -> None:
    assert reasons(Limits(retention_s=86_400.0), reading_time=[0]) == [Reason.TIME_TOO_OLD]


def test_each_reading_is_judged_by_its_own_arrival() -> None:
    found = batch("M1", [START_US + 2 * DAY_US] * 2)
    codes = validate(found, np.array([START_US, START_US + 2 * DAY_US]), Limits())
    assert codes.tolist() == [1, 0]


def test_nulls_are_always_fine() -> None:
    assert reasons(voltage=[None, 230.0], power_factor=[None, None], consumption_kwh=[None, 1.0]) == [None, None]


def test_minus_zero_is_not_negative() -> None:
    assert reasons(consumption_kwh=[-0.0], power_factor=[-0.0]) == [None]


def test_the_first_failure_in_the_list_is_the_one_reported() -> None:
    wrong = {"voltage": [999.0], "power_factor": [9.0], "consumption_kwh": [-1.0], "demand_kw": [1e10]}
    assert reasons(**wrong) == [Reason.VOLTAGE_OUT_OF_RANGE]
    assert reasons(reading_time=[0], **wrong) == [Reason.TIME_TOO_OLD]


def test_the_bounds_are_settings() -> None:
    assert reasons(Limits(voltage_min=100, voltage_max=130), voltage=[120.0, 230.0]) == [
        None,
        Reason.VOLTAGE_OUT_OF_RANGE,
    ]


def test_nothing_is_judged_in_an_empty_batch() -> None:
    assert reasons(reading_time=[], voltage=[]) == []
