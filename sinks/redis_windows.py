"""Redis: the newest window of each element and length, next to the newest reading of each meter.

Guarantee: an older window, or an older revision of one, never replaces a newer one; what is lost here comes again.
"""

from collections.abc import Sequence

import redis.asyncio as aioredis
from redis.exceptions import RedisError

from schemas.errors import ServiceUnavailable
from schemas.windows import WindowAggregate

#: Followed by length [s] and element.
PREFIX = "meterstream:latest:window:"
#: Fields of the hash.
TIME_US, REVISION, WINDOW = "time_us", "revision", "window"
#: Windows per call of the script: a call blocks Redis for a few milliseconds at most.
_AT_ONCE = 1_000

# ARGV: expiry [s], then key, start [us], revision and JSON of each window.
_KEEP_NEWEST = """
local replaced = 0
for at = 2, #ARGV, 4 do
  local key, time_us, revision = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local known = redis.call('HMGET', key, 'time_us', 'revision')
  local known_us = tonumber(known[1] or '')
  if not known_us or known_us < time_us or (known_us == time_us and tonumber(known[2]) <= revision) then
    redis.call('HSET', key, 'time_us', ARGV[at + 1], 'revision', ARGV[at + 2], 'window', ARGV[at + 3])
    redis.call('EXPIRE', key, ARGV[1])
    replaced = replaced + 1
  end
end
return replaced
"""


class RedisWindows:
    """Newest windows of all classes together, in Redis.

    Args:
        url: `redis://host:port/0`.
        expiry_s: how long a window lives without a newer one, beyond three times its own length [s].
    """

    def __init__(self, url: str, *, expiry_s: int) -> None:
        self._client: aioredis.Redis = aioredis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=10)
        self._script = self._client.register_script(_KEEP_NEWEST)
        self._expiry_s = expiry_s

    async def write(self, windows: Sequence[WindowAggregate]) -> int:
        """Keep the newest window of each element and length; return how many were replaced.

        Raises:
            ServiceUnavailable: some may have been kept; writing the same windows again is safe.
        """
        replaced = 0
        for length_s in sorted({window.window_s for window in windows}):
            chosen = [item for item in windows if item.window_s == length_s and item.customer_class is None]
            for start in range(0, len(chosen), _AT_ONCE):
                arguments = [text for window in chosen[start : start + _AT_ONCE] for text in _arguments(window)]
                try:
                    replaced += int(await self._script([], [self._expiry_s + 3 * length_s, *arguments]))
                except RedisError as error:
                    raise ServiceUnavailable("redis", error) from error
        return replaced

    async def close(self) -> None:
        """Disconnect."""
        await self._client.aclose()


def _arguments(window: WindowAggregate) -> tuple[str, str, str, str]:
    start_us = round(window.window_start.timestamp() * 1e6)
    return (
        f"{PREFIX}{window.window_s}:{window.element}",
        str(start_us),
        str(window.revision),
        window.model_dump_json(),
    )
