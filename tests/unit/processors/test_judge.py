"""Judgement: when a reading is unusual for its own meter, and when it is not."""

from dataclasses import replace

import numpy as np
import pytest

from processors.judge import judge
from processors.judging import Judging
from processors.judging_pass import judge_all
from processors.state import MeterState
from schemas.quality import ANOMALY, FLAGS, MISSING, MONITORING, NORMAL, WARNING, QualityFlag
from tests.builders import DAY_US, HOUR_US, MINUTE_US, START_US, batch
from tests.judging import judged

STEPS = {"1 minute": MINUTE_US, "15 minutes": 15 * MINUTE_US, "30 minutes": 30 * MINUTE_US, "a day": DAY_US}


def flags_of_voltages(*voltages: float | None) -> list[int]:
    state = MeterState()
    found = batch("M1", START_US, voltage=list(voltages), consumption_kwh=1.0)
    flags: list[int] = judge(found, state.rows(found.meter_number), state, Judging()).flag.tolist()
    return flags


def test_the_codes_of_flags_are_their_places_in_the_list() -> None:
    assert [FLAGS[code] for code in (NORMAL, WARNING, ANOMALY, MISSING)] == list(QualityFlag)[:4]


def test_voltage_warns_beyond_210_and_250_but_not_at_them() -> None:
    below, above = np.nextafter(210.0, 0), np.nextafter(250.0, 999)
    assert flags_of_voltages(below, 210.0, 230.0, 250.0, above, None) == [WARNING, 0, 0, 0, WARNING, 0]


@pytest.mark.parametrize("step_us", STEPS.values(), ids=STEPS)
def test_more_than_three_times_the_average_use_is_an_anomaly_and_three_times_is_not(step_us: int) -> None:
    known = (DAY_US + 2 * HOUR_US) // step_us + 2
    usual = 0.02 * step_us / MINUTE_US
    for factor, flag in ((3 * (1 - 1e-9), MONITORING), (3 * (1 + 1e-9), ANOMALY)):
        _, found = judged([usual] * known + [factor * usual], step_us)
        assert found.flag.tolist() == [NORMAL] * known + [flag]


@pytest.mark.parametrize("step_us", STEPS.values(), ids=STEPS)
def test_the_average_is_that_of_the_meter_itself_pro_rata(step_us: int) -> None:
    known = (DAY_US + 2 * HOUR_US) // step_us + 2
    small, large = 0.001 * step_us / MINUTE_US, 1.0 * step_us / MINUTE_US
    _, of_small = judged([small] * known + [large], step_us)
    _, of_large = judged([large] * known + [large], step_us)
    assert (of_small.flag[-1], of_large.flag[-1]) == (ANOMALY, NORMAL)


