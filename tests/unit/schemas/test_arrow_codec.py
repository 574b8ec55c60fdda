"""Arrow streams from producers that are not ours."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from schemas import arrow_codec
from schemas.arrow_size import Size, size_of
from schemas.codec import Decoded, decode
from schemas.layout import instant_of
from schemas.readings import ReadingBatch
from schemas.rejected import Reason
from tests.builders import ARROW, START_US, batch, comparable, decoded

UTC_MS = pa.timestamp("ms", "UTC")
METERS = pa.array(["A", "B"])
TIMES = pa.array([START_US // 1000, START_US // 1000 + 1], UTC_MS)


def stream(*tables: pa.Table, compression: str | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, tables[0].schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as out:
        for table in tables:
            out.write_table(table)
    return bytes(sink.getvalue())


def read(**columns: pa.Array) -> Decoded[ReadingBatch]:
    return decoded([stream(pa.table({"meter_number": METERS, "reading_time": TIMES} | columns))], [ARROW])


@pytest.mark.parametrize(
    "meters",
    [
        pa.array(["A", "B"], pa.large_string()),
        pa.array(["A", "B"], pa.string_view()),
        pa.array(["A", "B"]).dictionary_encode(),
        pa.array(["A", "B"], pa.dictionary(pa.int8(), pa.large_string())),
    ],
    ids=lambda array: str(array.type)[:30],
)
def test_texts_come_in_many_types(meters: pa.Array) -> None:
    assert read(meter_number=meters).batch.meter_number.to_pylist() == ["A", "B"]


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.uint64()], ids=str)
def test_whole_numbers_serve_as_meter_numbers(kind: pa.DataType) -> None:
    assert read(meter_number=pa.array([7, 8], kind)).batch.meter_number.to_pylist() == ["7", "8"]
    largest = pa.array([2**64 - 1, 0], pa.uint64())
    assert read(meter_number=largest).batch.meter_number.to_pylist() == ["18446744073709551615", "0"]


@pytest.mark.parametrize(
    "times",
    [
        pa.array([START_US * 1000 + 999, (START_US + 1000) * 1000], pa.timestamp("ns", "UTC")),
        pa.array([START_US, START_US + 1000], pa.timestamp("us", "+05:30")),
        pa.array([START_US // 1000, START_US // 1000 + 1], pa.timestamp("ms", "Asia/Kolkata")),
        pa.array(["2024-01-01T00:00:00Z", "2024-01-01T05:30:00.001+05:30"]),
        pa.array(["2024-01-01T00:00:00Z", "2024-01-01T05:30:00.001+05:30"]).dictionary_encode(),
        TIMES.dictionary_encode(),
    ],
    ids=lambda array: str(array.type)[:40],
)
def test_instants_come_in_many_types_and_are_cut_to_microseconds(times: pa.Array) -> None:
    assert read(reading_time=times).batch.time_us.tolist() == [START_US, START_US + 1000]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([0.5, None], pa.float32()),
        pa.array(np.array([0.5, 1.5], dtype=np.float16)),
        pa.array([230, None], pa.int16()),
        pa.array([230, 231], pa.uint8()),
        pa.array([Decimal("230.25"), None]),
        pa.array([0.5, 0.5]).dictionary_encode(),
        pa.nulls(2),
    ],
    ids=lambda array: str(array.type)[:40],
)
def test_numbers_come_in_many_types(values: pa.Array) -> None:
    expected = [None if value is None else float(value) for value in values.to_pylist()]
    assert read(voltage=values).batch.column("voltage").to_pylist() == expected


def test_missing_columns_are_null_and_unknown_ones_are_left_out() -> None:
    found = read(color=pa.array(["red", "blue"]), shape=pa.array([[1], [2, 3]]), empty=pa.nulls(2))
    assert comparable(found.batch.records)[0] == {"meter_number": "A", "reading_time": START_US}
    assert found.faults == []


def test_columns_that_may_not_be_null_are_still_ours() -> None:
    fields = [pa.field("meter_number", pa.string(), nullable=False), pa.field("reading_time", UTC_MS, nullable=False)]
    table = pa.Table.from_arrays([METERS, TIMES], schema=pa.schema(fields, metadata={"made by": "others"}))
    assert len(decoded([stream(table), arrow_codec.write(batch("C", START_US))], [ARROW] * 2).batch) == 3


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_streams_are_read(compression: str) -> None:
    table = pa.table({"meter_number": METERS, "reading_time": TIMES})
    assert len(decoded([stream(table, table, compression=compression)], [ARROW]).batch) == 4


UNFIT = {
    "naive times": {"reading_time": TIMES.cast(pa.timestamp("ms"))},
    "times as numbers": {"reading_time": pa.array([START_US, START_US])},
    "dates": {"reading_time": pa.array([19_723, 19_723], pa.date32())},
    "meters as fractions": {"meter_number": pa.array([1.0, 2.0])},
    "meters as bytes": {"meter_number": pa.array([b"A", b"B"])},
    "numbers as text": {"voltage": pa.array(["230", "231"])},
    "numbers as truths": {"voltage": pa.array([True, False])},
    "numbers in lists": {"voltage": pa.array([[230.0], [231.0]])},
    "texts as numbers": {"phase": pa.array([1, 2])},
}


@pytest.mark.parametrize("columns", UNFIT.values(), ids=UNFIT)
def test_a_column_of_the_wrong_kind_rejects_the_stream(columns: dict[str, pa.Array]) -> None:
    found = read(**columns)
    assert len(found.batch) == 0
    assert [fault.reason for fault in found.faults] == [Reason.WRONG_SHAPE]
    assert next(iter(columns)) in found.faults[0].detail


@pytest.mark.parametrize("name", ["meter_number", "reading_time"])
def test_a_stream_without_meter_or_time_is_rejected_and_says_what_it_has(name: str) -> None:
    table = pa.table({"meter_number": METERS, "reading_time": TIMES, "voltage": pa.nulls(2)}).drop_columns([name])
    data = stream(table)
    (fault,) = decoded([data], [ARROW]).faults
    assert (fault.reason, fault.payload) == (Reason.WRONG_SHAPE, data)
    assert name in fault.detail
    assert "voltage" in fault.detail


BAD_ROWS = {
    "null meter": ({"meter_number": pa.array(["A", None])}, Reason.MISSING_IDENTITY),
    "empty meter": ({"meter_number": pa.array(["A", ""])}, Reason.MISSING_IDENTITY),
    "long meter": ({"meter_number": pa.array(["A", "x" * 1000])}, Reason.TEXT_TOO_LONG),
    "meter with NUL": ({"meter_number": pa.array(["A", "b\0"])}, Reason.BAD_TEXT),
    "null time": ({"reading_time": pa.array([START_US // 1000, None], UTC_MS)}, Reason.MISSING_TIME),
    "NaN": ({"voltage": pa.array([230.0, float("nan")])}, Reason.NOT_FINITE),
    "infinite float32": ({"demand_kw": pa.array([1.0, float("inf")], pa.float32())}, Reason.NOT_FINITE),
    "time that is none": ({"reading_time": pa.array(["2024-01-01T00:00:00Z", "noon"])}, Reason.BAD_TIME),
    "time without offset": (
        {"reading_time": pa.array(["2024-01-01T00:00:00Z", "2024-01-01T00:00:00"])},
        Reason.BAD_TIME,
    ),
    "year 10000": ({"reading_time": pa.array([0, 253_402_300_800], pa.timestamp("s", "UTC"))}, Reason.BAD_TIME),
    "year -290000": ({"reading_time": pa.array([START_US, -(2**63)], pa.timestamp("us", "UTC"))}, Reason.BAD_TIME),
    # Times a million, modulo 2^64, this is 2024 again.
    "a time that overflows": (
        {"reading_time": pa.array([START_US // 10**6, START_US // 10**6 + 2**58], pa.timestamp("s", "UTC"))},
        Reason.BAD_TIME,
    ),
    "fraction as a whole number": ({"sequence": pa.array([1.0, 1.5])}, Reason.WRONG_TYPE),
    "NaN as a whole number": ({"sequence": pa.array([1.0, float("nan")])}, Reason.WRONG_TYPE),
    "too large a whole number": ({"sequence": pa.array([1, 2**63], pa.uint64())}, Reason.WRONG_TYPE),
}


@pytest.mark.parametrize(("columns", "reason"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_one_fault_with_its_values_and_its_neighbours_are_kept(
    columns: dict[str, pa.Array], reason: Reason
) -> None:
    found = read(**columns)
    assert found.batch.meter_number.to_pylist() == ["A"]
    assert [(fault.source, fault.reason) for fault in found.faults] == [(0, reason)]
    assert found.faults[0].payload[:1] == b"{"


def test_a_bad_row_shows_what_was_wrong_with_it() -> None:
    (fault,) = read(voltage=pa.array([230.0, float("inf")])).faults
    assert fault.payload == b'{"meter_number":"B","reading_time":"2024-01-01T00:00:00.001000+00:00","voltage":"inf"}'
    (fault,) = read(reading_time=pa.array(["2024-01-01T00:00:00Z", "noon"])).faults
    assert fault.payload == b'{"meter_number":"B","reading_time":"noon"}'


def test_a_stream_cut_at_any_byte_gives_all_rows_or_a_fault_and_never_wrong_rows() -> None:
    whole = batch(["A", "B"], [START_US, START_US + 1], voltage=[230.0, 231.0], phase=["L1", None])
    data = arrow_codec.write(whole)
    for end in range(len(data)):
        found = decoded([data[:end]], [ARROW])
        if len(found.batch):
            assert found.batch.records.equals(whole.records)
        else:
            # Cut exactly behind the schema, a stream is whole and empty.
            assert [fault.payload for fault in found.faults] == [data[:end]] or data[end:].startswith(b"\xff" * 4)


def test_what_came_whole_before_a_stream_broke_off_is_kept() -> None:
    table = pa.table({"meter_number": METERS, "reading_time": TIMES})
    one, two = stream(table), stream(table, table)
    found = decoded([two[: len(one)]], [ARROW])
    assert len(found.batch) == 2
    assert [(fault.reason, len(fault.payload)) for fault in found.faults] == [(Reason.BAD_ARROW, len(one))]


def test_a_small_stream_cannot_claim_a_huge_number_of_rows() -> None:
    nothing = pa.RecordBatch.from_arrays(
        [pa.nulls(arrow_codec.MAX_ROWS + 1)] * 2, names=["meter_number", "reading_time"]
    )
    (fault,) = decoded([stream(pa.Table.from_batches([nothing]))], [ARROW]).faults
    assert fault.reason == Reason.PAYLOAD_TOO_LARGE


def zeros(megabytes: int) -> pa.Table:
    return pa.table({"meter_number": METERS[:1], "reading_time": TIMES[:1], "x": pa.array([bytes(megabytes * 2**20)])})


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_a_small_stream_that_would_unpack_to_a_huge_one_is_not_unpacked(compression: str) -> None:
    honest, hostile = stream(zeros(8), compression=compression), stream(zeros(300), compression=compression)
    cut_off = hostile + b"\xff\xff\xff\xff broken"
    before = pa.total_allocated_bytes()
    found = decode([honest, hostile, cut_off], [ARROW] * 3, ReadingBatch, max_payload_bytes=2**30)
    assert pa.total_allocated_bytes() - before < 100 * 2**20
    assert found.source.tolist() == [0]
    assert [(fault.source, fault.reason) for fault in found.faults] == [
        (1, Reason.PAYLOAD_TOO_LARGE),
        (2, Reason.PAYLOAD_TOO_LARGE),
    ]


def test_a_stream_tells_its_size_before_it_is_unpacked() -> None:
    table = pa.table({"meter_number": METERS.dictionary_encode(), "reading_time": TIMES, "voltage": [230.0, None]})
    assert size_of(stream(table, table)).rows == 4 + 2  # the dictionary has two rows of its own
    assert size_of(stream(table)).expanded_bytes == 0
    assert 50 < size_of(stream(table, compression="zstd")).expanded_bytes < 1_000
    assert size_of(b"") == size_of(b"no stream at all, but long enough") == Size(0, 0)


def test_column_names_of_any_kind_make_a_reject_that_can_be_stored() -> None:
    table = pa.table({"meter_number": METERS, "reading_time": pa.array([{"\0": 1}, {"\0": 2}])})
    (fault,) = decoded([stream(table)], [ARROW]).faults
    assert "\0" not in fault.as_rejected("x", instant_of(START_US)).detail
