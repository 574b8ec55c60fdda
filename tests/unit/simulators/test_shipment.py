"""Shipments become messages with due times, and lose nothing on the way."""

from collections import Counter

import numpy as np
import orjson
import pytest

from simulators.cargo import CargoPace
from simulators.cohorts import cohorts
from simulators.dispatch import Dispatch, Dispatcher, Timing
from simulators.fingerprint import fingerprint
from simulators.fleet import Fleet
from simulators.grid import Grid
from simulators.local_time import DAY_S
from simulators.messages import Mode
from simulators.pacing import UNPACED
from simulators.profile import load_profile
from simulators.schedule import Window, schedule
from simulators.shipment import FleetPublisher, Shipment
from simulators.transport import ListTransport

GRID = Grid.build(400, 7)
START, END = 5_900 * DAY_S, 5_900 * DAY_S + 4 * 3_600
FAULTS = schedule(load_profile("showcase"), GRID, 7, Window(START, END, 900))


def sent(part: int = 0, of: int = 1, batch_rows: int = 3_000) -> list[Dispatch]:
    fleet = Fleet(GRID, 7, (part, of), FAULTS)
    return list(Dispatcher(fleet, cohorts(fleet, 900), Timing(45.0)).run(START, END, batch_rows))


def publisher(mode: Mode, speedup: float, **settings: int) -> FleetPublisher:
    transport = ListTransport()
    pace = CargoPace(speedup, origin_s=START, most_rows=settings.pop("most_rows", 5_000))
    return FleetPublisher(transport, mode=mode, pace=pace, grid=GRID, now=transport.now, **settings)


@pytest.mark.parametrize("mode", [Mode.SINGLE, Mode.CONCENTRATOR])
@pytest.mark.parametrize("speedup", [UNPACED, 3_600.0])
def test_every_reading_and_all_garbage_arrives(mode: Mode, speedup: float) -> None:
    parts = sent()
    sender = publisher(mode, speedup, most_rows=37)
    report = sender.run(Shipment.of(part) for part in parts)
    messages = sender.transport.messages  # type: ignore[attr-defined]
    found: Counter[tuple[str, str]] = Counter()
    for message in messages:
        if message.readings:
            payload = orjson.loads(message.payload)
            readings = payload if mode is Mode.CONCENTRATOR else [payload]
            assert len(readings) == message.readings
            found.update((reading["meter_number"], reading["reading_time"]) for reading in readings)
    expected = sum(len(part.batch) for part in parts)
    assert found.total() == report.readings == report.acked == expected
    assert len(messages) - sum(1 for message in messages if message.readings) == sum(
        len(part.garbage) for part in parts
    )
    assert sender.garbage_sent == sum(len(part.garbage) for part in parts)


def test_concentrators_send_their_own_meters() -> None:
    sender = publisher(Mode.CONCENTRATOR, UNPACED)
    sender.run(Shipment.of(part) for part in sent())
    for message in sender.transport.messages:  # type: ignore[attr-defined]
        if message.readings:
            transformer = int(message.topic.split("/")[1][1:])
            meters = {int(reading["meter_number"][1:]) for reading in orjson.loads(message.payload)}
            assert {int(GRID.meter_transformer[meter]) for meter in meters} == {transformer}


def test_long_arrays_are_cut() -> None:
    sender = publisher(Mode.CONCENTRATOR, UNPACED, per_message=7)
    sender.run(Shipment.of(part) for part in sent())
    sizes = [message.readings for message in sender.transport.messages]  # type: ignore[attr-defined]
    assert max(sizes) == 7


def test_parts_are_due_by_the_schedule_and_not_before_their_readings() -> None:
    pace = CargoPace(600.0, origin_s=START)
    parts = list(pace.cut([Shipment.of(part) for part in sent()]))
    due = np.array([part.due_s for part in parts])
    assert (np.diff(due) >= 0).all()
    for part in parts:
        assert isinstance(part.batch, Shipment)
        if len(part.batch):
            late = part.due_s - (part.batch.due_s - START) / 600.0
            assert late.min() >= -1e-9
            assert late.max() <= pace.tick_s + 1e-9


def test_the_fingerprint_is_the_same_however_the_work_is_shared() -> None:
    whole = sum(map(fingerprint, sent())) % 2**64
    assert whole == sum(fingerprint(part) for number in range(3) for part in sent(number, 3)) % 2**64
    assert whole == sum(map(fingerprint, sent(batch_rows=1))) % 2**64


def test_the_fingerprint_sees_every_change() -> None:
    (first, *_) = [part for part in sent() if len(part.batch)]
    base = fingerprint(first)
    later = Dispatch(first.batch, first.due_s + np.eye(1, len(first.due_s), 3)[0], first.meter, first.garbage)
    fewer = Dispatch(first.batch.slice(1, len(first.batch) - 1), first.due_s[1:], first.meter[1:], first.garbage)
    others = Dispatch(first.batch, first.due_s, first.meter[::-1].copy(), first.garbage)
    assert len({base, *(fingerprint(changed) for changed in (later, fewer, others))}) == 4
