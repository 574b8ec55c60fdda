"""Whether a run did the job: all that it leaves behind against what the input alone says, before speed is told."""

from collections.abc import Mapping
from typing import TypeVar

import psycopg
import redis

from schemas.topics import METERS_REJECTED
from tests.bench.feed import length
from tests.bench.ground import Ground
from tests.bench.spec import WINDOW_S, Outcome

# Sums of whole numbers, which neither order nor a slow `numeric` for each row touches.
_METERS = """
SELECT meter_number, count(*), sum(date_part('epoch', reading_time)::bigint)::bigint,
       sum(round(consumption_kwh * 1e9::float8)::bigint)::bigint, sum(round(voltage * 1e3::float8)::bigint)::bigint,
       count(anomaly_score)
FROM meter_readings JOIN smart_meters USING (meter_id) GROUP BY meter_number
"""
_WINDOWS = f"""
SELECT t.name, extract(epoch FROM w.window_start)::bigint, sum(w.readings)::bigint, sum(w.energy_uwh)::bigint,
       sum(w.voltage_count)::bigint, sum(w.voltage_sum_mv)::bigint, max(w.demand_peak_kw), min(w.voltage_min),
       max(w.voltage_max)
FROM window_parts w JOIN transformers t USING (transformer_id)
WHERE w.window_s = {WINDOW_S} GROUP BY 1, 2
"""
_NEWEST = "meterstream:latest:meter:"
_FLAGS = "SELECT quality_flag::text, count(*) FROM meter_readings GROUP BY 1"
K = TypeVar("K")
V = TypeVar("V")
#: Differences shown of each kind.
_SHOWN = 3


def left(ground: Ground, rejected_before: int) -> Outcome:
    """Read what a run left in the database, in Redis, and in the topic of rejects.

    Args:
        ground: the servers.
        rejected_before: records in that topic when the run began.
    """
    with psycopg.connect(ground.endpoints.database_url) as connection:
        meters = {row[0]: tuple(row[1:]) for row in connection.execute(_METERS)}
        windows = {(row[0], row[1]): tuple(row[2:]) for row in connection.execute(_WINDOWS)}
        flags = dict(connection.execute(_FLAGS).fetchall())
    rejected = length(ground.endpoints.kafka_url, METERS_REJECTED.name) - rejected_before
    return Outcome(meters, windows, _newest(ground.endpoints.redis_url), rejected, flags)


def _newest(redis_url: str) -> dict[str, int]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        keys = list(client.scan_iter(f"{_NEWEST}*", count=10_000))
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.hget(key, "time_us")
        times = pipeline.execute()
    return {key.removeprefix(_NEWEST): int(time_us) for key, time_us in zip(keys, times, strict=True)}


def differences(found: Outcome, wanted: Outcome) -> list[str]:
    """Say in words what is not as it should be; nothing where all is."""
    return [
        *_compared("meter", found.meters, wanted.meters),
        *_compared("window", found.windows, wanted.windows),
        *_compared("newest value", found.newest, wanted.newest),
        *_compared("topic", {METERS_REJECTED.name: found.rejected}, {METERS_REJECTED.name: wanted.rejected}),
    ]


def _compared(kind: str, found: Mapping[K, V], wanted: Mapping[K, V]) -> list[str]:
    wrong = [key for key in wanted if found.get(key) != wanted[key]]
    foreign = [key for key in found if key not in wanted]
    said = [f"{kind} {key}: {found.get(key)} instead of {wanted[key]}" for key in wrong[:_SHOWN]]
    said += [f"{kind} {key}: {found[key]} where nothing belongs" for key in foreign[:_SHOWN]]
    more = len(wrong) + len(foreign) - len(said)
    return [*said, *([f"and {more} more {kind}s"] if more > 0 else [])]
