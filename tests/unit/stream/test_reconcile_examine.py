"""Reconcile finds in a record exactly what the worker finds in it."""

import numpy as np

from processors.judging import Judging
from processors.state import MeterState
from processors.validate import Limits
from schemas.rejected import Reason, Rejected
from stream.reconcile.examine import Raw, examine, reject_ids
from stream.reconcile.subject import readings
from stream.worker.flow import PartitionFlow
from stream.worker.intake import Record
from tests.builders import ARRIVED_US, HOUR_US, START_US, batch, payload, reading

PAYLOADS = [
    payload(reading("M1", START_US, consumption_kwh=1.0), reading("M2", START_US, voltage=400)),
    b"not json",
    payload(reading("M3", START_US, power_factor=2), reading("M3", START_US + HOUR_US), {"reading_time": "x"}),
    payload(reading("M1", START_US, consumption_kwh=1.0)),
]


def test_the_same_readings_and_the_same_rejects_as_the_worker() -> None:
    flow = PartitionFlow("meters.raw", 3, MeterState(), np.empty(0, dtype=np.int64), Limits(), Judging())
    step = flow.process([Record(at, value, None, ARRIVED_US) for at, value in enumerate(PAYLOADS)])
    assert step is not None

    examined = examine([Raw(3, at, value, None, ARRIVED_US) for at, value in enumerate(PAYLOADS)], readings(Limits()))

    assert examined.batch.records.equals(step.batch.records)
    assert examined.offset.tolist() == step.offset.tolist()
    assert sorted(examined.reject_ids) == sorted(item.reject_id for item in step.rejected)
    assert examined.rejected_from.tolist() == [3] * len(step.rejected)


def test_every_reading_keeps_its_partition_and_record() -> None:
    raws = [Raw(partition, 10 + partition, PAYLOADS[3], None, ARRIVED_US) for partition in (5, 2)]
    examined = examine(raws, readings(Limits()))
    assert examined.partition.tolist() == [5, 2]
    assert examined.offset.tolist() == [15, 12]
    assert examined.record.tolist() == [0, 1]


def test_a_contradiction_has_the_id_under_which_the_store_rejects_it() -> None:
    rows = batch(["M1", "M2"], START_US, consumption_kwh=[1.0, np.nan], voltage=[np.nan, 231.5])
    expected = [
        Rejected.of(value, Reason.CONFLICTING_DUPLICATE, "", source="", rejected_at="2024-01-01T00:00:00Z").reject_id
        for value in (
            b'{"meter_number":"M1","reading_time":"2024-01-01T00:00:00.000000Z","consumption_kwh":1}',
            b'{"meter_number":"M2","reading_time":"2024-01-01T00:00:00.000000Z","voltage":231.5}',
        )
    ]
    assert reject_ids(rows, [Reason.CONFLICTING_DUPLICATE] * 2) == expected


def test_nothing_has_no_ids() -> None:
    assert reject_ids(batch("M1", START_US).slice(0, 0), []) == []
