"""The real Australian market through the whole chain: nothing lost, every revision kept, bars as they must be."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
import redis
from confluent_kafka import Consumer

from schemas.bars import Bar
from schemas.topics import MARKET_BARS
from sinks.redis import MARKET_PREFIX
from stream.stack.stack import LocalStack
from stream.topics import bootstrap_servers
from tests.integration.processes import EngineProcess, command, database_url, query, wait_until
from tests.market_feed import WINDOWS, produce, read

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

ACCOUNTED = "SELECT sum(readings)::bigint FROM stream_offsets WHERE topic = 'market.raw'"
TICKS = 49_260


@pytest.fixture(scope="module")
def prices(shared_data: Path) -> pd.DataFrame:
    """What pandas reads, the run that counts last."""
    table = pd.read_csv(shared_data / WINDOWS)
    table["end"] = pd.to_datetime(table["SETTLEMENTDATE"], format="%Y/%m/%d %H:%M:%S", utc=True) - pd.Timedelta(
        hours=10
    )
    table["start"] = table["end"] - pd.Timedelta(minutes=5)
    return table.sort_values(["REGIONID", "end", "INTERVENTION"], ignore_index=True)


@pytest.fixture(scope="module")
def stored(own_stack: LocalStack, shared_data: Path) -> LocalStack:
    """A stack that has taken all of it, the second half after a `kill -9` in the middle."""
    batch = read(shared_data / WINDOWS)
    assert len(batch) == TICKS
    with EngineProcess("run worker", own_stack.directory) as worker:
        worker.wait_ready()
        produce(own_stack, batch.slice(0, 20_000))
        wait_until(own_stack, ACCOUNTED, 5_000)
        worker.kill()
        produce(own_stack, batch.slice(20_000, TICKS - 20_000))
        worker.start()
        worker.wait_ready()
        wait_until(own_stack, ACCOUNTED, TICKS)
    return own_stack


def rows(stack: LocalStack, statement: str) -> pd.DataFrame:
    with psycopg.connect(database_url(stack)) as connection:
        cursor = connection.execute(statement.encode())
        assert cursor.description is not None
        return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])


def test_every_run_is_kept_as_a_revision(stored: LocalStack, prices: pd.DataFrame) -> None:
    found = dict(query(stored, "SELECT revision, count(*) FROM market_ticks GROUP BY revision"))
    assert found == {0: TICKS - 6_060, 1: 6_060}
    assert query(stored, "SELECT count(*) FROM market_prices") == [(TICKS - 6_060,)]
    assert query(stored, "SELECT count(*) FROM rejected_readings") == [(0,)]
    newest = rows(stored, "SELECT symbol, ends_at, price FROM market_prices ORDER BY symbol, ends_at")
    expected = prices.groupby(["REGIONID", "end"], as_index=False).last()
    assert newest["price"].tolist() == expected["RRP"].tolist()


def test_bars_equal_pandas(stored: LocalStack, prices: pd.DataFrame) -> None:
    current = prices.groupby(["REGIONID", "end"], as_index=False).last()
    for length in (300, 3_600):
        found = rows(stored, f"SELECT * FROM market_bars WHERE bar_s = {length} ORDER BY symbol, bar_start")
        grouped = current.groupby(["REGIONID", current["start"].dt.floor(f"{length}s")])["RRP"]
        expected = grouped.agg(["first", "max", "min", "last", "mean", "count"])
        assert len(found) == len(expected)
        for name, column in (("open", "first"), ("high", "max"), ("low", "min"), ("close", "last"), ("ticks", "count")):
            assert found[name].tolist() == expected[column].tolist(), name
        # Every interval is there, so that the mean over time is the mean.
        whole = (expected["count"] == length // 300).to_numpy()
        assert np.allclose(found["twap"][whole], expected["mean"][whole], rtol=1e-9, atol=1e-9)


def test_spikes_are_events_and_not_errors(stored: LocalStack, prices: pd.DataFrame) -> None:
    extremes = prices[(prices["RRP"] >= 20_300 / 2) | (prices["RRP"] <= -500)]
    assert {-1_000, 17_500} <= set(extremes["RRP"])
    flagged = "SELECT count(*), count(*) FILTER (WHERE quality_flag = 'anomaly') FROM market_ticks WHERE "
    ((every, told),) = query(stored, flagged + "price >= 20300.0 / 2 OR price <= -500")
    assert every == told == len(extremes)
    # One alert for as long as it goes on.
    (alerts,) = query(stored, "SELECT count(*) FROM alert_signs WHERE kind = 'extreme_price'")
    assert 0 < alerts[0] < every


def test_the_newest_tick_is_in_redis(stored: LocalStack, prices: pd.DataFrame) -> None:
    endpoints = stored.endpoints()
    assert endpoints is not None
    with redis.Redis.from_url(endpoints.redis_url, decode_responses=True) as client:
        kept: dict[str, Any] = client.hgetall(f"{MARKET_PREFIX}aemo_nem/NSW1/settlement")  # type: ignore[assignment]
    last = prices[prices["REGIONID"] == "NSW1"].iloc[-1]
    assert json.loads(kept["tick"])["price"] == last["RRP"]


def test_closed_bars_were_published(stored: LocalStack) -> None:
    endpoints = stored.endpoints()
    assert endpoints is not None
    settings = {"bootstrap.servers": bootstrap_servers(endpoints.kafka_url), "group.id": "bars-of-the-test"}
    consumer = Consumer({**settings, "auto.offset.reset": "earliest", "log_level": 0})
    consumer.subscribe([MARKET_BARS.name])
    found = consumer.consume(1_000, timeout=30)
    consumer.close()
    bars = [Bar.model_validate_json(message.value() or b"") for message in found]
    assert bars
    assert {bar.market for bar in bars} == {"aemo_nem"}


def test_everything_is_accounted_for(stored: LocalStack) -> None:
    found = json.loads(command(stored, "reconcile", "--topic", "market.raw", "--json"))
    assert found["sound"]
    assert (found["unaccounted"], found["total"]["rows"]) == (0, TICKS)