@pytest.mark.parametrize("step_us", STEPS.values(), ids=STEPS)
def test_nothing_is_an_anomaly_before_a_day_is_known(step_us: int) -> None:
    # The first reading has no interval yet: after k more, k intervals are known. Older time counts for less, so that
    # a day is full after 24.5 hours.
    for known_us, flag in ((DAY_US - step_us, NORMAL), (DAY_US + HOUR_US, ANOMALY)):
        _, found = judged([1.0] * (1 - -known_us // step_us) + [100.0], step_us)
        assert found.flag[-1] == flag
        assert np.isnan(found.score[-1]) == (flag == NORMAL)


def test_a_constant_load_has_no_score_to_speak_of_and_a_jump_has_a_high_one() -> None:
    _, found = judged([1.0] * 100 + [1.02, 20.0])
    assert found.score[-2] < 0.02
    assert found.score[-1] > 0.95
    assert found.expected_kwh[-1] == pytest.approx(1.0, rel=0.01)


def evening_peaks(days: int, peak_kw: float, per_hour: int = 1) -> list[float]:
    """Energy of a household: a low base, a morning rise, and an evening peak of three hours."""
    day = [0.2] * 7 + [0.5] * 2 + [0.2] * 9 + [peak_kw] * 3 + [0.3] * 3
    return [power / per_hour for power in day for _ in range(per_hour)] * days


@pytest.mark.parametrize("per_hour", [1, 2, 4])
@pytest.mark.parametrize("peak_kw", [2.0, 4.0])
def test_a_routine_evening_peak_is_no_anomaly_neither_on_working_days_nor_at_weekends(
    peak_kw: float, per_hour: int
) -> None:
    day = evening_peaks(1, peak_kw)
    assert peak_kw > 3 * sum(day) / 24, "the rule by averages alone would flag it"
    _, found = judged(evening_peaks(15, peak_kw, per_hour), HOUR_US // per_hour)
    assert np.flatnonzero(found.flag == ANOMALY).tolist() == []


def test_a_new_habit_is_an_anomaly_at_first_and_normal_after_some_weeks() -> None:
    before, charging = evening_peaks(14, 1.0, per_hour=4), evening_peaks(1, 1.0, per_hour=4)
    charging[4:20] = [3.7 / 4] * 16
    _, found = judged(before + charging * 28, 15 * MINUTE_US)
    anomalies = (found.flag[len(before) :] == ANOMALY).reshape(28, 96).sum(axis=1)
    assert anomalies[0] == 16
    assert anomalies[-7:].sum() == 0


def test_the_same_use_in_the_middle_of_the_night_is_one() -> None:
    day = evening_peaks(1, 4.0)
    at_night = [*evening_peaks(14, 4.0), *day[:3], 4.0]
    _, found = judged(at_night)
    assert found.flag[-1] == ANOMALY


def test_a_late_or_repeated_reading_is_neither_judged_nor_learned_from() -> None:
    state, clean = MeterState(), MeterState()
    judged([1.0] * 100, state=state)
    judged([1.0] * 100, state=clean)
    late = batch("M1", [START_US + 99 * HOUR_US, START_US + 5 * HOUR_US + 1], consumption_kwh=900.0)
    found = judge(late, state.rows(late.meter_number), state, Judging())
    assert found.flag.tolist() == [NORMAL, NORMAL]
    assert not found.in_order.any()
    assert np.isnan(found.score).all()
    assert state.energy_kwh[0] == clean.energy_kwh[0]


def test_a_reading_without_any_measure_is_missing_and_teaches_nothing() -> None:
    state = MeterState()
    judged([1.0] * 100, state=state)
    before = state.energy_kwh[0]
    empty = batch("M1", START_US + 100 * HOUR_US)
    found = judge(empty, state.rows(empty.meter_number), state, Judging())
    assert found.flag.tolist() == [MISSING]
    assert state.energy_kwh[0] == before


def test_a_reading_with_any_measure_is_not_missing() -> None:
    state = MeterState()
    found = batch("M1", [START_US, START_US + 1], temperature_c=[20.0, None], sequence=[None, 1])
    assert judge(found, state.rows(found.meter_number), state, Judging()).flag.tolist() == [NORMAL, MISSING]


def test_one_lost_reading_does_not_change_the_usual_interval_and_three_odd_gaps_do() -> None:
    state = MeterState()
    judged([1.0] * 30, 15 * MINUTE_US, state)
    last = START_US + 29 * 15 * MINUTE_US
    judged([1.0], state=state, start_us=last + 30 * MINUTE_US)
    assert state.interval_s[0] == 900
    judged([1.0] * 3, 5 * MINUTE_US, state, start_us=last + 35 * MINUTE_US)
    assert state.interval_s[0] == 300


def test_two_days_of_energy_after_a_gap_are_judged_over_the_usual_interval_only() -> None:
    # A meter that was silent reports one interval, not the silence.
    _, found = judged([1.0] * 100)
    state = MeterState()
    judged([1.0] * 100, state=state)
    _, after = judged([1.0], state=state, start_us=START_US + 150 * HOUR_US)
    assert after.flag.tolist() == [NORMAL]
    assert found.flag.tolist() == [NORMAL] * 100


def test_an_anomaly_counts_for_no_more_than_the_bound_in_the_average() -> None:
    state = MeterState()
    judged([1.0] * 100 + [1e5], state=state)
    average = state.energy_kwh[0] * 3600 / state.covered_s[0]
    assert average < 1.05


def test_the_bounds_are_settings() -> None:
    strict = replace(Judging(), times_average=1.5)
    assert judged([1.0] * 100 + [2.0], judging=strict)[1].flag[-1] == ANOMALY
    assert judged([1.0] * 100 + [2.0])[1].flag[-1] == MONITORING
    lenient = replace(Judging(), warning=1.1)
    assert judged([1.0] * 100 + [20.0], judging=lenient)[1].flag[-1] == MONITORING
    blind = replace(lenient, monitoring=1.1)
    assert judged([1.0] * 100 + [20.0], judging=blind)[1].flag[-1] == NORMAL


def test_the_pass_is_compiled_for_one_kind_of_columns_whatever_readings_hold() -> None:
    """Another kind would be compiled while records wait; Arrow gives columns that may not be written to."""
    judged([1.0] * 5)
    judged([1.0, float("nan"), 2.0], state=MeterState())
    whole = batch("M1", [START_US, START_US + HOUR_US], consumption_kwh=1.0, voltage=230.0, temperature_c=20.0)
    state = MeterState()
    judge(whole, state.rows(whole.meter_number), state, Judging(), np.array([False, True]))
    assert len(judge_all.signatures) == 1
