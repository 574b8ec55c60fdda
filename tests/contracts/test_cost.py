"""Load meets price: what the views say is what a batch computation says, to the cent, before and after restatements."""

from collections import defaultdict
from collections.abc import AsyncIterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.readings import ReadingBatch
from schemas.registry import RegistryEntry
from schemas.ticks import TickBatch
from simulators.feeds import aemo
from simulators.replay.recording import Findings
from sinks.timescale import TimescaleStore
from stream.markets import load_markets
from tests.builders import DAY_US, MINUTE_US
from tests.contracts.backings import unique
from tests.contracts.test_any_store import Feed
from tests.contracts.test_timescale_ticks import Writer
from tests.contracts.writing import query

pytestmark = pytest.mark.integration
STEP_US = 5 * MINUTE_US
CENT = Decimal("0.01")
Key = tuple[str, int]


@pytest.fixture
async def feed(database_url: str) -> AsyncIterator[Feed]:
    made = Feed(TimescaleStore(database_url, lateness_s=60.0), unique("topic"), unique("m"))
    await made.start()
    yield made
    await made.store.close()


@pytest.fixture
async def writer(database_url: str) -> AsyncIterator[Writer]:
    made = Writer(database_url, unique("ticks"))
    yield made
    await made.store.close()


def day_of_prices(shared_data: Path, symbol: str) -> TickBatch:
    """A real day of New South Wales with its spikes and second runs, under a symbol of the test's own."""
    path = shared_data / "aemo_nem" / "dispatch_price_2018-2026_windows.csv.gz"
    whole = TickBatch.concat(list(aemo.read(path, load_markets(), Findings())))
    mine = np.array(whole.column("symbol").to_pylist()) == "NSW1"
    first = whole.where(mine)
    day = first.where(first.time_us < first.time_us[0] + DAY_US)
    columns = {name: day.column(name) for name in TickBatch.layout.schema.names}
    return TickBatch.from_columns(**(columns | {"symbol": [symbol] * len(day), "tick_time": day.time_us}))


def batch_costs(energies: list[tuple[str, str, int, float]], prices: dict[int, float], by: int) -> dict[Key, Decimal]:
    """Cost of each group and interval, from scratch: whole micro-watt-hours times a decimal price, rounded once."""
    sums: dict[Key, int] = defaultdict(int)
    for row in energies:
        sums[row[by], row[2] // STEP_US * STEP_US] += int(np.rint(row[3] * 1e9))
    return {
        key: (Decimal(uwh) / 10**12 * Decimal(repr(prices[key[1]]))).quantize(CENT, ROUND_HALF_UP)
        for key, uwh in sums.items()
        if key[1] in prices
    }


async def test_costs_are_those_of_a_batch_computation(
    feed: Feed, writer: Writer, database_url: str, shared_data: Path
) -> None:
    zone, region = unique("Z").strip("-"), unique("region").strip("-")
    meters = [f"{feed.prefix}{number}" for number in range(6)]
    feeder = {meter: f"{region}-f{number % 2}" for number, meter in enumerate(meters)}
    kind = {meter: ("residential", "commercial")[number % 3 == 0] for number, meter in enumerate(meters)}
    await feed.store.register(
        [
            RegistryEntry.model_validate(
                {
                    "meter_number": meter,
                    "transformer": f"{region}-t{number}",
                    "feeder": feeder[meter],
                    "substation": f"{region}-s",
                    "region": region,
                    "class": kind[meter],
                    "zone": f"aemo_nem/{zone}",
                }
            )
            for number, meter in enumerate(meters)
        ]
    )
    ticks = day_of_prices(shared_data, zone)
    prices: dict[int, float] = {}
    for time_us, price in zip(ticks.time_us.tolist(), ticks.floats("price").tolist(), strict=True):
        prices[time_us - STEP_US] = price  # the later run stands behind the first
    await writer.write(ticks)

    rng = np.random.default_rng(4)
    start = int(ticks.time_us.min()) - STEP_US
    late = rng.random(288 * 6) < 0.1
    rows = [
        (
            feeder[meter],
            kind[meter],
            start + step * STEP_US + int(rng.integers(0, 300)) * 10**6,
            float(rng.gamma(2, 0.1)),
            meter,
        )
        for step in range(288)
        for meter in meters
    ]
    stored = list[tuple[str, str, int, float]]()

    async def store(chosen: list[Any], offset: int) -> None:
        batch = ReadingBatch.from_columns(
            meter_number=[row[4] for row in chosen],
            reading_time=np.array([row[2] for row in chosen]),
            consumption_kwh=[row[3] for row in chosen],
        )
        await feed.write(batch, offset)
        stored.extend(row[:4] for row in chosen)

    def agree() -> None:
        for view, column, by in (("cost_by_feeder", "feeder", 0), ("cost_by_class", "customer_class", 1)):
            found = query(
                database_url,
                f"SELECT {column}, (extract(epoch FROM starts_at) * 1e6)::bigint, cost FROM {view} WHERE region = %s",
                region,
            )
            assert {row[:2]: row[2] for row in found} == batch_costs(stored, prices, by), view

    await store([row for row, is_late in zip(rows, late, strict=True) if not is_late], 0)
    agree()
    await store([row for row, is_late in zip(rows, late, strict=True) if is_late], 1)
    agree()

    # A run published later takes the place of the price that stood.
    at = start + 100 * STEP_US
    revision = TickBatch.from_columns(
        market=["aemo_nem"], symbol=[zone], kind=["settlement"], tick_time=np.array([at + STEP_US]),
        price=[1234.56], revision=[7],
    )  # fmt: skip
    await writer.write(revision)
    prices[at] = 1234.56
    agree()

    (hours,) = query(
        database_url,
        "SELECT hours_above(%s, 100, to_timestamp(%s), to_timestamp(%s))",
        region, start / 10**6, (start + DAY_US) / 10**6,
    )  # fmt: skip
    assert float(hours[0]) == pytest.approx(sum(price > 100 for price in prices.values()) / 12)
    costliest = query(
        database_url,
        "SELECT cost FROM costliest_intervals(%s, (to_timestamp(%s) AT TIME ZONE 'Australia/Brisbane')::date, 3)",
        region,
        start / 10**6,
    )
    every = query(database_url, "SELECT cost FROM cost_by_region WHERE region = %s ORDER BY cost DESC LIMIT 3", region)
    assert costliest == every

    query(
        database_url,
        "INSERT INTO hedges (region, starts_at, ends_at, quantity_mw) "
        "VALUES (%s, to_timestamp(%s), to_timestamp(%s), 0.006) RETURNING 1",
        region, start / 10**6, (start + DAY_US) / 10**6,
    )  # fmt: skip
    for energy, hedged, price, open_cost in query(
        database_url,
        "SELECT energy_mwh, hedged_mwh, price, unhedged_cost FROM region_exposure WHERE region = %s",
        region,
    ):
        assert hedged == Decimal("0.0005")
        assert open_cost == ((energy - hedged) * price).quantize(CENT, ROUND_HALF_UP)
