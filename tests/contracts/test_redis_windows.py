"""The newest window of each element in Redis: neither an older one nor an older revision takes its place."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from schemas.errors import ServiceUnavailable
from schemas.windows import WindowAggregate
from sinks.redis_windows import PREFIX, RedisWindows
from stream.stack.endpoints import Endpoints
from tests.builders import aggregate
from tests.contracts.backings import RedisBacking, unique

pytestmark = pytest.mark.integration

_START = datetime(2026, 1, 1, tzinfo=UTC)


def window(element: str, quarter: int, revision: int, customer_class: str | None = None) -> WindowAggregate:
    start = _START + timedelta(minutes=15 * quarter)
    return aggregate(element=element, window_start=start, revision=revision, customer_class=customer_class)


@pytest.fixture
async def sink(stack: Endpoints) -> AsyncIterator[RedisWindows]:
    made = RedisWindows(stack.redis_url, expiry_s=60)
    yield made
    await made.close()


async def test_the_newest_window_and_its_highest_revision_stay(sink: RedisWindows, stack: Endpoints) -> None:
    element = unique("feeder/F")
    for quarter, revision, replaced in [(1, 1, 1), (1, 0, 0), (0, 9, 0), (1, 1, 1), (1, 2, 1), (2, 0, 1), (1, 3, 0)]:
        assert await sink.write([window(element, quarter, revision)]) == replaced
    with RedisBacking(stack.redis_url).client as client:
        kept = client.hgetall(f"{PREFIX}900:{element}")
        assert 0 < client.ttl(f"{PREFIX}900:{element}") <= 60 + 2_700
    assert json.loads(kept["window"]) == window(element, 2, 0).model_dump(mode="json")
    assert (kept["time_us"], kept["revision"]) == (str(int(_START.timestamp() + 1_800) * 10**6), "0")


async def test_windows_of_one_class_are_not_kept(sink: RedisWindows) -> None:
    assert await sink.write([window(unique("feeder/F"), 0, 0, "residential")]) == 0
    assert await sink.write([]) == 0


async def test_redis_that_is_not_there_is_unavailable() -> None:
    sink = RedisWindows("redis://127.0.0.1:1/0", expiry_s=60)
    with pytest.raises(ServiceUnavailable):
        await sink.write([window("grid", 0, 0)])
    await sink.close()
