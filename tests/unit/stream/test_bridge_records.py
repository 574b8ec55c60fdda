"""Messages become records: each row once, in its partition, equal to what was sent; each fault once."""

import orjson
import pyarrow as pa
import pytest

from processors.partition import partition_of
from schemas import arrow_codec, topics
from schemas.codec import MAX_PAYLOAD_BYTES, Decoded, decode
from schemas.layout import ColumnBatch
from schemas.readings import ReadingBatch
from schemas.rejected import Reason, Rejected
from schemas.ticks import TickBatch
from stream.bridge import records
from stream.bridge.packets import Messages
from stream.bridge.records import MARKET, METERS, Converted, Record, convert, feed_of

PARTITIONS = {"meters.raw": 8, "market.raw": 4}
ARRIVED_S = 1_700_000_000.25


def messages(*pairs: tuple[str, bytes], content_type: str | None = None) -> Messages:
    return Messages(
        packet_ids=list(range(1, len(pairs) + 1)),
        topics=[topic.encode() for topic, _ in pairs],
        payloads=[payload for _, payload in pairs],
        content_types=[content_type] * len(pairs),
        size=sum(len(payload) for _, payload in pairs),
    )


def reading(meter: object, second: int = 0, **more: object) -> dict[str, object]:
    return {"meter_number": meter, "reading_time": f"2025-01-01T00:00:{second:02d}Z", **more}


def run(given: Messages) -> Converted:
    return convert(given, ARRIVED_S, PARTITIONS, max_payload_bytes=MAX_PAYLOAD_BYTES)


def rows_of(found: list[Record], into: type[ColumnBatch]) -> Decoded[ColumnBatch]:
    return decode([record.value for record in found], [record.content_type for record in found], into)


def rejects_of(found: list[Record]) -> list[Rejected]:
    return [Rejected.model_validate_json(record.value) for record in found if record.content_type == topics.JSON]


@pytest.mark.parametrize(
    ("topic", "feed"),
    [
        ("meters/M1/reading", "meters"),
        ("concentrators/c-1/readings", "meters"),
        ("market/aemo/NSW1/tick", "market"),
        ("meters//reading", "unknown"),
        ("meters/M1/readings", "unknown"),
        ("meters/M1/x/reading", "unknown"),
        ("concentrators//readings", "unknown"),
        ("market//NSW1/tick", "unknown"),
        ("market/aemo//tick", "unknown"),
        ("", "unknown"),
        ("/", "unknown"),
        ("other", "unknown"),
    ],
)
def test_a_topic_belongs_to_one_feed(topic: str, feed: str) -> None:
    assert feed_of(topic.encode()).name == feed


def test_singles_and_arrays_of_many_meters_become_one_record_per_partition() -> None:
    many = [reading(f"M{n}", consumption_kwh=n / 8) for n in range(200)]
    done = run(
        messages(
            ("meters/M777/reading", orjson.dumps(reading("M777", voltage=231.5))),
            ("concentrators/c/readings", orjson.dumps(many)),
        )
    )

    assert len(done.records) == len({record.partition for record in done.records}) == 8
    assert {(record.topic, record.key) for record in done.records} == {("meters.raw", None)}
    assert {record.timestamp_ms for record in done.records} == {1_700_000_000_250}
    for record in done.records:
        batch = rows_of([record], ReadingBatch).batch
        assert set(partition_of(batch.column("meter_number"), 8).tolist()) == {record.partition}
    decoded = rows_of(done.records, ReadingBatch)
    sent = {"M777": None, **{f"M{n}": n / 8 for n in range(200)}}
    numbers = decoded.batch.column("meter_number").to_pylist()
    energies = decoded.batch.column("consumption_kwh").to_pylist()
    assert len(numbers) == 201
    assert dict(zip(numbers, energies, strict=True)) == sent
    assert not decoded.faults
    assert (done.messages, done.rows, done.rejected) == ({"meters": 2}, {"meters": 201}, {})


def test_readings_of_one_meter_keep_their_order() -> None:
    done = run(messages(*[("meters/M1/reading", orjson.dumps(reading("M1", second))) for second in (3, 1, 2)]))
    assert len(done.records) == 1
    assert [
        moment.second for moment in rows_of(done.records, ReadingBatch).batch.column("reading_time").to_pylist()
    ] == [
        3,
        1,
        2,
    ]


def test_the_meter_in_the_payload_counts_not_the_one_in_the_topic() -> None:
    done = run(messages(("meters/TOPIC/reading", orjson.dumps(reading("PAYLOAD")))))
    assert rows_of(done.records, ReadingBatch).batch.column("meter_number").to_pylist() == ["PAYLOAD"]


