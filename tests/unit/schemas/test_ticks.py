"""Ticks on the wire and as columns."""

import json

import pytest

from schemas import arrow_codec, json_writer
from schemas.codec import decode
from schemas.rejected import Reason
from schemas.ticks import TICK_IDENTITY, Tick, TickBatch
from tests.builders import ARROW, JSON, START_US, comparable, rfc3339

QUOTE = {
    "market": "epex_intraday",
    "symbol": "DE-LU",
    "kind": "quote",
    "bid": -0.1,
    "ask": 0.3,
    "bid_quantity": 5,
    "ask_quantity": 7.5,
    "bid_depth": 120,
    "ask_depth": 80,
}
LMP = {
    "market": "pjm",
    "symbol": "WESTERN-HUB",
    "kind": "settlement",
    "price": 31.41,
    "energy_price": 30.0,
    "congestion_price": 1.5,
    "loss_price": -0.09,
    "currency": "USD",
    "revision": 1,
    "interval_s": 300,
}


def test_every_field_comes_through_json_and_arrow_unchanged() -> None:
    sent = [{**tick, "tick_time": rfc3339(START_US)} for tick in (QUOTE, LMP)]
    found = decode([json.dumps(sent).encode()], [JSON], TickBatch)
    assert found.faults == []
    assert comparable(found.batch.records, TickBatch.layout) == [
        {**tick, "tick_time": START_US} for tick in (QUOTE, LMP)
    ]
    again = decode([arrow_codec.write(found.batch), json_writer.write_array(found.batch)], [ARROW, JSON], TickBatch)
    assert again.batch.slice(0, 2).records.equals(found.batch.records)
    assert again.batch.slice(2, 2).records.equals(found.batch.records)


def test_a_tick_of_before_the_fields_were_added_still_reads() -> None:
    old = {"market": "omie", "symbol": "ES", "tick_time": "2025-01-01T00:00:00Z", "price": 12.3}
    (row,) = comparable(decode([json.dumps(old).encode()], [None], TickBatch).batch.records, TickBatch.layout)
    assert set(row) == set(old)


def test_the_identity_is_made_of_fields() -> None:
    assert set(TickBatch.layout.identity) < set(TICK_IDENTITY) <= set(Tick.model_fields)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("market", "", Reason.MISSING_IDENTITY),
        ("symbol", None, Reason.MISSING_IDENTITY),
        ("tick_time", "2025-01-01T00:00:00", Reason.BAD_TIME),
        ("price", "12,3", Reason.WRONG_TYPE),
        ("ask_depth", [], Reason.WRONG_TYPE),
        ("interval_s", 300.5, Reason.WRONG_TYPE),
        ("currency", "EURO", Reason.TEXT_TOO_LONG),
    ],
)
def test_bad_fields_are_told(field: str, value: object, reason: Reason) -> None:
    tick = {**LMP, "tick_time": rfc3339(START_US), field: value}
    (fault,) = decode([json.dumps(tick).encode()], [None], TickBatch).faults
    assert fault.reason == reason
