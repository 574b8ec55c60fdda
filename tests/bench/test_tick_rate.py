"""How fast one worker takes ticks from a Kafka backlog into the database, whole chain on, interval after interval."""

import json
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.ticks import TickBatch
from stream.stack.stack import LocalStack
from tests.bench.watch import Watch
from tests.builders import START_US
from tests.integration.processes import EngineProcess, query
from tests.market_feed import produce

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SERVERS = ("postgres", "kafka", "redis")
NODES, INTERVALS = 1_000, 600
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


def stages(worker: EngineProcess, directory: Path) -> dict[str, float]:
    """Seconds that the lane of ticks has spent in each stage so far."""
    port = json.loads((directory / "run" / f"worker-{worker.pid}.json").read_text())["port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        sample.labels["stage"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "meterstream_market_stage_seconds_sum"
    }


def servers(stack: LocalStack) -> dict[str, list[int]]:
    """Return the servers' process ids by name."""
    pids = {name: stack.status().server(name).pid for name in SERVERS}
    return {name: [pid] for name, pid in pids.items() if pid is not None}


def test_rate_from_a_backlog(own_stack: LocalStack) -> None:
    batch = backlog()
    with EngineProcess("run worker", own_stack.directory) as worker:
        worker.wait_ready()
    produce(own_stack, batch)
    with EngineProcess("run worker", own_stack.directory) as worker:
        with Watch({"worker": [worker.pid], **servers(own_stack)}) as watch:
            while not query(own_stack, _TAKEN)[0][0]:
                time.sleep(0.05)
            # The first delivery has been stored: what it took is not measured, and is not counted.
            first, started = query(own_stack, _TAKEN)[0][0], time.time()
            while query(own_stack, _TAKEN)[0][0] < len(batch):
                time.sleep(0.1)
            ended = time.time()
        spent = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in stages(worker, own_stack.directory).items())
    count, took = len(batch) - first, ended - started
    each = ", ".join(f"{name} {1e6 * cpu_s / count:.1f}" for name, cpu_s in watch.spent(started, ended).items())
    print(f"\n{count:,} ticks of {NODES:,} nodes in {took:.1f} s: {count / took:,.0f} ticks/s")  # noqa: T201
    print(f"processor time a tick [us]: {each}")  # noqa: T201
    print(f"by stage: {spent}")  # noqa: T201
    assert query(own_stack, "SELECT count(*) FROM market_ticks")[0][0] == len(batch)
