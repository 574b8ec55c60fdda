"""How fast one worker takes ticks from a Kafka backlog into the database, whole chain on, interval after interval."""

import time

import numpy as np
import pytest

from schemas.ticks import TickBatch
from stream.stack.stack import LocalStack
from tests.builders import START_US
from tests.integration.processes import EngineProcess, query
from tests.market_feed import produce

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

NODES, INTERVALS = 1_000, 400
_TAKEN = "SELECT coalesce(sum(readings), 0)::bigint FROM stream_offsets WHERE topic = 'market.raw'"


def backlog() -> TickBatch:
    """Five-minute prices of a thousand nodes, as a market publishes them: all nodes of an interval at once."""
    walk = np.cumsum(np.random.default_rng(1).normal(0, 1, (INTERVALS, NODES)), axis=0)
    count = NODES * INTERVALS
    names = np.array([f"N{node}" for node in range(NODES)])
    return TickBatch.from_columns(
        market=["aemo_nem"] * count,
        symbol=np.tile(names, INTERVALS).tolist(),
        kind=["settlement"] * count,
        tick_time=START_US + 300_000_000 * np.repeat(np.arange(INTERVALS), NODES),
        price=np.round(60 + walk, 2).ravel(),
        quantity=np.ones(count),
        currency=["AUD"] * count,
    )


def test_rate_from_a_backlog(own_stack: LocalStack) -> None:
    batch = backlog()
    with EngineProcess("run worker", own_stack.directory) as worker:
        worker.wait_ready()
    produce(own_stack, batch)
    with EngineProcess("run worker", own_stack.directory) as worker:
        started = 0.0
        while (taken := query(own_stack, _TAKEN)[0][0]) < len(batch):
            started = started or (time.monotonic() if taken else 0.0)
            time.sleep(0.1)
        took = time.monotonic() - started
    print(f"\n{len(batch):,} ticks of {NODES:,} nodes in {took:.1f} s: {len(batch) / took:,.0f} ticks/s")  # noqa: T201
    assert query(own_stack, "SELECT count(*) FROM market_ticks")[0][0] == len(batch)
