"""What a model says becomes an alert where the meter's own past says nothing, once for as long as it goes on."""

import numpy as np
import pytest

from processors.alerts import model_alerts
from processors.judge import judge
from processors.judgement import Judgement
from processors.judging import Judging
from processors.opinion import Onsets, Opinion, onsets
from processors.state import COLUMNS, MeterState
from schemas.alerts import AlertKind, Severity
from schemas.readings import ReadingBatch
from tests.builders import HOUR_US, START_US, batch

HOURS = 72
OF_MODELS = {"model_unusual_s", "model_episode"}


@pytest.fixture
def state() -> MeterState:
    return MeterState()


@pytest.fixture
def stream() -> ReadingBatch:
    energy = 0.5 + 0.1 * np.sin(np.arange(HOURS) * np.pi / 12)
    return batch("M1", START_US + HOUR_US * np.arange(HOURS, dtype=np.int64), consumption_kwh=energy.tolist())


def begun(stream: ReadingBatch, state: MeterState, scores: dict[int, float]) -> tuple[Judgement, Opinion, Onsets]:
    rows = state.rows(stream.meter_number)
    judgement = judge(stream, rows, state, Judging())
    score = np.zeros(len(stream), dtype=np.float32)
    for place, value in scores.items():
        score[place] = value
    opinion = Opinion(score, score, lambda at: [f"voltage 0.{place}" for place in at.tolist()])
    return judgement, opinion, onsets(opinion, judgement, rows, stream.time_us, state, Judging())


@pytest.mark.parametrize(("score", "severity"), [(0.84, []), (0.85, [1]), (0.94, [1]), (0.95, [2])])
def test_what_begins_is_as_severe_as_its_score(
    stream: ReadingBatch, state: MeterState, score: float, severity: list[int]
) -> None:
    assert begun(stream, state, {50: score})[2].severity.tolist() == severity


def test_what_goes_on_is_told_once_and_again_when_it_becomes_worse_or_comes_back(
    stream: ReadingBatch, state: MeterState
) -> None:
    found = begun(stream, state, {40: 0.9, 41: 0.9, 44: 0.8, 46: 0.97, 47: 0.9, 60: 0.9})[2]
    assert (found.at.tolist(), found.severity.tolist()) == ([40, 46, 60], [1, 2, 1])


def test_what_the_past_says_itself_is_not_told_twice(stream: ReadingBatch, state: MeterState) -> None:
    energy = stream.floats("consumption_kwh").copy()
    energy[50] = 40.0
    found = begun(batch("M1", stream.time_us, consumption_kwh=energy.tolist()), state, {50: 0.99})
    assert found[0].severity[50] > 0
    assert found[2].at.tolist() == []


def test_nothing_is_told_before_the_past_is_known(stream: ReadingBatch, state: MeterState) -> None:
    assert begun(stream, state, {3: 0.99})[2].at.tolist() == []


def test_a_model_moves_nothing_that_judgement_goes_by(stream: ReadingBatch) -> None:
    loud, quiet = MeterState(), MeterState()
    begun(stream, loud, dict.fromkeys(range(HOURS), 0.99))
    begun(stream, quiet, {})
    for name in set(COLUMNS) - OF_MODELS:
        assert getattr(loud, name)[:1].tobytes() == getattr(quiet, name)[:1].tobytes()


def test_the_alert_says_what_was_expected_within_which_band_and_why(stream: ReadingBatch, state: MeterState) -> None:
    judgement, opinion, found = begun(stream, state, {50: 0.97})
    everything = np.ones(len(stream), dtype=bool)
    (alert,) = model_alerts(stream, judgement, opinion.score, found, stream.time_us, everything)
    assert (alert.kind, alert.severity, alert.element) == (AlertKind.UNUSUAL_READING, Severity.CRITICAL, "meter/M1")
    assert alert.reasons == "voltage 0.50"
    assert alert.expected == pytest.approx(0.5, abs=0.15)
    assert alert.band is not None
    assert alert.band > 0
    assert "mostly by voltage" in alert.message
    assert model_alerts(stream, judgement, opinion.score, found, stream.time_us, ~everything) == []
