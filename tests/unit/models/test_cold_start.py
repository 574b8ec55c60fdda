"""A meter on its first day is measured by the day of its class, at its own level."""

import numpy as np
import pytest

from models.cold_start import ColdStart, FirstDays, profiles
from models.manifest import ClassProfile
from processors.judge import judge
from processors.judgement import Judgement
from processors.judging import Judging
from processors.state import MeterState
from schemas.meter_class import CLASSES
from schemas.readings import ReadingBatch
from tests.builders import HOUR_US, START_US, batch

HOME, PLANT = CLASSES.index("residential"), CLASSES.index("industrial")
METERS, DAYS = 60, 4


def fleet(seed: int, meters: int = METERS, days: int = DAYS) -> ReadingBatch:
    """Homes (the first half) draw four times as much in the evening, plants in the morning; sizes differ widely."""
    chance, hours = np.random.default_rng(seed), np.arange(24 * days)
    homes = np.arange(meters) < meters // 2
    peak = np.where(homes, hours[:, None] % 24 >= 18, (hours[:, None] % 24 >= 6) & (hours[:, None] % 24 < 12))
    energy = 2.0 ** chance.uniform(-3, 3, meters) * np.where(peak, 4.0, 1.0) * chance.lognormal(0, 0.2, peak.shape)
    times = START_US + HOUR_US * np.repeat(hours, meters)
    return batch([f"M{k}" for k in range(meters)] * len(hours), times, consumption_kwh=energy.reshape(-1).tolist())


def judged(stream: ReadingBatch, meters: int = METERS) -> Judgement:
    state = MeterState()
    rows = state.rows(stream.meter_number)
    state.vee_class[rows] = np.where(rows < meters // 2, HOME, PLANT)
    return judge(stream, rows, state, Judging())


@pytest.fixture(scope="module")
def known() -> list[ClassProfile]:
    stream = fleet(1)
    return profiles(FirstDays.of(stream, judged(stream)))


def scores(known: list[ClassProfile], stream: ReadingBatch, meters: int = METERS) -> np.ndarray:
    found = ColdStart(known).score(stream, judged(stream, meters).past, 100.0)
    return found.reshape(-1, meters)


def test_classes_have_the_shape_of_their_days(known: list[ClassProfile]) -> None:
    assert [one.meter_class for one in known] == ["unknown", "residential", "industrial"]
    home, plant = (np.array(one.shape[:24]) for one in known[1:])
    assert home[18:].min() > 2 * home[:17].max()
    assert plant[6:12].min() > 2 * plant[13:].max()


def test_the_first_evening_of_a_home_is_nothing_and_the_same_at_a_plant_is_news(known: list[ClassProfile]) -> None:
    stream = fleet(2, days=1)
    evening = scores(known, stream)[18]
    assert evening[: METERS // 2].max() < 0.7
    swapped = fleet(2, days=1).take(np.arange(18 * METERS))
    assert np.nanmax(scores(known, swapped)[12:]) < 0.7
    as_plants = [one.model_copy(update={"shape": known[2].shape}) if one is known[1] else one for one in known]
    assert np.median(scores(as_plants, stream)[18, : METERS // 2]) > 0.5


def test_ten_times_what_the_class_expects_scores_high_on_the_first_day(known: list[ClassProfile]) -> None:
    stream = fleet(3, days=1)
    energy = stream.floats("consumption_kwh").reshape(-1, METERS).copy()
    energy[10, 0] *= 10.0
    strange = batch(stream.meter_number.to_pylist(), stream.time_us, consumption_kwh=energy.reshape(-1).tolist())
    found = scores(known, strange)
    assert found[10, 0] > 0.85
    assert np.nanmean(np.delete(found[2:], 0, axis=1) >= 0.85) < 0.01


def test_a_class_that_nobody_trained_on_is_measured_by_all(known: list[ClassProfile]) -> None:
    assert np.isfinite(scores(known[:1], fleet(4, days=1))[2:]).all()


def test_nothing_is_said_of_a_meter_that_is_known_or_without_a_level_or_by_a_model_without_classes(
    known: list[ClassProfile],
) -> None:
    found = scores(known, fleet(5))
    assert np.isnan(found[26:]).all()
    assert np.isnan(found[:2]).all()
    assert np.isnan(scores([], fleet(5))).all()


def test_too_few_first_days_make_no_profile() -> None:
    stream = fleet(6, meters=4)
    assert profiles(FirstDays.of(stream, judged(stream, 4))) == []
