"""The scoreboard counts what was found, what was made up, and calls nothing 100 % that is nothing."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from simulators.faults import CATALOGUE, FLEET_CLASSES, MARKET_CLASSES, FaultClass
from simulators.garbage import digest
from simulators.labels import Label
from simulators.score import NO_FAULT, Score, Signs, score
from stream.simulate.scoreboard import NOTHING_SAID, page

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
    assert all((fault.value in text) == (fault in FLEET_CLASSES) for fault in FaultClass)


def test_a_kind_that_hit_once_by_chance_does_not_spoil_the_precision() -> None:
    faults = [label(FaultClass.NEGATIVE, [f"M{number}"], 0, 15) for number in range(4)]
    rejects = [("reject/negative_energy", f"M{number}", 10.0) for number in range(4)]
    chance = [("flag/anomaly", "M0", 10.0), *(("flag/anomaly", f"X{number}", 10.0) for number in range(50))]
    found = of(score(faults, signs(*rejects, *chance), 1.0, 0.0), FaultClass.NEGATIVE)
    assert (found["recall"], found["precision"]) == (1.0, 1.0)


def test_what_healthy_meters_show_as_often_finds_nothing() -> None:
    """Half of all readings are remarked on: two of four during a theft say nothing of it, four of four spikes do."""
    theft = label(FaultClass.THEFT, ["M1"], 0, 60)
    remarks = [("rule/zero_energy", f"X{number}", minute) for number in range(50) for minute in (15.0, 45.0)]
    on_it = [("rule/zero_energy", "M1", minute) for minute in (15.0, 45.0)]
    spikes = [("rule/spike", "M1", minute) for minute in (15.0, 30.0, 45.0, 60.0)]
    days = 51 / 24
    assert of(score([theft], signs(*remarks, *on_it), days, 0.0), FaultClass.THEFT)["detected"] == 0
    found = score([theft], signs(*remarks, *on_it, *spikes), days, 0.0)
    assert of(found, FaultClass.THEFT)["detected"] == 1
    assert found.confusion["theft"] == {"rule/spike": 1, "rule/zero_energy": 0}
    assert found.false_alarms == 0


def garbage(meter: str, payload: bytes) -> Label:
    return label(FaultClass.GARBAGE, [meter], 0, 60).model_copy(update={"detail": digest(payload)})


def test_garbage_that_was_rejected_is_recognised_by_its_bytes_although_nobody_knows_its_place() -> None:
    truth = [garbage("M1", b"null"), garbage("M2", b"ERR"), garbage("M3", b"never came")]
    content = {
        digest(b"null"): "reject/wrong_shape",
        digest(b"ERR"): "reject/not_json",
        digest(b"x"): "reject/not_json",
    }
    found = score(truth, Signs([], [], np.empty(0, dtype=np.int64), {"reject/bad_arrow": 2}, content), 1.0, 0.0)
    one = of(found, FaultClass.GARBAGE)
    assert (one["labelled"], one["detected"], one["recall"]) == (3, 2, 2 / 3)
    # Nothing says when it came, nor how much of the rest was no garbage of this run.
    assert (one["delay_p50_s"], one["precision"]) == (None, None)
    assert found.confusion["garbage"] == {"reject/not_json": 1, "reject/wrong_shape": 1}
    kinds = {kind.kind: (kind.signs, kind.true, kind.unplaced) for kind in found.kinds}
    assert kinds == {"reject/wrong_shape": (1, 1, 0), "reject/not_json": (1, 1, 1), "reject/bad_arrow": (0, 0, 2)}


def test_bytes_find_no_fault_of_another_class() -> None:
    spike = SPIKES[0].model_copy(update={"detail": digest(b"null")})
    found = score([spike], Signs([], [], np.empty(0, dtype=np.int64), {}, {digest(b"null"): "reject/x"}), 1.0, 0.0)
    assert of(found, FaultClass.SPIKE)["detected"] == 0


def test_labels_of_markets_are_scored_by_symbol_and_beside_their_own_classes_only() -> None:
    finger = label(FaultClass.FAT_FINGER, ["omie/ES"], 0, 3)
    found = score([finger], signs(("alert/price_spike", "omie/ES", 2), ("alert/price_spike", "omie/PT", 2)), 2.0, 0.0)
    assert {one.fault for one in found.classes} == MARKET_CLASSES
    assert of(found, FaultClass.FAT_FINGER)["recall"] == 1.0
    assert found.false_alarms == 1
    assert "symbol-days" in page(found, "markets")


def test_an_engine_that_says_nothing_of_markets_has_a_recall_of_zero_and_no_precision() -> None:
    found = score([label(FaultClass.STALE_FEED, ["omie/ES"], 0, 60)], signs(), 0.0, 0.0)
    one = of(found, FaultClass.STALE_FEED)
    assert (one["recall"], one["precision"], found.false_per_10k_meter_days) == (0.0, None, None)
    assert found.kinds == []
    assert NOTHING_SAID in page(found, "markets")
    assert "Which sign" not in page(found, "markets")
