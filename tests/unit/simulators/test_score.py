"""The scoreboard counts what was found, what was made up, and calls nothing 100 % that is nothing."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from simulators.faults import CATALOGUE, FaultClass
from simulators.labels import Label
from simulators.score import NO_FAULT, Score, Signs, score
from stream.simulate.scoreboard import page

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def label(fault: FaultClass, meters: list[str], start_min: float, end_min: float, element: str | None = None) -> Label:
    spec = CATALOGUE[fault]
    return Label(
        label_id=f"{fault}-{meters[0]}-{start_min}",
        fault=fault,
        element_kind=spec.element,
        element=element or meters[0],
        start=NOON + timedelta(minutes=start_min),
        end=NOON + timedelta(minutes=end_min),
        meters=meters,
        size=1.0,
        unit=spec.unit,
    )


def signs(*said: tuple[str, str, float], **unplaced: int) -> Signs:
    times = [round((NOON + timedelta(minutes=minute)).timestamp() * 1e6) for _, _, minute in said]
    return Signs(
        [kind for kind, _, _ in said], [place for _, place, _ in said], np.array(times, dtype=np.int64), unplaced
    )


def of(found: Score, fault: FaultClass) -> dict[str, object]:
    (one,) = [one for one in found.classes if one.fault is fault]
    return vars(one)


SPIKES = [label(FaultClass.SPIKE, ["M1"], 0, 15), label(FaultClass.SPIKE, ["M2"], 60, 75)]


def test_a_fault_with_a_sign_is_detected_and_one_without_is_not() -> None:
    found = of(score(SPIKES, signs(("flag/anomaly", "M1", 15)), 10.0, 0.0), FaultClass.SPIKE)
    assert (found["labelled"], found["detected"], found["recall"]) == (2, 1, 0.5)
    assert found["precision"] == 1.0
    assert found["delay_p50_s"] == 900


@pytest.mark.parametrize(("minute", "hit"), [(0, False), (0.1, True), (15, True), (15.1, False)])
def test_a_sign_counts_after_the_start_and_up_to_the_end(minute: float, hit: bool) -> None:
    found = score(SPIKES[:1], signs(("flag/anomaly", "M1", minute)), 10.0, 0.0)
    assert of(found, FaultClass.SPIKE)["detected"] == int(hit)
    assert found.false_alarms == int(not hit)


def test_grace_lets_a_fault_be_noticed_later() -> None:
    found = score(SPIKES[:1], signs(("flag/anomaly", "M1", 40)), 10.0, 1_800.0)
    assert of(found, FaultClass.SPIKE)["detected"] == 1


def test_a_sign_on_another_meter_is_a_false_alarm() -> None:
    found = score(SPIKES[:1], signs(("flag/anomaly", "M9", 10), ("flag/anomaly", "M1", 10)), 20_000.0, 0.0)
    assert found.false_alarms == 1
    assert found.false_per_10k_meter_days == 0.5
    assert of(found, FaultClass.SPIKE)["precision"] == 0.5
    assert found.confusion == {"spike": {"flag/anomaly": 1}, NO_FAULT: {"flag/anomaly": 1}}


def test_false_signs_of_another_kind_do_not_count_against_a_class() -> None:
    found = score(SPIKES[:1], signs(("flag/warning", "M9", 10), ("flag/anomaly", "M1", 10)), 1.0, 0.0)
    assert of(found, FaultClass.SPIKE)["precision"] == 1.0
    assert {kind.kind: kind.precision for kind in found.kinds} == {"flag/warning": 0.0, "flag/anomaly": 1.0}


def test_a_sign_on_the_element_finds_the_fault_of_all_its_meters() -> None:
    outage = label(FaultClass.FEEDER_OUTAGE, ["M1", "M2", "M3"], 0, 60, element="F00001")
    for place in ("F00001", "M3"):
        found = score([outage], signs(("alert/outage", place, 5)), 1.0, 0.0)
        assert of(found, FaultClass.FEEDER_OUTAGE)["detected"] == 1


def test_many_signs_on_one_fault_are_one_detection_and_the_first_one_counts() -> None:
    found = score(SPIKES[:1], signs(*(("flag/anomaly", "M1", minute) for minute in (14, 3, 9))), 1.0, 0.0)
    one = of(found, FaultClass.SPIKE)
    assert (one["detected"], one["delay_p50_s"], one["precision"]) == (1, 180, 1.0)
    assert found.confusion["spike"] == {"flag/anomaly": 1}


def test_empty_truth_has_no_recall_and_every_sign_is_false() -> None:
    found = score([], signs(("flag/anomaly", "M1", 5)), 1.0, 0.0)
    assert {one.recall for one in found.classes} == {None}
    assert {one.precision for one in found.classes} == {None}
    assert found.false_alarms == 1


def test_empty_output_has_a_recall_of_zero_and_no_precision() -> None:
    found = score(SPIKES, signs(), 1.0, 0.0)
    assert of(found, FaultClass.SPIKE)["recall"] == 0.0
    assert of(found, FaultClass.SPIKE)["precision"] is None
    assert found.kinds == []


def test_nothing_at_all_is_nothing_at_all() -> None:
    found = score([], signs(), 0.0, 0.0)
    assert found.false_per_10k_meter_days is None
    assert all(one.labelled == 0 and one.recall is None for one in found.classes)


def test_signs_without_a_place_are_counted_and_never_matched() -> None:
    unplaced = Signs([], [], np.empty(0, dtype=np.int64), {"reject/not_json": 7})
    (kind,) = score(SPIKES, unplaced, 1.0, 0.0).kinds
    assert (kind.kind, kind.signs, kind.precision, kind.unplaced) == ("reject/not_json", 0, None, 7)


def test_the_page_shows_every_class_and_escapes_what_it_is_told() -> None:
    text = page(score(SPIKES, signs(("flag/<b>", "M1", 5)), 1.0, 0.0), "run & score")
    assert "run &amp; score" in text
    assert "flag/&lt;b&gt;" in text
    assert all(fault.value in text for fault in FaultClass)


def test_a_kind_that_hit_once_by_chance_does_not_spoil_the_precision() -> None:
    faults = [label(FaultClass.NEGATIVE, [f"M{number}"], 0, 15) for number in range(4)]
    rejects = [("reject/negative_energy", f"M{number}", 10.0) for number in range(4)]
    chance = [("flag/anomaly", "M0", 10.0), *(("flag/anomaly", f"X{number}", 10.0) for number in range(50))]
    found = of(score(faults, signs(*rejects, *chance), 1.0, 0.0), FaultClass.NEGATIVE)
    assert (found["recall"], found["precision"]) == (1.0, 1.0)
