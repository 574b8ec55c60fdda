"""What Redis holds, and what happens when it will not."""

import json
from collections.abc import Iterator

import pytest
import redis

from schemas.errors import ServiceUnavailable
from sinks.redis import FLAG, PREFIX, READING, SCORE, RedisLatest
from stream.stack.endpoints import Endpoints
from tests.builders import START_US, batch, rows
from tests.contracts.backings import RedisBacking, unique

pytestmark = pytest.mark.integration


@pytest.fixture
def client(stack: Endpoints) -> Iterator[redis.Redis]:
    with RedisBacking(stack.redis_url).client as client:
        yield client


@pytest.fixture
def sink(stack: Endpoints) -> RedisLatest:
    return RedisLatest(stack.redis_url, expiry_s=120)


async def test_a_value_holds_the_reading_its_flag_and_its_score(sink: RedisLatest, client: redis.Redis) -> None:
    meter = unique('m"ü\\') + "米"
    of = batch(meter, [START_US], voltage=[209.5], phase=['L"1'])
    await sink.write(rows(of, flag=1, score=1.2345678e-05))
    kept = client.hgetall(PREFIX + meter)
    assert json.loads(kept[READING]) == {
        "meter_number": meter,
        "reading_time": "2024-01-01T00:00:00.000000Z",
        "voltage": 209.5,
        "phase": 'L"1',
    }
    assert (kept[FLAG], float(kept[SCORE])) == ("warning", pytest.approx(1.2345678e-05))
    await sink.close()


async def test_no_score_is_an_empty_text(sink: RedisLatest, client: redis.Redis) -> None:
    meter = unique("m")
    await sink.write(rows(batch(meter, START_US)))
    assert client.hget(PREFIX + meter, SCORE) == ""
    await sink.close()


async def test_a_value_expires_and_a_newer_one_begins_anew(sink: RedisLatest, client: redis.Redis) -> None:
    meter = unique("m")
    await sink.write(rows(batch(meter, START_US + 1)))
    assert 100 < client.ttl(PREFIX + meter) <= 120
    client.expire(PREFIX + meter, 50)
    await sink.write(rows(batch(meter, START_US)))
    assert client.ttl(PREFIX + meter) <= 50
    await sink.write(rows(batch(meter, START_US + 2)))
    assert client.ttl(PREFIX + meter) > 100
    await sink.close()


async def test_a_redis_that_is_not_there_is_unavailable() -> None:
    sink = RedisLatest("redis://127.0.0.1:1/0", expiry_s=120)
    with pytest.raises(ServiceUnavailable):
        await sink.open()
    with pytest.raises(ServiceUnavailable):
        await sink.write(rows(batch("m", START_US)))
    await sink.close()


async def test_a_redis_that_is_full_is_unavailable_and_serves_again_later(
    sink: RedisLatest, client: redis.Redis
) -> None:
    meter = unique("m")
    before = {name: client.config_get(name)[name] for name in ("maxmemory", "maxmemory-policy")}
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    try:
        with pytest.raises(ServiceUnavailable, match="redis"):
            await sink.write(rows(batch(meter, START_US)))
    finally:
        for name, value in before.items():
            client.config_set(name, value)
    assert await sink.write(rows(batch(meter, START_US))) == 1
    await sink.close()


async def test_a_script_that_redis_has_forgotten_is_sent_again(sink: RedisLatest, client: redis.Redis) -> None:
    await sink.write(rows(batch(unique("m"), START_US)))
    client.script_flush()
    assert await sink.write(rows(batch(unique("m"), START_US))) == 1
    await sink.close()
