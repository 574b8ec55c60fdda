"""The newest reading of a meter: from Redis, and from the database where Redis has forgotten it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from schemas.layout import instant_of
from schemas.readings import ReadingBatch
from sinks.redis import FLAG, PREFIX, READING, SCORE, TIME_US
from stream.database import connected
from stream.stack.endpoints import Endpoints

_TIMEOUT_S = 3.0
_KEY = ("meter_number", "reading_time")
_VALUES = [name for name in ReadingBatch.layout.schema.names if name not in _KEY]
_NEWEST = f"""
SELECT m.meter_number, r.reading_time, r.quality_flag::text, r.anomaly_score, {", ".join("r." + n for n in _VALUES)}
FROM smart_meters m
CROSS JOIN LATERAL (SELECT * FROM meter_readings WHERE meter_id = m.meter_id ORDER BY reading_time DESC LIMIT 1) r
WHERE m.meter_number = ANY(%s)
"""  # noqa: S608 - names are constants of this module


@dataclass(frozen=True)
class Newest:
    """The newest reading of one meter.

    Attributes:
        meter_number: whose it is.
        reading_time: when it was taken.
        quality_flag: what the engine thinks of it.
        anomaly_score: how unusual it is, 0 to 1; None where it was not scored.
        values: its measures, those that are there.
        source: `redis` or `database`.
    """

    meter_number: str
    reading_time: datetime
    quality_flag: str
    anomaly_score: float | None
    values: dict[str, Any]
    source: str

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "meter_number": self.meter_number,
            "reading_time": self.reading_time.isoformat(),
            **self.values,
            "quality_flag": self.quality_flag,
            "anomaly_score": self.anomaly_score,
            "source": self.source,
        }


@dataclass(frozen=True)
class Answer:
    """What was found.

    Attributes:
        found: by meter number, in the order asked for.
        unknown: meters without any reading.
        redis_trouble: why Redis did not answer, None where it did.
    """

    found: list[Newest]
    unknown: list[str]
    redis_trouble: str | None


def newest(endpoints: Endpoints, meters: Sequence[str]) -> Answer:
    """Look meters up.

    Raises:
        ServiceUnavailable: Redis does not have all of them and the database does not answer.
    """
    wanted = list(dict.fromkeys(meters))
    found, trouble = _from_redis(endpoints.redis_url, wanted)
    if len(found) < len(wanted):
        found |= _from_database(endpoints.database_url, [meter for meter in wanted if meter not in found])
    return Answer(
        [found[meter] for meter in wanted if meter in found],
        [meter for meter in wanted if meter not in found],
        trouble,
    )


def _from_redis(url: str, meters: list[str]) -> tuple[dict[str, Newest], str | None]:
    try:
        with redis.Redis.from_url(
            url,
            socket_connect_timeout=_TIMEOUT_S,
            socket_timeout=_TIMEOUT_S,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            pipeline = client.pipeline(transaction=False)
            for meter in meters:
                pipeline.hgetall(PREFIX + meter)
            hashes: list[dict[str, str]] = pipeline.execute()
    except RedisError as error:
        return {}, str(error)
    return {meter: _of_hash(meter, kept) for meter, kept in zip(meters, hashes, strict=True) if kept}, None


def _of_hash(meter: str, kept: dict[str, str]) -> Newest:
    values = {name: value for name, value in orjson.loads(kept[READING]).items() if name not in _KEY}
    score = float(kept[SCORE]) if kept.get(SCORE) else None
    return Newest(meter, instant_of(int(kept[TIME_US])), kept[FLAG], score, values, "redis")


def _from_database(url: str, meters: list[str]) -> dict[str, Newest]:
    with connected(url) as connection:
        rows = connection.execute(_NEWEST, (meters,)).fetchall()
    found = {}
    for meter, time, flag, score, *values in rows:
        measured = {name: value for name, value in zip(_VALUES, values, strict=True) if value is not None}
        found[meter] = Newest(meter, time, flag, score, measured, "database")
    return found