def test_ticks_are_partitioned_by_market_and_symbol() -> None:
    ticks = [
        (f"market/aemo/{symbol}/tick", {"market": "aemo", "symbol": symbol, "tick_time": "2025-01-01T00:00:00Z"})
        for symbol in ("NSW1", "VIC1", "QLD1", "SA1", "TAS1")
    ]
    done = run(messages(*[(topic, orjson.dumps(tick)) for topic, tick in ticks]))
    found = {}
    for record in done.records:
        assert record.topic == "market.raw"
        for symbol in rows_of([record], TickBatch).batch.column("symbol").to_pylist():
            found[symbol] = record.partition
    keys = pa.array([f"aemo/{symbol}" for symbol in found])
    assert list(found.values()) == partition_of(keys, 4).tolist()
    assert len(found) == 5


def test_one_bad_meter_costs_one_reject_and_its_neighbours_go_through() -> None:
    done = run(
        messages(
            ("meters/M1/reading", orjson.dumps(reading("M1"))),
            ("meters/M2/reading", b"\xff not json"),
            ("concentrators/c/readings", orjson.dumps([reading("M3"), {"meter_number": "M4"}, reading("M5")])),
            ("market/aemo/NSW1/tick", b"[]"),
            ("market/aemo/NSW1/tick", b"null"),
            ("meters//reading", orjson.dumps(reading("M6"))),
            ("market/x", b"?"),
        )
    )
    good = rows_of([record for record in done.records if record.topic == "meters.raw"], ReadingBatch)
    assert sorted(good.batch.column("meter_number").to_pylist()) == ["M1", "M3", "M5"]
    rejects = rejects_of(done.records)
    assert [(reject.reason, reject.source, reject.original()) for reject in rejects] == [
        (Reason.NOT_JSON, "mqtt:meters/M2/reading", b"\xff not json"),
        (Reason.MISSING_TIME, "mqtt:concentrators/c/readings", b'{"meter_number":"M4"}'),
        (Reason.WRONG_SHAPE, "mqtt:market/aemo/NSW1/tick", b"null"),
        (Reason.UNKNOWN_TOPIC, "mqtt:meters//reading", orjson.dumps(reading("M6"))),
        (Reason.UNKNOWN_TOPIC, "mqtt:market/x", b"?"),
    ]
    where = {record.key: record.topic for record in done.records if record.key}
    assert [where[reject.reject_id.encode()] for reject in rejects] == [
        "meters.rejected",
        "meters.rejected",
        "market.rejected",
        "meters.rejected",
        "market.rejected",
    ]
    assert sum(done.rejected.values()) == 5


def test_a_topic_that_is_not_text_is_rejected_with_a_readable_source() -> None:
    given = messages(("x", b"payload"))
    given.topics = [b"\xff\xfe"]
    assert rejects_of(run(given).records)[0].source == "mqtt:��"


def test_a_payload_of_ten_megabytes_is_rejected_with_its_length() -> None:
    done = run(messages(("meters/M1/reading", b" " * 10_000_000)))
    (reject,) = rejects_of(done.records)
    assert (reject.reason, reject.payload_bytes) == (Reason.PAYLOAD_TOO_LARGE, 10_000_000)
    assert len(done.records[0].value) < records.MAX_RECORD_BYTES


def test_arrow_payloads_are_taken_by_their_content_type() -> None:
    batch = decode([orjson.dumps([reading("A"), reading("B")])], [None], ReadingBatch).batch
    done = run(messages(("concentrators/c/readings", arrow_codec.write(batch)), content_type=topics.ARROW))
    assert done.rows == {"meters": 2}
    assert not done.rejected


def test_a_large_group_is_split_by_rows() -> None:
    many = [reading("M1", sequence=n) for n in range(12_001)]
    payloads = [orjson.dumps(many[start : start + 3_000]) for start in range(0, len(many), 3_000)]
    done = run(messages(*[("concentrators/c/readings", payload) for payload in payloads]))
    sizes = [len(rows_of([record], ReadingBatch).batch) for record in done.records]
    assert sizes == [5_000, 5_000, 2_001]
    assert rows_of(done.records, ReadingBatch).batch.column("sequence").to_pylist() == list(range(12_001))


def test_a_group_with_long_texts_is_split_by_bytes() -> None:
    wide = [reading("電" * 50, sequence=n, source_quality="力" * 50, phase="網" * 50) for n in range(4_000)]
    payloads = [orjson.dumps(wide[start : start + 1_000]) for start in range(0, len(wide), 1_000)]
    done = run(messages(*[("concentrators/c/readings", payload) for payload in payloads]))
    assert max(len(record.value) for record in done.records) <= records.MAX_RECORD_BYTES
    assert rows_of(done.records, ReadingBatch).batch.column("sequence").to_pylist() == list(range(4_000))


def test_feeds_name_their_topics() -> None:
    assert (METERS.raw, METERS.rejected) == ("meters.raw", "meters.rejected")
    assert (MARKET.raw, MARKET.rejected) == ("market.raw", "market.rejected")
