"""What the demo makes of a tick: the same for a seed, few oddities, and nothing unreadable but the nonsense."""

import numpy as np
import pytest

from processors.validate import FAILURES, Limits, validate
from schemas.codec import decode
from schemas.readings import ReadingBatch
from schemas.rejected import Reason
from stream.demo.spice import named, nonsense, season, spiked
from tests.builders import DAY_US, HOUR_US, START_US, batch

METERS = 400


@pytest.fixture
def interval() -> ReadingBatch:
    return batch(
        [f"M{number:08d}" for number in range(METERS)],
        START_US,
        consumption_kwh=[0.1] * METERS,
        demand_kw=[0.4] * METERS,
        voltage=[230.0] * METERS,
    )


def test_a_seed_and_a_tick_give_the_same_oddities(interval: ReadingBatch) -> None:
    mean = np.full(METERS, 0.1)
    one, same, other = (season(interval, mean, 7, tick) for tick in (3, 3, 4))
    assert one.batch.records.equals(same.batch.records)
    assert one.late.tolist() == same.late.tolist()
    assert not one.batch.records.equals(other.batch.records)


def test_oddities_are_few_and_apart(interval: ReadingBatch) -> None:
    tick = season(interval, np.full(METERS, 0.1), 7, 0)
    energy, voltage = tick.batch.floats("consumption_kwh"), tick.batch.floats("voltage")
    assert len(tick.anomalous) == 3
    assert (energy[tick.anomalous] > 1.0).all()
    assert np.count_nonzero(energy > 1.0) == 3
    assert np.count_nonzero(voltage == 206.0) == 6
    assert np.count_nonzero(voltage == 400.0) == 1
    assert np.count_nonzero(np.isnan(energy)) == 1
    assert not tick.late[tick.anomalous].any()
    assert not set(tick.repeated) & {*tick.anomalous, *np.flatnonzero(tick.late)}


def test_only_the_wild_voltage_is_invalid(interval: ReadingBatch) -> None:
    tick = season(interval, np.full(METERS, 0.1), 7, 0)
    codes = validate(tick.batch, np.full(METERS, START_US + DAY_US), Limits())
    assert [FAILURES[code - 1][0] for code in codes[codes != 0]] == [Reason.VOLTAGE_OUT_OF_RANGE]


def test_a_fleet_of_one_has_no_oddities_that_would_use_it_up() -> None:
    tick = season(batch("M1", START_US, consumption_kwh=0.1, voltage=230.0), np.array([0.1]), 7, 0)
    assert len(tick.anomalous) == 0
    assert tick.batch.floats("voltage").tolist() == [230.0]


def test_an_anomaly_stands_out_even_from_nothing() -> None:
    rows = spiked(batch(["A", "B"], START_US, consumption_kwh=[0.0, np.nan]), np.array([0, 1]), np.zeros(2))
    assert rows.floats("consumption_kwh").tolist() == [0.24, 0.24]
    assert rows.floats("demand_kw").tolist() == [0.96, 0.96]


def test_nonsense_is_refused_for_four_reasons_and_never_twice_the_same(interval: ReadingBatch) -> None:
    first, second = nonsense(interval.slice(0, 1), 1), nonsense(batch("M00000000", START_US + HOUR_US), 2)
    found = decode([message.payload for message in first], [None] * len(first), ReadingBatch)
    assert len(found.batch) == 0
    reasons = [fault.reason for fault in found.faults]
    assert reasons == [Reason.NOT_JSON, Reason.MISSING_IDENTITY, Reason.BAD_TIME, Reason.WRONG_TYPE]
    assert not {message.payload for message in first} & {message.payload for message in second}
    assert all(message.topic == "meters/M00000000/reading" for message in first)


def test_a_prefix_renames_meters_and_nothing_else(interval: ReadingBatch) -> None:
    renamed = named(interval, "R2-")
    assert renamed.meter_number[1].as_py() == "R2-M00000001"
    assert renamed.column("voltage").equals(interval.column("voltage"))
    assert named(interval, "") is interval
