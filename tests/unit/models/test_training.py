from datetime import UTC, datetime

import numpy as np
import pytest

from models.manifest import Calibration
from models.scorer import Calibrated
from models.training import History, Plan, train
from processors.judge import judge
from processors.judgement import Past
from processors.judging import Judging
from processors.state import MeterState
from schemas.errors import ConfigurationError
from tests.trained import model, readings, scorer

NO_HOLIDAYS = np.empty(0, dtype=np.int64)


def plan() -> Plan:
    return Plan("forest", "v1", "a test", NO_HOLIDAYS, datetime(2024, 1, 15, tzinfo=UTC), 5, 64)


def test_time_is_split_without_looking_ahead() -> None:
    data = model()[0].data
    assert data.start < data.fitted_until < data.calibrated_until < data.end


def test_the_same_readings_give_the_same_model() -> None:
    first, second = (train(iter([readings()]), plan()) for _ in range(2))
    assert first[0].probe == second[0].probe
    assert first[0].data == second[0].data
    assert first[0].calibration == second[0].calibration


def test_history_does_not_depend_on_how_readings_were_cut() -> None:
    whole = readings(days=4)
    at_once = History.of([whole], NO_HOLIDAYS)
    in_parts = History.of([whole.slice(start, 101) for start in range(0, len(whole), 101)], NO_HOLIDAYS)
    assert in_parts.matrix.tobytes() == at_once.matrix.tobytes()


def test_too_few_readings_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="too few"):
        train(iter([readings(days=3)]), plan())
    with pytest.raises(ConfigurationError, match="no readings"):
        train(iter([]), plan())


def scores_of(days: int = 3, **changes: float) -> np.ndarray:
    """Score the last reading of each meter, with something changed."""
    stream, state = readings(seed=2, days=days), MeterState()
    past = judge(stream, state.rows(stream.meter_number), state, Judging()).past
    newest = np.arange(len(stream)) >= len(stream) - 8
    columns = {name: stream.column(name) for name in stream.layout.schema.names}
    odd = {name: np.where(newest, value, stream.floats(name)) for name, value in changes.items()}
    return scorer().score(type(stream).from_columns(**(columns | odd)), past)[newest]


def test_what_no_meter_ever_shows_scores_higher_than_the_usual() -> None:
    usual, odd = scores_of(), scores_of(voltage=258.0, consumption_kwh=200.0, temperature_c=60.0)
    assert (odd > usual).all()
    assert (odd > 0.7).all()
    assert np.median(usual) < 0.5


def test_a_meter_without_a_past_is_not_scored() -> None:
    stream = readings(days=1)
    assert np.isnan(scorer().score(stream, Past.unknown(len(stream)))).all()


def test_calibration_compares_with_meters_of_the_same_size() -> None:
    calibrated = Calibrated(
        Calibration(size_edges_kw=[1.0], shares=[1.0, 0.1, 0.01], thresholds=[[0.3, 0.5, 0.6], [0.4, 0.6, 0.7]])
    )
    share = calibrated.share(np.array([0.6, 0.6]), np.array([0.5, 2.0], dtype=np.float32))
    assert share == pytest.approx([0.01, 0.1])


def test_calibration_goes_on_beyond_what_was_seen() -> None:
    calibrated = Calibrated(Calibration(size_edges_kw=[], shares=[1.0, 0.1, 0.01], thresholds=[[0.3, 0.5, 0.6]]))
    share = calibrated.share(np.array([0.2, 0.6, 0.65, 0.8]), np.zeros(4, dtype=np.float32))
    assert share[0] == pytest.approx(1.0)
    assert (np.diff(share) < 0).all()
