"""What is sent, in which order, and what happens to it on the way."""

from collections import Counter

import numpy as np
import pytest

from schemas.codec import decode
from schemas.readings import ReadingBatch
from simulators.cohorts import MIXED, cohorts
from simulators.dispatch import Dispatch, Dispatcher, Timing
from simulators.faults import FaultClass
from simulators.fleet import Fleet
from simulators.garbage import digest, garbage_bytes
from simulators.grid import Grid
from simulators.labels import labels
from simulators.local_time import DAY_S
from simulators.profile import FaultRate, Profile
from simulators.schedule import Events, Window, schedule
from simulators.transformers import TransformerMeters

GRID = Grid.build(300, 7)
JITTERED = Timing(45.0)
START, END = 5_900 * DAY_S, 5_900 * DAY_S + 6 * 3_600


def events(fault: FaultClass, **settings: object) -> Events:
    profile = Profile(faults={fault: FaultRate.model_validate({"count": 5} | settings)})
    return schedule(profile, GRID, 7, Window(START, END, 900))


def sent(
    faults: Events | None = None, interval_s: int | None = 900, timing: Timing = JITTERED, batch_rows: int = 2_000
) -> list[Dispatch]:
    fleet = Fleet(GRID, 7, faults=faults)
    return list(Dispatcher(fleet, cohorts(fleet, interval_s), timing).run(START, END, batch_rows))


def rows(parts: list[Dispatch]) -> Counter[tuple[int, int]]:
    return Counter(
        (meter, time)
        for part in parts
        for meter, time in zip(part.meter.tolist(), part.batch.time_us.tolist(), strict=True)
    )


def due(parts: list[Dispatch]) -> np.ndarray:
    return np.concatenate([part.due_s for part in parts])


CLEAN = rows(sent())


def test_every_reading_is_sent_once_in_order_of_its_due_time() -> None:
    parts = sent()
    assert rows(parts) == CLEAN
    assert set(CLEAN.values()) == {1}
    assert len(CLEAN) == 300 * 24
    assert (np.diff(due(parts)) >= 0).all()


def test_nothing_is_sent_before_its_interval_has_ended_and_all_within_the_jitter() -> None:
    for part in sent():
        delay = part.due_s - (part.batch.time_us / 1e6 - 14_610 * DAY_S)
        assert delay.min() >= 0
        assert delay.max() <= 45


def test_without_jitter_all_report_at_the_edge() -> None:
    assert set((due(sent(timing=Timing())) % 900).tolist()) == {0.0}


def test_a_concentrator_sends_its_meters_together() -> None:
    for part in sent(timing=Timing(45.0, together=True)):
        groups = zip(GRID.meter_transformer[part.meter].tolist(), part.batch.time_us.tolist(), strict=True)
        moments: dict[tuple[int, int], set[float]] = {}
        for group, moment in zip(groups, part.due_s.tolist(), strict=True):
            moments.setdefault(group, set()).add(moment)
        assert all(len(found) == 1 for found in moments.values())


def test_a_mixture_reports_every_5_15_and_30_minutes() -> None:
    found = rows(sent(interval_s=None))
    per_meter = Counter(meter for meter, _ in found)
    minutes = Counter(6 * 60 // count for count in per_meter.values())
    assert set(minutes) == {length for length, _ in MIXED}
    assert minutes[15] > minutes[30] > minutes[5]


@pytest.mark.parametrize("batch_rows", [1, 700, 10**6])
def test_batches_of_any_size_send_the_same(batch_rows: int) -> None:
    faults = events(FaultClass.LATE)
    parts = sent(faults, batch_rows=batch_rows)
    assert rows(parts) == CLEAN
    assert (np.diff(due(parts)) >= 0).all()


def affected(faults: Events) -> set[tuple[int, int]]:
    offset = 14_610 * DAY_S
    return {
        (meter, time)
        for meter, time in CLEAN
        for event in faults
        if event.first <= meter < event.last and event.start_s < time / 1e6 - offset <= event.end_s
    }


@pytest.mark.parametrize("fault", [FaultClass.DUPLICATE, FaultClass.STORM])
def test_copies_are_sent_as_often_as_the_label_says(fault: FaultClass) -> None:
    faults = events(fault, count=2)
    more = rows(sent(faults)) - CLEAN
    assert set(more) == affected(faults)
    copies = {meter: round(event.size) for event in faults for meter in range(event.first, event.last)}
    assert all(count == copies[meter] for (meter, _), count in more.items())


def test_late_readings_come_as_late_as_the_label_says() -> None:
    faults = events(FaultClass.LATE)
    hit, sizes = affected(faults), {event.first: event.size for event in faults}
    for part in sent(faults):
        delay = part.due_s - (part.batch.time_us / 1e6 - 14_610 * DAY_S)
        for meter, time, late in zip(part.meter.tolist(), part.batch.time_us.tolist(), delay.tolist(), strict=True):
            assert (0 <= late - sizes[meter] <= 45) if (meter, time) in hit else late <= 45


def test_reordered_readings_arrive_behind_later_ones() -> None:
    faults = events(FaultClass.REORDERED, minutes=[120, 180])
    parts = sent(faults)
    assert rows(parts) == CLEAN
    meter, time = (np.concatenate([getattr(part, name) for part in parts]) for name in ("meter", "due_s"))
    times = np.concatenate([part.batch.time_us for part in parts])
    assert (np.diff(time) >= 0).all()
    backwards = {number for number in range(300) if (np.diff(times[meter == number]) < 0).any()}
    assert backwards == {event.first for event in faults}


def test_garbage_takes_the_place_of_readings() -> None:
    faults = events(FaultClass.GARBAGE)
    parts = sent(faults)
    assert set(CLEAN - rows(parts)) == affected(faults)
    assert sum(len(part.garbage) for part in parts) == len(affected(faults))
    said = {(label.element, label.detail) for label in labels(faults, GRID)}
    assert {(f"M{item.meter:08d}", digest(item.payload)) for part in parts for item in part.garbage} == said


@pytest.mark.parametrize("bits", range(12))
def test_no_decoder_can_read_garbage(bits: int) -> None:
    payload = garbage_bytes(bits, 60)
    found = decode([payload], [None], ReadingBatch)
    assert len(found.batch) == 0
    assert found.faults
    assert payload == garbage_bytes(bits, 60)


def test_transformers_report_too_when_they_have_meters() -> None:
    fleet = Fleet(GRID, 7)
    dispatcher = Dispatcher(fleet, cohorts(fleet, 900), Timing(), TransformerMeters(fleet))
    found = rows(list(dispatcher.run(START, END, 10_000)))
    theirs = found - CLEAN
    assert len(theirs) == 24 * len(GRID.transformer_kva)
    assert min(meter for meter, _ in theirs) == GRID.meters


def test_outages_are_announced_and_their_end_reported() -> None:
    faults = events(FaultClass.TRANSFORMER_OUTAGE, count=1, minutes=[60, 90])
    (outage,) = faults
    words = Counter(
        word for part in sent(faults) for word in part.batch.column("source_quality").drop_null().to_pylist()
    )
    meters = outage.last - outage.first
    assert words["power_up"] == meters
    assert 0.6 * meters < words["last_gasp"] <= meters
