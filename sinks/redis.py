"""Redis: the newest reading of each meter.

Guarantee: an older reading never replaces a newer one, whoever writes; what is lost here comes again.
"""

from typing import Any

import numpy as np
import redis.asyncio as aioredis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from schemas import json_writer
from schemas.delivery import Rows
from schemas.errors import ServiceUnavailable
from schemas.quality import FLAGS

PREFIX = "meterstream:latest:meter:"

#: Fields of the hash kept for each meter.
TIME_US, READING, FLAG, SCORE = "time_us", "reading", "quality_flag", "anomaly_score"

#: Meters per call of the script: a call blocks Redis for a few milliseconds at most.
_METERS_PER_CALL = 1_000
_FLAG_NAMES = np.array([str(flag) for flag in FLAGS], dtype=object)

# KEYS: one per meter; ARGV: expiry [s], then for each meter its time [us], reading, flag and score.
_KEEP_NEWEST = """
local replaced = 0
for i, key in ipairs(KEYS) do
  local at = 2 + (i - 1) * 4
  local known = redis.call('HGET', key, 'time_us')
  if not known or tonumber(known) <= tonumber(ARGV[at]) then
    redis.call('HSET', key, 'time_us', ARGV[at], 'reading', ARGV[at + 1],
               'quality_flag', ARGV[at + 2], 'anomaly_score', ARGV[at + 3])
    redis.call('EXPIRE', key, ARGV[1])
    replaced = replaced + 1
  end
end
return replaced
"""


class RedisLatest:
    """Latest values in Redis.

    Args:
        url: `redis://host:port/0`.
        expiry_s: how long a value lives without a newer one [s].
    """

    def __init__(self, url: str, *, expiry_s: int) -> None:
        self._client: aioredis.Redis = aioredis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=10)
        self._script = self._client.register_script(_KEEP_NEWEST)
        self._expiry_s = expiry_s

    async def open(self) -> None:
        """Ask Redis for a sign of life."""
        try:
            await self._client.ping()
        except RedisError as error:
            raise ServiceUnavailable("redis", error) from error

    async def write(self, rows: Rows) -> int:
        """Keep the newest reading of each meter; see `Latest.write`."""
        newest = _last_of_each_meter(rows)
        replaced = 0
        try:
            for start in range(0, len(newest), _METERS_PER_CALL):
                keys, arguments = _arguments(rows, newest[start : start + _METERS_PER_CALL])
                replaced += int(await self._script(keys, [self._expiry_s, *arguments]))
        except (RedisConnectionError, RedisTimeoutError) as error:
            raise ServiceUnavailable("redis", error) from error
        return replaced

    async def close(self) -> None:
        """Disconnect."""
        await self._client.aclose()


def _last_of_each_meter(rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return positions of the newest row of each meter, among the rows that moved their meter forward."""
    candidates = np.flatnonzero(rows.newest)
    _, last = np.unique(rows.meter_id[candidates][::-1], return_index=True)
    return candidates[len(candidates) - 1 - last]


def _arguments(rows: Rows, at: np.ndarray[tuple[int], np.dtype[np.intp]]) -> tuple[list[str], list[Any]]:
    batch = rows.batch.take(at)
    keys = np.char.add(PREFIX, np.asarray(batch.meter_number.to_pylist(), dtype=str)).tolist()
    table = np.empty((len(at), 4), dtype=object)
    table[:, 0] = batch.time_us
    table[:, 1] = json_writer.write_rows(batch)
    table[:, 2] = _FLAG_NAMES[rows.flag[at]]
    table[:, 3] = np.where(np.isnan(rows.score[at]), b"", rows.score[at].astype("S12"))
    return keys, table.ravel().tolist()
