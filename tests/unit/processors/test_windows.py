"""Windows: totals in whole numbers that equal a naive count, half open, with lateness by the watermark."""

from typing import Any

import numpy as np
import pytest

from processors.windows import Windowing, WindowPartials, summarise, watermark
from schemas.delivery import NO_WATERMARK_US
from schemas.quality import FLAGS, REJECTED
from schemas.windows import DAY_S, EN_50160, HOUR_S, WINDOW_LENGTHS_S
from tests.builders import MINUTE_US, START_US, batch


def only(partials: WindowPartials, **values: float | None) -> None:
    assert len(partials) == 1
    for name, value in values.items():
        (found,) = getattr(partials, name).tolist()
        assert found == value or (value is None and np.isnan(found)), name


def summary(
    lateness_s: float = 60.0, marks: int = NO_WATERMARK_US, lengths: tuple[int, ...] = (60,), **columns: Any
) -> WindowPartials:
    flag = columns.pop("flag", 0)
    found = batch("M1", columns.pop("times", START_US), **columns)
    n = len(found)
    first = {length: np.zeros(n, dtype=bool) for length in (*WINDOW_LENGTHS_S, HOUR_S, DAY_S)}
    flags, how = np.broadcast_to(np.asarray(flag, np.int8), n), Windowing(lengths, lateness_s, EN_50160)
    return summarise(found, flags, np.zeros(n, np.int64), first, np.full(n, marks), how)


def test_a_window_is_half_open() -> None:
    found = summary(times=[START_US - 1, START_US, START_US + MINUTE_US - 1, START_US + MINUTE_US])
    assert found.start_us.tolist() == [START_US - MINUTE_US, START_US, START_US + MINUTE_US]
    assert found.readings.tolist() == [1, 2, 1]


def test_windows_before_1970_start_at_whole_multiples_too() -> None:
    assert summary(times=[-1, 0]).start_us.tolist() == [-MINUTE_US, 0]


def test_energy_is_counted_in_whole_micro_watt_hours() -> None:
    only(
        summary(times=[START_US] * 10, consumption_kwh=0.1, export_kwh=[0.3] * 9 + [None]),
        energy_uwh=10**9,
        export_uwh=27 * 10**8,
    )


def test_voltage_has_extremes_a_sum_and_a_count_and_nulls_do_not_count() -> None:
    found = summary(times=[START_US] * 3, voltage=[229.5, None, 230.001])
    only(found, voltage_count=2, voltage_sum_mv=459_501, voltage_min=229.5, voltage_max=230.001, readings=3)


def test_what_nobody_measured_is_null_and_not_zero() -> None:
    only(summary(), demand_peak_kw=None, voltage_min=None, voltage_max=None, voltage_count=0, energy_uwh=0)


def test_the_peak_of_demand_is_the_highest_and_zero_has_no_sign() -> None:
    only(summary(times=[START_US] * 3, demand_kw=[1.5, None, -2.0]), demand_peak_kw=1.5)
    for demand in ([0.0, -0.0], [-0.0, 0.0], [-0.0, -0.0]):
        found = summary(times=[START_US] * 2, demand_kw=demand)
        assert np.signbit(found.demand_peak_kw).tolist() == [False]


def test_groups_do_not_mix_and_every_length_is_summed() -> None:
    found = batch("M1", [START_US, START_US + 2 * MINUTE_US, START_US])
    first = {length: np.array([True, False, True]) for length in (*WINDOW_LENGTHS_S, HOUR_S, DAY_S)}
    how = Windowing(WINDOW_LENGTHS_S, 60.0, EN_50160)
    flags, marks = np.zeros(3, np.int8), np.full(3, NO_WATERMARK_US)
    partials = summarise(found, flags, np.array([1, 1, 2]), first, marks, how)
    keys = list(zip(partials.window_s.tolist(), partials.group_id.tolist(), partials.readings.tolist(), strict=True))
    assert keys == [(60, 1, 1), (60, 1, 1), (60, 2, 1), (900, 1, 2), (900, 2, 1)]
    assert partials.meters.tolist() == [1, 0, 1, 1, 1]
    # An hour and a day are summed up from the longest windows alone.
    assert partials.hour_meters.tolist() == partials.day_meters.tolist() == [0, 0, 0, 1, 1]


def test_the_peak_bears_the_first_of_its_times_whatever_the_order() -> None:
    times = [START_US + 30, START_US, START_US + 10, START_US + 20]
    only(summary(times=times, demand_kw=[2.0, 1.0, 2.0, None]), demand_peak_kw=2.0, demand_peak_us=START_US + 10)


def test_voltages_at_the_limits_are_within_them() -> None:
    volts = [206.999, 207.0, 253.0, 253.001, None]
    only(summary(times=[START_US] * 5, voltage=volts), voltage_outside=2, voltage_count=4)


def test_power_factors_and_reactive_energy_add_up_in_whole_units() -> None:
    found = summary(times=[START_US] * 3, power_factor=[0.9, None, 0.8], reactive_kvarh=[0.1, 0.2, None])
    only(found, power_factor_count=2, power_factor_ppm=1_700_000, reactive_uvarh=3 * 10**8)


def test_each_flag_is_counted_for_itself() -> None:
    found = summary(times=[START_US] * len(FLAGS), flag=list(range(len(FLAGS))))
    only(found, readings=len(FLAGS), normal=1, warnings=1, anomalies=1, missing=1, rejected=1)
    only(summary(flag=REJECTED), rejected=1, normal=0)


@pytest.mark.parametrize(("mark", "restating"), [(-1, 0), (0, 1), (1, 1)])
def test_a_reading_restates_a_window_once_the_watermark_is_past_its_end_and_lateness(mark: int, restating: int) -> None:
    closed_us = START_US + MINUTE_US + 30 * 1_000_000
    only(summary(lateness_s=30.0, marks=closed_us + mark), restating=restating)


def test_no_readings_touch_no_window() -> None:
    found = summary(times=[], lengths=WINDOW_LENGTHS_S)
    assert len(found) == 0
    assert found.energy_uwh.dtype == np.int64


def test_the_watermark_follows_the_newest_time_and_never_goes_back() -> None:
    times = np.array([10, 30, 20, 40], dtype=np.int64)
    marks = watermark(times, np.full(4, 100), NO_WATERMARK_US)
    assert marks.tolist() == [NO_WATERMARK_US, 10, 30, 30, 40]
    assert watermark(times[:0], times[:0], 7).tolist() == [7]
    assert watermark(times, np.full(4, 100), 35).tolist() == [35, 35, 35, 35, 40]


def test_a_clock_that_runs_ahead_moves_the_watermark_only_to_its_arrival() -> None:
    assert watermark(np.array([90, 20]), np.array([15, 25]), 0).tolist() == [0, 15, 20]
