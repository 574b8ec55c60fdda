"""The measures by which detectors are compared, on cases that can be counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from models.evaluation.baselines import Detector, each, plain_forest, rolling_z, seasonal_naive
from models.evaluation.bench import ENGINE, run, split
from models.evaluation.engine import as_readings, engine
from models.evaluation.healthy import count, promised
from models.evaluation.measures import Tally, counted, precision_recall, tally
from models.evaluation.series import Series, dutch_power_demand, nab, spans_of, transformer_iot
from tests.builders import MINUTE_US, START_US
from tests.trained import readings

STEP_US = 15 * MINUTE_US


def series(windows: list[tuple[int, int]], count: int = 1_000, name: str = "M1", group: str = "a set") -> Series:
    """A day after the other, alike but for chance; windows are first and last positions."""
    hour = np.arange(count) % 96 / 4.0
    load = 2 + np.sin(hour * np.pi / 12) + np.random.default_rng(3).normal(0, 0.05, count)
    times = START_US + STEP_US * np.arange(count, dtype=np.int64)
    spans = np.array([(times[first], times[last]) for first, last in windows], dtype=np.int64).reshape(-1, 2)
    for first, last in windows:
        load[first : last + 1] += 8
    return Series(group, name, times, load[:, None], ("demand_kw",), spans, 900.0)


def at(*positions: int, count: int = 1_000) -> np.ndarray:
    return np.isin(np.arange(count), positions)


def test_an_alarm_in_each_window_and_nowhere_else_is_perfect() -> None:
    found = tally(series([(300, 309), (600, 609)]), at(300, 600))
    assert (found.windows, found.found, found.wrong, found.delay_intervals) == (2, 2, 0, 0)
    assert (found.event_precision, found.event_recall, found.event_f1) == (1.0, 1.0, 1.0)
    assert found.nab_score == pytest.approx(100.0)
    assert (found.point_true, found.point_missed, found.point_false) == (2, 18, 0)


def test_silence_finds_nothing() -> None:
    found = tally(series([(300, 309)]), at())
    assert (found.found, found.event_f1, found.nab_score) == (0, 0.0, 0.0)
    assert np.isnan(found.mean_delay)


def test_an_alarm_that_never_ends_is_many_false_ones() -> None:
    found = tally(series([(300, 309)]), at(*range(1_000)))
    assert found.found == 1
    assert found.wrong >= 83
    assert found.event_precision < 0.02


def test_alarms_close_together_are_one_false_alarm() -> None:
    assert tally(series([]), at(500, 501, 502)).wrong in (1, 2)
    assert tally(series([]), at(500, 530)).wrong == 2


def test_delay_counts_intervals_from_the_begin() -> None:
    assert tally(series([(300, 309)]), at(304)).mean_delay == 4.0


@pytest.mark.parametrize(("position", "found"), [(299, 0), (300, 1), (309, 1), (311, 1), (312, 0)])
def test_a_window_is_found_up_to_two_intervals_after_its_end(position: int, found: int) -> None:
    assert tally(series([(300, 309)]), at(position)).found == found


def test_what_happens_in_the_probation_counts_for_nobody() -> None:
    found = tally(series([(20, 29), (300, 309)]), at(20, 60, 300))
    assert (found.windows, found.found, found.wrong) == (1, 1, 0)


def test_tallies_add_up() -> None:
    one = tally(series([(300, 309)]), at(300, 500))
    assert (one + one).windows == 2
    assert (one + one).event_f1 == one.event_f1
    assert Tally().event_f1 == 0.0


def test_average_precision_is_one_for_a_perfect_order_and_the_share_for_none() -> None:
    labelled = series([(300, 399)])
    perfect = labelled.anomalous().astype(float)
    assert precision_recall([labelled], [perfect])[2] == pytest.approx(1.0)
    assert precision_recall([labelled], [np.zeros(1_000)])[2] == pytest.approx(100 / 850)


def test_runs_are_parted_by_gaps_only() -> None:
    times = np.arange(10, dtype=np.int64)
    assert spans_of(times, np.isin(times, [1, 2, 5, 9]), 3).tolist() == [[1, 5], [9, 9]]
    assert spans_of(times, np.zeros(10, dtype=bool), 3).shape == (0, 2)


@pytest.mark.parametrize("score", [plain_forest, rolling_z, seasonal_naive], ids=lambda score: score.__name__)
def test_every_baseline_finds_what_nobody_could_miss(score: object) -> None:
    labelled = series([(600, 603)])
    (scores,) = each(score)([labelled])  # type: ignore[arg-type]
    assert scores.shape == (1_000,)
    assert np.isfinite(scores).all()
    others = counted(labelled) & ~labelled.anomalous()
    assert scores[600] >= np.quantile(scores[others], 0.98)


def test_the_engine_finds_it_too_and_series_do_not_touch_each_other() -> None:
    one, other = series([(600, 603)]), series([], name="M2")
    together = engine([one, other])
    assert one.anomalous()[together[0].argmax()]
    assert together[0][600] > 0.95
    assert together[0].tobytes() == engine([one])[0].tobytes()
    assert as_readings([one, other]).meter_number.to_pylist() == ["S0"] * 1_000 + ["S1"] * 1_000


def test_thresholds_are_chosen_on_series_that_are_not_reported() -> None:
    labelled = [series([(500, 510)], name="tuning/M1"), series([(600, 603)])]
    assert [len(part) for part in split(labelled)] == [1, 1]
    oracle: Detector = each(lambda one: one.anomalous().astype(float))
    ours, blind = run(labelled, {ENGINE: engine, "oracle": oracle})
    assert ours.tallies["a set"].windows == blind.tallies["a set"].windows == 1
    assert ours.mean_event_f1 == 1.0
    assert blind.mean_event_f1 == 1.0


def test_hindsight_is_what_the_best_threshold_of_each_data_set_would_have_given() -> None:
    labelled = [series([(500, 510)], name="tuning/M1"), series([(600, 603)])]
    # On the tuning series nothing stands out, so that its threshold is no good for the other.
    misled = each(lambda one: one.values[:, 0] * (1.0 if one.name == "M1" else -1.0))
    (found,) = run(labelled, {"misled": misled})
    assert found.tallies["a set"].event_f1 < found.hindsight["a set"] == 1.0


def test_alarms_on_healthy_readings_are_counted_after_the_learning_time() -> None:
    found = count([readings(days=20)], learning_days=10)
    assert found.meter_days == pytest.approx(80, rel=0.05)
    assert found.critical <= found.warnings
    reaching = [found.reaching[score] for score in sorted(found.reaching)]
    assert reaching == sorted(reaching, reverse=True)
    assert set(found.reaching) == set(promised())


def test_public_sets_are_read(shared_data: Path) -> None:
    assert [len(one.windows) for one in nab(shared_data / "nab")] == [2, 1, 3, 4, 5, 2, 2]
    (building,) = dutch_power_demand(shared_data / "dutch_power_demand")
    assert (len(building.time_us), len(building.windows)) == (35_040, 3)
    (transformer,) = transformer_iot(shared_data / "transformer_iot")
    assert (np.diff(transformer.time_us) > 0).all()
    assert 5 < len(transformer.windows) < 50
