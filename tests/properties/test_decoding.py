"""Whatever comes, decoding accounts for it, and how it came together with other things changes nothing."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import arrow_codec, json_codec, json_items, json_writer
from schemas.codec import Decoded
from schemas.readings import ReadingBatch
from tests.builders import ARROW, comparable, decoded, payload, reading
from tests.strategies import NEARLY_JSON, arrow_payloads, batches, cuts, damaged, json_payloads, records

LAYOUT = ReadingBatch.layout


def told(found: Decoded[ReadingBatch]) -> list[tuple[int, object]]:
    """Everything that decoding said, in a form that can be compared; 0.0 and -0.0 are the same."""
    rows: list[tuple[int, object]] = list(zip(found.source.tolist(), comparable(found.batch.records), strict=True))
    return rows + [(f.source, (f.reason, f.detail, f.payload, f.meter_number)) for f in found.faults]


def expected_count(data: bytes) -> int:
    """How many things a JSON payload holds, by Python's own reader; one that cannot be read is one thing."""
    try:
        document = json.loads(data.decode())
    except (ValueError, RecursionError):
        return 1
    return len(document) if isinstance(document, list) else 1


@given(st.lists(records, max_size=8))
def test_decoding_never_raises_and_loses_no_json_payload(found: list[tuple[bytes, str | None]]) -> None:
    payloads, kinds = [item[0] for item in found], [item[1] for item in found]
    result = decoded(payloads, kinds)
    counts = np.bincount(result.source, minlength=len(payloads)) + np.bincount(
        np.array([fault.source for fault in result.faults], dtype=int), minlength=len(payloads)
    )
    for position, (data, kind) in enumerate(found):
        if (kind or "application/json").startswith("application/json"):
            assert counts[position] == expected_count(data)
        elif kind != ARROW:
            assert counts[position] == 1
    assert (np.diff(result.source) >= 0).all()
    assert [fault.source for fault in result.faults] == sorted(fault.source for fault in result.faults)


@given(st.lists(json_payloads, max_size=8))
@example(list(NEARLY_JSON))
def test_the_columnar_and_the_item_reader_agree(payloads: list[bytes]) -> None:
    rows, source, faults = json_codec.read(payloads, LAYOUT)
    slow_rows, slow_source, slow_faults = json_items.read(payloads, LAYOUT)
    assert comparable(rows) == comparable(slow_rows)
    assert source.tolist() == slow_source.tolist()
    assert faults == slow_faults


@given(st.data())
def test_payloads_decode_alike_alone_and_together(data: st.DataObject) -> None:
    found = data.draw(st.lists(records, max_size=8))
    whole = told(decoded([item[0] for item in found], [item[1] for item in found]))
    in_parts = []
    for part in data.draw(cuts(len(found))):
        first = part.start
        pieces = told(decoded([item[0] for item in found[part]], [item[1] for item in found[part]]))
        in_parts += [(first + source, what) for source, what in pieces]
    assert sorted(in_parts, key=repr) == sorted(whole, key=repr)


@given(st.lists(st.sampled_from(NEARLY_JSON), max_size=6), st.integers(0, 6), st.permutations(range(7)))
def test_no_payload_can_hide_or_change_another(hostile: list[bytes], place: int, order: list[int]) -> None:
    victim = payload(reading("VICTIM", voltage=231.25))
    payloads = [*hostile[:place], victim, *hostile[place:]]
    payloads = [payloads[position] for position in order if position < len(payloads)]
    found = decoded(payloads)
    mine = [row for row in comparable(found.batch.records) if row["meter_number"] == "VICTIM"]
    assert mine == comparable(decoded([victim]).batch.records)


@given(batches())
def test_columns_survive_every_form_bit_for_bit(written: ReadingBatch) -> None:
    for payloads, kind in (
        ([arrow_codec.write(written)], ARROW),
        ([json_writer.write_array(written)], None),
        (json_writer.write_rows(written), None),
    ):
        found = decoded(payloads, [kind] * len(payloads))
        assert found.faults == []
        assert found.batch.records.equals(written.records)
        for name in LAYOUT.floats:
            bits = found.batch.column(name).fill_null(0.0).to_numpy().view(np.int64)
            assert bits.tolist() == written.column(name).fill_null(0.0).to_numpy().view(np.int64).tolist()


@given(batches())
def test_what_is_written_is_json_that_any_reader_understands(written: ReadingBatch) -> None:
    for text, row in zip(json_writer.write_rows(written), comparable(written.records), strict=True):
        found: dict[str, Any] = json.loads(text)
        assert found.pop("reading_time").endswith("Z")
        row.pop("reading_time")
        assert found == row


@given(st.lists(arrow_payloads.flatmap(damaged), min_size=1, max_size=4), batches(max_rows=3))
def test_a_damaged_stream_harms_no_other(streams: list[bytes], whole: ReadingBatch) -> None:
    found = decoded([*streams, arrow_codec.write(whole)], [ARROW] * (len(streams) + 1))
    mine = found.batch.where(found.source == len(streams)) if len(found.batch) else found.batch
    assert mine.records.equals(whole.records) or not len(whole)
    assert all(fault.source < len(streams) for fault in found.faults)


@given(batches(), st.data())
def test_a_stream_in_several_parts_and_foreign_order_is_the_same(written: ReadingBatch, data: st.DataObject) -> None:
    names = data.draw(st.permutations(LAYOUT.schema.names))
    table = pa.table(written.records.columns, names=LAYOUT.schema.names).select(list(names))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        for part in data.draw(cuts(table.num_rows)):
            stream.write_table(table.slice(part.start, part.stop - part.start))
    assert decoded([bytes(sink.getvalue())], [ARROW]).batch.records.equals(written.records)
