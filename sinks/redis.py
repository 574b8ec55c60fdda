"""Redis: the newest reading of each meter, the newest tick of each market series.

Guarantee: an older reading never replaces a newer one, whoever writes; what is lost here comes again.
"""

from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import redis.asyncio as aioredis
from redis.exceptions import RedisError

from schemas import json_writer
from schemas.delivery import StoredRows
from schemas.errors import ServiceUnavailable
from schemas.quality import FLAGS

PREFIX = "meterstream:latest:meter:"
#: Followed by market/symbol/kind.
MARKET_PREFIX = "meterstream:latest:market:"

#: Fields of the hash kept for each meter; of a market series, the third is the tick.
TIME_US, READING, FLAG, SCORE = "time_us", "reading", "quality_flag", "anomaly_score"
TICK = "tick"

#: Meters per call of the script: a call blocks Redis for a few milliseconds at most.
_METERS_PER_CALL = 1_000
_FLAG_NAMES = pa.array([str(flag) for flag in FLAGS])
#: Unit and record separators; neither can be in a meter number, which is printable, nor in JSON.
_UNIT, _RECORD = "\x1f", "\x1e"

# ARGV: expiry [s], name of the last field, then one text of records: key, time [us], flag, score, reading. One text
# costs the client a fraction of what five arguments per meter would.
_KEEP_NEWEST = r"""
local replaced = 0
for key, time_us, flag, score, reading in
    string.gmatch(ARGV[3], '([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\30]*)\30') do
  local known = redis.call('HGET', key, 'time_us')
  if not known or tonumber(known) <= tonumber(time_us) then
    redis.call('HSET', key, 'time_us', time_us, 'quality_flag', flag, 'anomaly_score', score, ARGV[2], reading)
    redis.call('EXPIRE', key, ARGV[1])
    replaced = replaced + 1
  end
end
return replaced
"""


R = TypeVar("R", bound=StoredRows[Any])


class RedisLatest(Generic[R]):
    """Latest values in Redis.

    Args:
        url: `redis://host:port/0`.
        expiry_s: how long a value lives without a newer one [s].
        prefix: of every key; the name of what the row is of follows.
        field: what the row itself is called.
    """

    def __init__(self, url: str, *, expiry_s: int, prefix: str = PREFIX, field: str = READING) -> None:
        self._client: aioredis.Redis = aioredis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=10)
        self._script = self._client.register_script(_KEEP_NEWEST)
        self._expiry_s = expiry_s
        self._prefix = prefix
        self._field = field

    async def open(self) -> None:
        """Ask Redis for a sign of life."""
        try:
            await self._client.ping()
        except RedisError as error:
            raise ServiceUnavailable("redis", error) from error

    async def write(self, rows: R) -> int:
        """Keep the newest row of each key; see `Latest.write`."""
        candidates = np.flatnonzero(rows.newest)
        replaced = 0
        for start in range(0, len(candidates), _METERS_PER_CALL):
            part = rows.take(candidates[start : start + _METERS_PER_CALL])
            try:
                replaced += int(await self._script([], [self._expiry_s, self._field, _records(part, self._prefix)]))
            except RedisError as error:
                # Out of memory, read only, loading: whatever Redis refuses, the database has it.
                raise ServiceUnavailable("redis", error) from error
        return replaced

    async def close(self) -> None:
        """Disconnect."""
        await self._client.aclose()


def _records(rows: StoredRows[Any], prefix: str) -> str:
    unit = pa.scalar(_UNIT)
    lines = pc.binary_join_element_wise(
        pc.binary_join_element_wise(pa.scalar(prefix), rows.names, pa.scalar("")),
        pa.array(rows.batch.time_us).cast(pa.string()),
        _FLAG_NAMES.take(pa.array(rows.flag)),
        pc.fill_null(pa.array(rows.score, from_pandas=True).cast(pa.string()), ""),
        json_writer.objects(rows.batch),
        unit,
    )
    return _RECORD.join([*lines.to_pylist(), ""])
