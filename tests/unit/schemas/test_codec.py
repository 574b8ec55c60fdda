"""Decoding: each kind of bad input becomes one fault with its reason and its bytes, and its neighbours go through."""

import json
from typing import Any

import pytest

from schemas import arrow_codec, json_writer
from schemas.codec import MAX_PAYLOAD_BYTES
from schemas.layout import instant_of
from schemas.rejected import MAX_KEPT_BYTES, Reason, Rejected
from tests.bad_input import GOOD, UNREADABLE_PAYLOADS, UNSOUND_READINGS
from tests.builders import ARROW, START_US, batch, comparable, decoded, payload, reading


@pytest.mark.parametrize(("item", "reason"), UNSOUND_READINGS.values(), ids=UNSOUND_READINGS)
def test_an_unsound_reading_is_one_fault_with_its_own_bytes_and_its_neighbours_are_kept(
    item: Any, reason: Reason
) -> None:
    before, after = reading("BEFORE"), reading("AFTER")
    found = decoded([payload(before), payload(before, item, after), payload(after)])
    assert found.batch.meter_number.to_pylist() == ["BEFORE", "BEFORE", "AFTER", "AFTER"]
    assert found.source.tolist() == [0, 1, 1, 2]
    assert [(fault.source, fault.reason, fault.payload) for fault in found.faults] == [(1, reason, payload(item))]


@pytest.mark.parametrize(("item", "reason"), UNSOUND_READINGS.values(), ids=UNSOUND_READINGS)
def test_an_unsound_reading_alone_is_one_fault_with_the_whole_payload(item: Any, reason: Reason) -> None:
    alone = payload(item)
    found = decoded([alone])
    assert len(found.batch) == 0
    expected = [] if item == [] else [(reason, alone)]
    assert [(fault.reason, fault.payload) for fault in found.faults] == expected


@pytest.mark.parametrize(("data", "kind", "reason"), UNREADABLE_PAYLOADS.values(), ids=UNREADABLE_PAYLOADS)
def test_an_unreadable_payload_is_one_fault_with_all_its_bytes_and_its_neighbours_are_kept(
    data: bytes, kind: str | None, reason: Reason
) -> None:
    found = decoded([payload(GOOD), data, payload(GOOD)], [None, kind, None])
    assert [(fault.source, fault.reason, fault.payload) for fault in found.faults] == [(1, reason, data)]
    assert comparable(found.batch.records) == comparable(decoded([payload(GOOD)] * 2).batch.records)
    assert found.source.tolist() == [0, 2]


@pytest.mark.parametrize(
    "name", ["10 MB", "not JSON", "not UTF-8 in a field nobody knows", "empty", "nested 100,000 deep"]
)
def test_a_rejected_record_keeps_the_first_bytes_and_the_full_length(name: str) -> None:
    data, kind, reason = UNREADABLE_PAYLOADS[name]
    (fault,) = decoded([data], [kind]).faults
    rejected = fault.as_rejected("meters.raw[0]@7", instant_of(START_US))
    assert Rejected.model_validate_json(rejected.model_dump_json()) == rejected
    assert (rejected.reason, rejected.payload_bytes) == (reason, len(data))
    assert rejected.original() == data[:MAX_KEPT_BYTES]


def test_the_largest_payload_is_read_and_one_byte_more_is_not() -> None:
    largest = payload(GOOD).ljust(MAX_PAYLOAD_BYTES)
    assert len(decoded([largest]).batch) == 1
    assert [fault.reason for fault in decoded([largest + b" "]).faults] == [Reason.PAYLOAD_TOO_LARGE]


def test_nothing_at_all_is_decoded_to_nothing() -> None:
    found = decoded([])
    assert (len(found.batch), found.source.tolist(), found.faults) == (0, [], [])


@pytest.mark.parametrize("empty", [b"[]", b"[ ]", b" [\n] ", b"[" + b" " * 99 + b"]"])
def test_an_empty_array_is_no_readings_and_no_fault(empty: bytes) -> None:
    found = decoded([empty])
    assert (len(found.batch), found.faults) == (0, [])


@pytest.mark.parametrize(
    "kind", [None, "application/json", "APPLICATION/JSON", "application/json; charset=utf-8", " application/json "]
)
def test_json_has_many_names(kind: str | None) -> None:
    assert len(decoded([payload(GOOD)], [kind]).batch) == 1


def test_payloads_of_both_kinds_keep_their_order() -> None:
    arrow = arrow_codec.write(batch(["A1", "A2"], START_US))
    found = decoded([payload(reading("J1")), arrow, payload(reading("J2")), arrow], [None, ARROW, None, ARROW])
    assert found.batch.meter_number.to_pylist() == ["J1", "A1", "A2", "J2", "A1", "A2"]
    assert found.source.tolist() == [0, 1, 1, 2, 3, 3]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (7, "7"), (-5, "-5"), (2**63, str(2**63)), (2**64 - 1, "18446744073709551615")],
    ids=str,
)
def test_a_json_number_is_taken_as_its_decimal_text(number: int, text: str) -> None:
    alone, among = decoded([payload(reading(number))]), decoded([payload(reading("A"), reading(number))])
    assert alone.batch.meter_number.to_pylist() == [text]
    assert among.batch.meter_number.to_pylist() == ["A", text]


