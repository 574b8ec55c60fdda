"""What stands behind each sink in these tests, and how to look into it without the sink."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

import psycopg
import redis

from schemas.explanation import Explanation
from schemas.readings import ReadingBatch
from sinks.memory import MemoryLatest, MemoryStore
from sinks.redis import PREFIX, RedisLatest
from sinks.sink import Latest, Store
from sinks.timescale import TimescaleStore
from sinks.windows_table import SUMS

MEASURES = ReadingBatch.layout.floats
Account = dict[str, int]
_LATENESS_S = 60.0


class StoreBacking(Protocol):
    """One database, and sinks that share it as several workers do."""

    def connect(self) -> Store:
        """Another sink on the same database."""

    def readings(self, prefix: str) -> dict[tuple[str, int], dict[str, Any]]:
        """Stored readings of the meters that begin so: measures, and flag where it is kept."""

    def windows(self, group_id: int) -> dict[tuple[int, int], dict[str, float | None]]:
        """Totals of a transformer whose meters are of one class by (length [s], start [us]), null where nothing was."""

    def why(self, prefix: str) -> dict[tuple[str, int], Explanation]:
        """Explanations of readings of the meters that begin so."""

    def alerts(self) -> set[str]:
        """Ids of all alerts."""

    def rejected(self) -> dict[str, str]:
        """Reasons by reject id."""

    def account(self, topic: str, topic_id: str, partition: int) -> Account:
        """Where a partition stands and where its readings went."""


@dataclass
class MemoryBacking:
    store: MemoryStore = field(default_factory=lambda: MemoryStore(lateness_s=_LATENESS_S))

    def connect(self) -> Store:
        return self.store

    def readings(self, prefix: str) -> dict[tuple[str, int], dict[str, Any]]:
        kept = {key: row for key, row in self.store.readings.items() if key[0].startswith(prefix)}
        return {
            key: {name: row[name] for name in (*MEASURES, "sequence", "source_quality", "phase", "device")}
            for key, row in kept.items()
        }

    def windows(self, group_id: int) -> dict[tuple[int, int], dict[str, float | None]]:
        return {
            (length_s, start_us): dict(total)
            | ({} if total["demand_peak_kw"] is not None else {"demand_peak_us": None})
            for (transformer, _, length_s, start_us), total in self.store.windows.items()
            if transformer == group_id
        }

    def why(self, prefix: str) -> dict[tuple[str, int], Explanation]:
        return {key: why for key, why in self.store.why.items() if key[0].startswith(prefix)}

    def alerts(self) -> set[str]:
        return self.store.alerts

    def rejected(self) -> dict[str, str]:
        return {identity: str(item.reason) for identity, item in self.store.rejected.items()}

    def account(self, topic: str, topic_id: str, partition: int) -> Account:
        key = (topic, topic_id, partition)
        account = self.store.accounts[key]
        names = ("readings", "stored", "duplicates", "rejected", "lost")
        return {"next_offset": self.store.positions[key].next_offset} | {name: account[name] for name in names}


_WINDOWS = f"""
SELECT window_s, (extract(epoch FROM window_start) * 1e6)::bigint,
       {", ".join(f"sum({name})::bigint" for name in SUMS)}, max(demand_peak_kw),
       (array_agg((extract(epoch FROM demand_peak_at) * 1e6)::bigint ORDER BY demand_peak_kw DESC, demand_peak_at)
        FILTER (WHERE demand_peak_at IS NOT NULL))[1], min(voltage_min), max(voltage_max)
FROM window_partials WHERE transformer_id = %s GROUP BY 1, 2
"""
_WINDOW_NAMES = (*SUMS, "demand_peak_kw", "demand_peak_us", "voltage_min", "voltage_max")


@dataclass
class PostgresBacking:
    url: str

    def connect(self) -> Store:
        return TimescaleStore(self.url, lateness_s=_LATENESS_S)

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement, parameters).fetchall()

    def readings(self, prefix: str) -> dict[tuple[str, int], dict[str, Any]]:
        names = (*MEASURES, "sequence", "source_quality", "phase", "device")
        rows = self.query(
            f"SELECT meter_number, (extract(epoch FROM reading_time) * 1e6)::bigint, {', '.join(names)} "
            "FROM meter_readings JOIN smart_meters USING (meter_id) WHERE starts_with(meter_number, %s)",
            prefix,
        )
        return {(row[0], row[1]): dict(zip(names, row[2:], strict=True)) for row in rows}

    def windows(self, group_id: int) -> dict[tuple[int, int], dict[str, float | None]]:
        return {row[:2]: dict(zip(_WINDOW_NAMES, row[2:], strict=True)) for row in self.query(_WINDOWS, group_id)}

    def why(self, prefix: str) -> dict[tuple[str, int], Explanation]:
        rows = self.query(
            f"SELECT meter_number, (extract(epoch FROM reading_time) * 1e6)::bigint, {', '.join(Explanation._fields)} "
            "FROM reading_explanations JOIN smart_meters USING (meter_id) WHERE starts_with(meter_number, %s)",
            prefix,
        )
        return {row[:2]: Explanation(*row[2:]) for row in rows}

    def alerts(self) -> set[str]:
        return {row[0] for row in self.query("SELECT alert_id FROM alert_signs")}

    def rejected(self) -> dict[str, str]:
        return {row[0]: row[1] for row in self.query("SELECT reject_id, reason FROM rejected_readings")}

    def account(self, topic: str, topic_id: str, partition: int) -> Account:
        names = ("next_offset", "readings", "stored", "duplicates", "rejected", "lost_records")
        ((*values,),) = self.query(
            f"SELECT {', '.join(names)} FROM stream_offsets WHERE (topic, topic_id, partition) = (%s, %s, %s)",
            topic,
            topic_id,
            partition,
        )
        return dict(zip((*names[:-1], "lost"), values, strict=True))


class LatestBacking(Protocol):
    """One place of newest values, and sinks that share it."""

    def connect(self) -> Latest:
        """Another sink on the same place."""

    def time_us(self, meter_number: str) -> int | None:
        """Time of the newest value of a meter [us]."""


@dataclass
class MemoryLatestBacking:
    latest: MemoryLatest = field(default_factory=MemoryLatest)

    def connect(self) -> Latest:
        return self.latest

    def time_us(self, meter_number: str) -> int | None:
        return self.latest.values.get(meter_number)


@dataclass
class RedisBacking:
    url: str

    def connect(self) -> Latest:
        return RedisLatest(self.url, expiry_s=120)

    @property
    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, decode_responses=True)

    def time_us(self, meter_number: str) -> int | None:
        with self.client as client:
            found = client.hget(PREFIX + meter_number, "time_us")
        return None if found is None else int(found)


@dataclass(frozen=True)
class Servers:
    """What the session's stack offers to backings."""

    database_url: str
    redis_url: str


#: Class name of each sink -> what stands behind it; a sink that is not in one of the two fails its contract.
IN_MEMORY: dict[str, Callable[[], Any]] = {"MemoryStore": MemoryBacking, "MemoryLatest": MemoryLatestBacking}
ON_SERVERS: dict[str, Callable[[Servers], Any]] = {
    "TimescaleStore": lambda servers: PostgresBacking(servers.database_url),
    "RedisLatest": lambda servers: RedisBacking(servers.redis_url),
}


def unique(word: str) -> str:
    """A name that no other test has used."""
    return f"{word}-{uuid4().hex[:10]}-"
