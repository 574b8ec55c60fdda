"""Alerts: one for each anomaly, the same for the same reading."""

import numpy as np
import pyarrow as pa
import pytest

from processors import alerts as alerts_module
from processors.alert_kinds import KIND_OF
from processors.alerts import alert_of_explained, raise_alerts
from processors.explained import explain
from processors.judge import judge
from processors.judging import Judging
from processors.judging_pass import _begins
from processors.learned import learned
from processors.opinion import Opinion
from processors.signals import SIGNALS
from processors.state import MeterState
from schemas.alerts import Alert, AlertKind, Severity, alert_id
from schemas.explanation import Explanation
from schemas.layout import instant_of
from tests.builders import DAY_US, HOUR_US, MINUTE_US, START_US, batch
from tests.judging import judged


def test_each_beginning_raises_one_alert_with_its_facts() -> None:
    found, judgement = judged([1.0] * 100 + [9.0, 1.0, 1.0, 1.0, 1.0, 50.0])
    arrived = found.time_us + DAY_US
    first, second = raise_alerts(found, judgement, arrived, np.ones(len(found), dtype=bool))
    assert (first.element, first.unit, first.measured) == ("meter/M1", "kWh", 9.0)
    assert first.occurred_at.timestamp() * 1e6 == START_US + 100 * HOUR_US
    assert (first.arrived_at - first.occurred_at).total_seconds() == 86_400
    assert first.expected < 1.1
    assert first.band is not None
    assert 0 < first.band < 1
    assert first.message == f"meter M1 used 9.000 kWh where {first.expected:.3f} kWh is usual"
    assert first.reasons.startswith("spike 1.00")
    assert second.severity == Severity.CRITICAL
    assert first.alert_id != second.alert_id


def test_what_is_stored_of_a_reading_makes_the_alert_that_a_worker_would_have_raised() -> None:
    found, judgement = judged([1.0] * 100 + [9.0, 1.0])
    (raised,) = raise_alerts(found, judgement, found.time_us + DAY_US, np.ones(len(found), dtype=bool))
    why, score = explain(judgement, Opinion.none(102), 0.7)[100], float(judgement.score[100])
    times = (raised.occurred_at, raised.arrived_at)
    assert alert_of_explained("M1", why, 9.0, score, Judging().critical, times) == raised


def test_what_is_stored_of_a_models_word_says_what_the_model_went_by() -> None:
    why = Explanation("unusual_reading", 2.0, float("nan"), "kWh", "hour_sin 0.40, energy 0.30")
    found = alert_of_explained("{M}", why, 1.0, 0.96, 0.95, (instant_of(START_US), instant_of(START_US)))
    assert found.message == "meter {M} shows 1.000 kWh in circumstances that other meters do not, mostly by hour_sin"
    assert (found.severity, found.band) == (Severity.CRITICAL, None)


def begun(scores: list[float], *, of_runs: bool = False) -> list[int]:
    """Severity of what begins with each of a meter's readings that score this."""
    state = MeterState()
    state.rows(pa.array(["M1"]))
    return [
        _begins(learned(state), 0, score, score >= 0.85, of_runs and score >= 0.85, Judging().bounds)
        for score in scores
    ]


def test_what_goes_on_is_told_once_and_again_when_it_gets_worse() -> None:
    assert begun([0.2, 0.9, 0.9, 0.75, 0.9, 0.97, 0.99, 0.9]) == [0, 1, 0, 0, 0, 2, 0, 0]


def test_what_comes_again_after_a_while_is_told_again() -> None:
    assert begun([0.9, 0.1, 0.1, 0.1, 0.9]) == [1, 0, 0, 0, 0]
    assert begun([0.9, 0.1, 0.1, 0.1, 0.1, 0.9]) == [1, 0, 0, 0, 0, 1]


def test_runs_that_stay_longer_are_told_once_however_long_the_pauses_are() -> None:
    pause = [0.1] * 20
    scores = [0.9, *pause, 0.9, *pause, 0.96, *pause, 0.97]
    assert np.flatnonzero(begun(scores, of_runs=True)).tolist() == [0, 42]


def test_nothing_begins_just_below_a_bound() -> None:
    assert begun([0.8499]) == [0]
    assert begun([0.85, 0.9499, 0.9501]) == [1, 0, 2]


def of_kind(kind: AlertKind, **columns: list[float]) -> Alert:
    """The first alert of a kind on a meter that measured this, every quarter of an hour."""
    count = len(next(iter(columns.values())))
    found = batch("M1", START_US + 15 * MINUTE_US * np.arange(count), **columns)
    state = MeterState()
    judgement = judge(found, state.rows(found.meter_number), state, Judging())
    alerts = raise_alerts(found, judgement, found.time_us, np.ones(count, dtype=bool))
    return next(alert for alert in alerts if alert.kind is kind)


