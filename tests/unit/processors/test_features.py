import numpy as np
import pytest

from processors.features import FEATURES, features
from processors.judge import judge
from processors.judgement import Past
from processors.judging import Judging
from processors.state import MeterState
from tests.builders import DAY_US, HOUR_US, START_US, batch

NO_HOLIDAYS = np.empty(0, dtype=np.int64)


def past(count: int, **known: float) -> Past:
    found = Past.unknown(count)
    for name, value in known.items():
        getattr(found, name)[:] = value
    return found


def named(row: np.ndarray) -> dict[str, float]:
    return dict(zip(FEATURES, row.tolist(), strict=True))


def test_a_reading_is_described_as_the_documents_say() -> None:
    found = batch(
        "M1", START_US + 5 * DAY_US + 13 * HOUR_US, consumption_kwh=0.5, voltage=207.0, current_amps=2.0,
        power_factor=0.9, temperature_c=21.0,
    )  # fmt: skip
    known = past(1, interval_s=900.0, last_kw=1.0, day_mean_kw=0.8, peak_kw=4.0)
    assert named(features(found, known, NO_HOLIDAYS)[0]) == pytest.approx(
        {
            "voltage": 207.0, "current_amps": 2.0, "power_factor": 0.9, "consumption_kwh": 0.5, "temperature_c": 21.0,
            "load_share": 0.5, "hour": 13.0, "day_of_week": 5.0, "weekend": 1.0, "holiday": 0.0,
            "voltage_deviation": 0.1, "load_change_rate": 1.25, "day_mean_deviation": 1.5,
        }
    )  # fmt: skip


def test_what_is_not_known_is_not_a_number() -> None:
    found = named(features(batch("M1", START_US, voltage=230.0), Past.unknown(1), NO_HOLIDAYS)[0])
    unknown = {name for name, value in found.items() if np.isnan(value)}
    assert unknown == {
        "current_amps", "power_factor", "consumption_kwh", "temperature_c", "load_share", "load_change_rate",
        "day_mean_deviation",
    }  # fmt: skip


def test_a_meter_that_draws_nothing_has_finite_features() -> None:
    known = past(1, interval_s=900.0, last_kw=0.0, day_mean_kw=0.0, peak_kw=0.0)
    assert np.isfinite(features(batch("M1", START_US, consumption_kwh=0.0), known, NO_HOLIDAYS)[0, 5:]).sum() == 7


def test_a_holiday_is_a_day_of_the_given_calendar() -> None:
    days = START_US // DAY_US
    found = features(batch("M1", [START_US, START_US + DAY_US]), Past.unknown(2), np.array([days + 1]))
    assert found[:, FEATURES.index("holiday")].tolist() == [0.0, 1.0]


def test_an_empty_batch_has_no_features() -> None:
    assert features(batch([], []), Past.unknown(0), NO_HOLIDAYS).shape == (0, 13)


def test_the_past_is_what_was_known_before_the_reading() -> None:
    found, state = batch("M1", START_US + HOUR_US * np.arange(4), consumption_kwh=[1.0, 2.0, 3.0, 4.0]), MeterState()
    known = judge(found, state.rows(found.meter_number), state, Judging()).past
    assert np.isnan(known.last_kw[:2]).all()  # nothing is known before an interval is
    assert known.last_kw[2:].tolist() == [2.0, 3.0]
    assert known.interval_s[1:].tolist() == [3600.0] * 3
    assert known.day_mean_kw[2:].tolist() == pytest.approx([2.0, 2.5])
    assert known.peak_kw[2] == 2.0


def test_the_mean_of_a_day_follows_the_last_day() -> None:
    state = MeterState()
    energy = [1.0] * 240 + [2.0] * 48
    found = batch("M1", START_US + HOUR_US * np.arange(len(energy)), consumption_kwh=energy)
    known = judge(found, state.rows(found.meter_number), state, Judging()).past
    assert known.day_mean_kw[240] == pytest.approx(1.0)
    assert 1.8 < known.day_mean_kw[-1] < 2.0
