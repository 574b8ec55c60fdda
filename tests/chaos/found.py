"""What is found in the database, in Redis and in Kafka after a trial, and how it differs from what was expected."""

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import psycopg
import pyarrow as pa
import redis

from stream.stack.endpoints import Endpoints
from stream.topic_reader import Span, TopicReader
from tests.chaos.load import Key, Reject
from tests.chaos.oracle import Expected, WindowKey
from tests.undisturbed import Judged

TOPICS = ("alerts.signs", "meters.rejected", "meters.clean", "meters.raw")
_SHOWN = 4
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Differences:
    """What is wrong; empty when nothing is.

    Attributes:
        lost: readings that should be stored and are not.
        doubled: readings that count twice, or that nobody sent.
        told: everything else as sentences, the first two included.
    """

    lost: int = 0
    doubled: int = 0
    told: list[str] = field(default_factory=list)

    def add(self, what: str, items: Iterable[object]) -> int:
        """Note items that are wrong; return how many."""
        found = sorted(map(str, items))
        if found:
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            self.told.append(f"{len(found)} {what}: {'; '.join(found[:_SHOWN])}{more}")
        return len(found)


@dataclass(frozen=True)
class Marks:
    """Where the topics and the books stood before a trial."""

    ends: Mapping[str, Mapping[int, int]]
    stored: int
    lost_records: int


def marks(endpoints: Endpoints) -> Marks:
    """Note where everything stands."""
    ends = {}
    for topic in TOPICS:
        with TopicReader(endpoints.kafka_url, topic) as reader:
            ends[topic] = {partition: span.end for partition, span in reader.bounds().items()}
    with psycopg.connect(endpoints.database_url, autocommit=True) as connection:
        stored, lost = books(connection)
    return Marks(ends, stored, lost)


def books(connection: psycopg.Connection) -> tuple[int, int]:
    """Return how many readings were stored in all, and how many records were lost."""
    found = connection.execute(
        "SELECT coalesce(sum(stored), 0)::bigint, coalesce(sum(lost_records), 0)::bigint FROM stream_offsets"
    ).fetchone()
    assert found is not None
    return int(found[0]), int(found[1])


def since(endpoints: Endpoints, topic: str, ends: Mapping[int, int]) -> list[bytes]:
    """Return the values that came into a topic since."""
    with TopicReader(endpoints.kafka_url, topic) as reader:
        spans = {partition: Span(ends.get(partition, 0), span.end) for partition, span in reader.bounds().items()}
        return [message.value() for message in chain.from_iterable(reader.read(spans))]


def in_database(
    expected: Expected, endpoints: Endpoints, tag: str, found: Differences, judged: Judged | None = None
) -> None:
    """Compare rows and windows; flags and alerts too where they can be known."""
    like = f"{tag}-%"
    with psycopg.connect(endpoints.database_url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT meter_number, reading_time, consumption_kwh, voltage, demand_kw, quality_flag::text "
            "FROM smart_meters JOIN meter_readings USING (meter_id) WHERE meter_number LIKE %s",
            (like,),
        ).fetchall()
        windows = connection.execute(
            "SELECT element, window_s, window_start, readings, meters, energy_kwh, demand_peak_kw, demand_peak_at, "
            "voltage_min, voltage_mean, voltage_max, voltage_outside FROM window_aggregates WHERE element LIKE %s",
            (f"transformer/{like}",),
        ).fetchall()
        alerts = connection.execute(
            "SELECT alert_id FROM alert_signs WHERE element LIKE %s", (f"meter/{like}",)
        ).fetchall()
    _rows(expected, {(row[0], row[1]): row[2:-1] for row in rows}, found)
    _windows(expected, {(row[0], row[1], row[2]): row[3:] for row in windows}, found)
    if judged is not None:
        _flags(judged, {(row[0], row[1]): row[-1] for row in rows}, found)
        _alerts(judged, {row[0] for row in alerts}, "the database", found)


def _rows(expected: Expected, rows: Mapping[Key, tuple[Any, ...]], found: Differences) -> None:
    found.lost += found.add("readings lost", expected.rows.keys() - rows.keys())
    found.doubled += found.add("readings that nobody sent", rows.keys() - expected.rows.keys())
    values = []
    for key in rows.keys() & expected.rows.keys():
        wanted = expected.rows[key]
        if rows[key] != (wanted.consumption_kwh, wanted.voltage, wanted.demand_kw):
            values.append(f"{key}: {rows[key]}, not {wanted}")
    found.add("readings altered", values)