@pytest.mark.parametrize("meter", ["x" * 50, "é" * 50, "𝔐" * 50, "0", "null", 'a"b', "a\\b", "a b", "米42"])  # noqa: RUF001 - letters of four bytes
def test_meter_numbers_are_any_printable_text_of_up_to_50_characters(meter: str) -> None:
    assert decoded([payload(reading(meter))]).batch.meter_number.to_pylist() == [meter]


@pytest.mark.parametrize("newly_assigned", ["\U0001fae8", "\U000323b0"])
def test_both_readers_know_the_same_characters(newly_assigned: str) -> None:
    # Assigned in Unicode 15: Arrow knows them, the character tables of Python 3.11 do not.
    columnar, by_item = reading(newly_assigned), reading(5)
    found = decoded([payload(columnar), payload(columnar, by_item)])
    assert found.batch.meter_number.to_pylist() == [newly_assigned, newly_assigned, "5"]


TIMES = {
    "2024-01-01T00:00:00Z": 0,
    "2024-01-01T00:00:00+00:00": 0,
    "2024-01-01T00:00:00-00:00": 0,
    "2024-01-01 00:00:00Z": 0,
    "2024-01-01t00:00:00z": 0,
    "2024-01-01T05:30:00+05:30": 0,
    "2023-12-31T19:00:00-05:00": 0,
    "2024-01-01T05:30:00+0530": 0,
    "2024-01-01T00:00Z": 0,
    "2024-01-01T00:00:00.5Z": 500_000,
    "2024-01-01T00:00:00.000001Z": 1,
    "2024-01-01T00:00:00.123456Z": 123_456,
    "2024-01-01T00:00:00.1234567Z": 123_456,
    "2024-01-01T00:00:00.123456789Z": 123_456,
    "2024-02-29T00:00:00Z": 59 * 86_400_000_000,
}


@pytest.mark.parametrize("neighbour", ["alone", "with a bad item", "with a bad time"])
@pytest.mark.parametrize("text", TIMES)
def test_times_are_read_in_every_usual_spelling(text: str, neighbour: str) -> None:
    others = {
        "alone": [],
        "with a bad item": [payload(reading("A", reading_time=text), {})],
        "with a bad time": [payload(reading(reading_time="2024-02-30T00:00:00Z"))],
    }[neighbour]
    found = decoded([payload(reading("A", reading_time=text)), *others])
    assert set(found.batch.time_us.tolist()) == {START_US + TIMES[text]}


def test_unknown_fields_are_left_out_and_missing_optionals_are_null() -> None:
    (row,) = comparable(decoded([payload(reading(color="red", nested={"a": [1]}, voltage=None))]).batch.records)
    assert row == {"meter_number": "M1", "reading_time": START_US}


def test_a_key_that_comes_twice_counts_as_it_stands_last() -> None:
    assert decoded([payload(GOOD)[:-1] + b',"voltage":231}']).batch.floats("voltage").tolist() == [231.0]


def test_nesting_is_no_reason_to_reject_up_to_any_sane_depth() -> None:
    for opening, closing in ((b'{"a":', b"}"), (b"[", b"]")):
        deep = payload(GOOD)[:-1] + b',"note":' + opening * 800 + b"1" + closing * 800 + b"}"
        assert len(decoded([deep]).batch) == 1


def test_the_bytes_of_a_bad_item_are_cut_out_exactly_as_they_came() -> None:
    bad = b'{ "voltage" : 230.50,\t"meter_number": 1e0 , "meter_number":[2 ,3]}'
    found = decoded([b" [ " + payload(GOOD) + b" ,\n " + bad + b"\r\n, null ]"])
    assert [fault.payload for fault in found.faults] == [bad, b"null"]


def test_a_fault_names_the_meter_where_it_can_be_read() -> None:
    found = decoded([payload(reading("M7", voltage="x"), reading(8, voltage="x"), reading("", voltage="x"))])
    assert [fault.meter_number for fault in found.faults] == ["M7", "8", None]


def test_many_bad_payloads_among_good_ones_cost_no_good_one() -> None:
    payloads = [
        [payload(reading(f"M{k}")), payload(reading(k)), b"{", payload(reading("B", reading_time="x"))][k % 4]
        for k in range(2_000)
    ]
    found = decoded(payloads)
    assert found.source.tolist() == [k for k in range(2_000) if k % 4 in {0, 1}]
    assert found.batch.meter_number.to_pylist() == [("M" if k % 4 == 0 else "") + str(k) for k in found.source.tolist()]
    assert [fault.source for fault in found.faults] == [k for k in range(2_000) if k % 4 in {2, 3}]


def test_what_is_written_is_read_again() -> None:
    written = batch(["A", "B"], [START_US, START_US + 1], voltage=[230.1, None], phase=["L1", None], sequence=[None, 3])
    array, objects = json_writer.write_array(written), json_writer.write_rows(written)
    assert decoded([array]).batch.records.equals(written.records)
    assert decoded(objects).batch.records.equals(written.records)
    assert decoded([arrow_codec.write(written)], [ARROW]).batch.records.equals(written.records)
    assert [json.loads(item)["meter_number"] for item in objects] == ["A", "B"]
