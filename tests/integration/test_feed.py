"""Published files through the whole chain: feed, MQTT, bridge, Kafka, worker, database; and a feed that is killed."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.ticks import TickBatch
from stream.stack.stack import LocalStack
from tests.integration.processes import EngineProcess, command, query, wait_until
from tests.market_feed import REAL_MARKETS, produce
from tests.publishing_house import Held, PublishingHouse

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ACCOUNTED = "SELECT coalesce(sum(readings), 0)::bigint FROM stream_offsets WHERE topic = 'market.raw'"
#: Format -> files -> ticks that they hold.
SETS = {
    "aemo": {
        "aemo_nem/dispatch_price_2018-2026_windows.csv.gz": 49_260,
        "aemo_nem/mms/DISPATCHPRICE_202001.csv.gz": 3_024,
        "aemo_nem/mms/DISPATCHPRICE_202408.csv.gz": 2_880,
        "aemo_nem/mms/DISPATCHPRICE_202409.csv.gz": 2_880,
        "aemo_nem/mms/DISPATCHREGIONSUM_202001.csv.gz": 2 * 3_024,
        "aemo_nem/mms/DISPATCHREGIONSUM_202408.csv.gz": 2 * 2_880,
        "aemo_nem/mms/DISPATCHREGIONSUM_202409.csv.gz": 2 * 2_880,
        "aemo_nem/mms/TRADINGPRICE_202001.csv.gz": 480,
        "aemo_nem/mms/TRADINGPRICE_202408.csv.gz": 2_880,
        "aemo_nem/mms/TRADINGPRICE_202409.csv.gz": 2_880,
        "aemo_nem/price_and_demand/aemo_price_demand_202501_NSW.csv.gz": 2 * 8_928,
        "aemo_nem/price_and_demand/aemo_price_demand_202501_QLD.csv.gz": 2 * 8_928,
        "aemo_nem/price_and_demand/aemo_price_demand_202502_NSW.csv.gz": 2 * 8_064,
    },
    "omie": {
        "omie/PMD_20030802.txt": 24,
        "omie/PMD_20040101.txt": 24,
        "omie/PMD_20060101.txt": 24,
        "omie/PMD_20090601.txt": 48,
        "omie/PrecioIntra_2_20090102.txt": 48,
        "omie/PrecioIntra_2_20090103.txt": 48,
        "omie/PrecioMD_OMIE_20200329.txt": 46,
        "omie/PrecioMD_OMIE_20201022.txt": 48,
        "omie/PrecioMD_OMIE_20223010.txt": 50,
    },
    "nordpool": {"nordpool/NP.csv.gz": 157_248},
    "tennet": {"tennet_nl/balance_delta_27-02-2025.csv": 1_440},
    "usep": {"usep_singapore/03_USEP_Jan-2023.csv": 2_974},
    "iex": {
        "iex_india/IEX_RTMPriceVolume_17Oct.csv": 1_008,
        "iex_india/IEXGetTradeData_DAMPriceVolume_18Oct.csv": 2_688,
    },
    "elec2": {"elec2/elec.csv.gz": 181_248},
}


@pytest.fixture(scope="module")
def engine(own_stack: LocalStack) -> Iterator[LocalStack]:
    """A bridge and a worker that know a market more than the engine comes with."""
    with ExitStack() as running:
        # For every process, that of `reconcile` too: it judges as the worker does.
        running.enter_context(pytest.MonkeyPatch.context()).setenv("METERSTREAM_MARKETS_FILE", str(REAL_MARKETS))
        for part in ("run bridge", "run worker"):
            running.enter_context(EngineProcess(part, own_stack.directory)).wait_ready()
        yield own_stack


@pytest.fixture
def published(engine: LocalStack, shared_data: Path) -> Callable[[str], int]:
    """Publish all files of a format and wait until they are accounted for; returns how many ticks that was."""

    def publish(name: str) -> int:
        before = query(engine, ACCOUNTED)[0][0]
        files = [str(shared_data / file) for file in SETS[name]]
        found = json.loads(command(engine, "run", "feed", *files, "--format", name, "--once", "--json"))
        assert (found["files"], found["problems"], found["refused"]) == (len(files), 0, 0)
        wait_until(engine, ACCOUNTED, before + found["ticks"])
        ticks: int = found["ticks"]
        return ticks

    return publish


@pytest.mark.parametrize("name", SETS)
def test_every_real_set_is_accounted_for_from_file_to_database(
    engine: LocalStack, shared_data: Path, published: Callable[[str], int], name: str
) -> None:
    before = reconciled(engine)["total"]
    assert published(name) == sum(SETS[name].values())
    found = reconciled(engine)
    after = found["total"]
    gained = {key: after[key] - before[key] for key in ("readings", "rows", "rejected", "duplicates")}
    why = query(engine, "SELECT reason, count(*) FROM rejected_readings GROUP BY 1 ORDER BY 1")
    print(f"\n{why}\n| {name} | {' | '.join(f'{value:,}' for value in gained.values())} | {found['unaccounted']} |")  # noqa: T201
    assert (found["sound"], found["unaccounted"]) == (True, 0)
    assert gained["rows"] + gained["rejected"] + gained["duplicates"] == gained["readings"] == sum(SETS[name].values())
    files = [str(shared_data / file) for file in SETS[name]]
    again = json.loads(command(engine, "run", "feed", *files, "--format", name, "--once", "--json"))
    assert (again["files"], again["ticks"]) == (0, 0)


def reconciled(stack: LocalStack) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command(stack, "reconcile", "--topic", "market.raw", "--json"))
    return found


def day(steps: int, symbol: str) -> bytes:
    rows = [f"2024/08/01 {s * 5 // 60:02d}:{s * 5 % 60:02d}:00,{symbol},{40 + s}.5" for s in range(1, steps + 1)]
    return "\n".join(["SETTLEMENTDATE,REGIONID,RRP", *rows, ""]).encode()


def test_a_feed_that_is_killed_and_a_publisher_that_goes_away_lose_and_repeat_nothing(engine: LocalStack) -> None:
    stored = "SELECT count(*) FROM market_prices WHERE symbol = 'KILLED' AND kind = 'settlement'"
    with PublishingHouse() as house:
        house.held["/d.csv"] = Held(day(100, "KILLED"), etag="1")
        words = f"run feed {house.url('/d.csv')} --format aemo --every 10s"
        settings = {"METERSTREAM_FEED__BACKOFF_S": "0.2", "METERSTREAM_FEED__PAUSE_S": "0.1"}
        feed = EngineProcess(words, engine.directory, **settings)
        with feed:
            wait_until(engine, stored, 100)
            feed.kill()
            house.held["/d.csv"] = Held(status=503)
            feed.start()
            until(lambda: house.paths().count("/d.csv") >= 5)
            house.held["/d.csv"] = Held(day(150, "KILLED"), etag="2")
            wait_until(engine, stored, 150)
            assert feed.stop() == 0
    every = (
        "SELECT count(*), max(revision) FROM market_ticks JOIN market_series USING (series_id) WHERE symbol = 'KILLED'"
    )
    assert query(engine, every) == [(150, 0)]
    assert reconciled(engine)["unaccounted"] == 0


def test_a_figure_that_does_not_come_is_told_by_its_age(engine: LocalStack) -> None:
    # Of one second, so that it is overdue in a moment: two of them and ten minutes after its end.
    second = int(time.time()) - 597
    batch = TickBatch.from_columns(
        market=["aemo_nem"],
        symbol=["LATE"],
        kind=["settlement"],
        tick_time=np.array([second * 1_000_000]),
        price=[50.0],
        interval_s=[1],
    )
    produce(engine, batch)
    told = "SELECT count(*) FROM alert_signs WHERE kind = 'overdue_tick' AND element = 'market/aemo_nem/LATE'"
    wait_until(engine, told, 1)
    time.sleep(11)
    assert query(engine, told) == [(1,)]
    live = "SELECT count(*) FROM alert_signs WHERE kind = 'overdue_tick' AND element NOT LIKE '%LATE'"
    assert query(engine, live) == [(0,)]


def until(true: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)