def _flags(judged: Judged, flags: Mapping[Key, str], found: Differences) -> None:
    wrong = [key for key in flags.keys() & judged.flags.keys() if flags[key] != judged.flags[key]]
    found.add("flags wrong", (f"{key}: {flags[key]}, not {judged.flags[key]}" for key in wrong))


def _windows(expected: Expected, windows: Mapping[WindowKey, tuple[Any, ...]], found: Differences) -> None:
    found.add("windows missing", expected.windows.keys() - windows.keys())
    found.add("windows of nothing", windows.keys() - expected.windows.keys())
    wrong = []
    for key in windows.keys() & expected.windows.keys():
        count, *other = windows[key]
        wanted, *values = expected.windows[key]
        assert isinstance(wanted, int)
        found.doubled += max(0, count - wanted)
        if (count, other) != (wanted, values):
            wrong.append(f"{key}: {count} {other}, not {wanted} {values}")
    found.add("windows wrong", wrong)


def _alerts(judged: Judged, ids: set[str], where: str, found: Differences) -> None:
    found.add(f"alerts missing in {where}", (judged.alerts[item] for item in judged.alerts.keys() - ids))
    found.add(f"alerts for nothing in {where}", ids - judged.alerts.keys())


def in_redis(expected: Expected, endpoints: Endpoints, found: Differences) -> None:
    """Compare newest values."""
    wrong = []
    with redis.Redis.from_url(endpoints.redis_url) as client:
        for meter, row in expected.latest.items():
            held = client.hgetall(f"meterstream:latest:meter:{meter}")
            micros = (row.time - _UNIX) // timedelta(microseconds=1)
            reading = json.loads(held[b"reading"]) if held else {}
            kept = reading.get("consumption_kwh"), reading.get("voltage"), reading.get("demand_kw")
            if int(held.get(b"time_us", 0)) != micros or kept != (row.consumption_kwh, row.voltage, row.demand_kw):
                wrong.append(f"{meter}: {held.get(b'reading')!r}, not {row}")
    found.add("newest values wrong in Redis", wrong)


def in_kafka(
    expected: Expected, judged: Judged, endpoints: Endpoints, before: Marks, tag: str, found: Differences
) -> None:
    """Compare what was published: alerts, clean readings, rejects; each at least once."""
    alerts = [json.loads(value) for value in since(endpoints, "alerts.signs", before.ends["alerts.signs"])]
    mine = {item["alert_id"] for item in alerts if item["element"].startswith(f"meter/{tag}-")}
    _alerts(judged, mine, "Kafka", found)
    clean: Counter[Key] = Counter()
    for value in since(endpoints, "meters.clean", before.ends["meters.clean"]):
        table = pa.ipc.open_stream(value).read_all().select(["meter_number", "reading_time"])
        clean.update((row["meter_number"], row["reading_time"]) for row in table.to_pylist())
    found.add("clean readings never published", expected.rows.keys() - clean.keys())
    strangers = {key for key in clean if key[0].startswith(f"{tag}-")} - expected.rows.keys()
    found.add("clean readings that nobody sent", strangers)
    values = [json.loads(value) for value in since(endpoints, "meters.rejected", before.ends["meters.rejected"])]
    found.add("rejects never published", _absent(expected.rejects, values))


def rejects_kept(expected: Expected, endpoints: Endpoints) -> list[Reject]:
    """Return the rejects that the database does not have (yet)."""
    with psycopg.connect(endpoints.database_url, autocommit=True) as connection:
        found = connection.execute("SELECT reason, payload, payload_encoding FROM rejected_readings").fetchall()
    return _absent(
        expected.rejects,
        [{"reason": reason, "payload": payload, "payload_encoding": how} for reason, payload, how in found],
    )


def _absent(wanted: list[Reject], values: list[dict[str, Any]]) -> list[Reject]:
    held: dict[str, list[bytes]] = {}
    for value in values:
        held.setdefault(value["reason"], []).append(_bytes(value))
    return [item for item in wanted if not any(_holds(item, data) for data in held.get(item.reason, []))]


def _holds(item: Reject, data: bytes) -> bool:
    return data[: len(item.needle)] == item.needle if item.whole else item.needle in data


def _bytes(value: dict[str, Any]) -> bytes:
    text: str = value["payload"]
    return text.encode() if value["payload_encoding"] == "utf-8" else base64.b64decode(text)