def noisy(count: int, around: float, by: float) -> list[float]:
    values: list[float] = np.random.default_rng(5).normal(around, by, count).tolist()
    return values


def test_a_sag_is_told_in_volts() -> None:
    alert = of_kind(AlertKind.VOLTAGE_SAG, consumption_kwh=noisy(301, 1, 0.1), voltage=[*noisy(300, 231, 1), 205.0])
    assert (alert.measured, alert.unit, alert.band) == (205.0, "V", None)
    assert 230 < alert.expected < 232


def test_a_register_that_does_not_count_what_is_reported_is_told() -> None:
    energy = noisy(301, 1, 0.1)
    register = [*np.cumsum(energy[:-1]).tolist(), float(np.sum(energy[:-1]))]
    alert = of_kind(AlertKind.REGISTER_MISMATCH, consumption_kwh=energy, register_kwh=register)
    assert alert.severity is Severity.CRITICAL
    assert "register_mismatch" in alert.reasons


def test_the_same_reading_again_and_again_is_told() -> None:
    energy, voltage = noisy(300, 1, 0.1), noisy(300, 231, 1)
    alert = of_kind(AlertKind.FLATLINE, consumption_kwh=[*energy, *[1.0] * 9], voltage=[*voltage, *[231.0] * 9])
    assert alert.occurred_at.timestamp() * 1e6 <= START_US + 306 * 15 * MINUTE_US


@pytest.mark.parametrize(("register_moves", "repeats"), [(False, 2), (True, 3)])
def test_a_stuck_meter_that_uses_little_is_told_sooner_where_its_register_stands_still(
    register_moves: bool, repeats: int
) -> None:
    # At night, when what the register should have counted is next to nothing.
    energy = np.where(np.random.default_rng(5).random(300) < 0.5, 0.02, 1.0) * noisy(300, 1, 0.1)
    energy[-1] = 0.02
    counted = np.concatenate([np.cumsum(energy), energy.sum() + 0.02 * register_moves * np.arange(1, 10)])
    alert = of_kind(
        AlertKind.FLATLINE,
        consumption_kwh=[*energy, *[0.02] * 9],
        voltage=[*noisy(299, 231, 1), *[231.0] * 10],
        register_kwh=counted,
    )
    assert alert.occurred_at.timestamp() * 1e6 == START_US + (299 + repeats) * 15 * MINUTE_US


def test_runs_that_become_longer_are_told() -> None:
    minutes = np.repeat([12, 16], [300, 100]) + np.random.default_rng(3).integers(-1, 2, 400)
    energy = np.concatenate([np.repeat([0.0, 0.1], (13, long)) for long in minutes])
    alert = of_kind(AlertKind.PATTERN_CHANGE, consumption_kwh=energy * noisy(len(energy), 1, 0.01))
    assert "longer_runs" in alert.reasons
    assert "above its average for longer each time than it used to be" in alert.message


def test_a_meter_that_grows_warm_is_told() -> None:
    warm = [*noisy(300, 20, 1), 75.0]
    alert = of_kind(AlertKind.OVERHEATING, consumption_kwh=noisy(301, 1, 0.1), temperature_c=warm)
    assert alert.severity is Severity.CRITICAL


def test_every_kind_of_anomaly_has_words_for_it() -> None:
    assert set(KIND_OF) == set(alerts_module._SAYS) == set(SIGNALS)


def test_an_alert_has_the_same_id_whenever_it_is_raised_again() -> None:
    found, judgement = judged([1.0] * 100 + [9.0])
    everywhere = np.ones(101, dtype=bool)
    (once,), (again,) = (raise_alerts(found, judgement, found.time_us + late, everywhere) for late in (0, DAY_US))
    assert once.alert_id == again.alert_id == alert_id(AlertKind.HIGH_CONSUMPTION, "meter/M1", START_US + 100 * HOUR_US)


def test_only_the_chosen_readings_raise_alerts() -> None:
    found, judgement = judged([1.0] * 100 + [9.0])
    assert raise_alerts(found, judgement, found.time_us, np.zeros(101, dtype=bool)) == []


def test_the_id_is_pinned() -> None:
    # Ids stay the same over releases: what ops tools have seen must stay recognisable.
    assert alert_id(AlertKind.HIGH_CONSUMPTION, "meter/M1", 0) == "39a558dcfba740595905ea3867ebd6fd"
