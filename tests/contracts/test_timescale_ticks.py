"""Ticks on PostgreSQL: each once, every revision kept, and bars that are those of the ticks, whatever came when."""

from collections.abc import AsyncIterator

import numpy as np
import psycopg
import pytest

from processors.market.bars import floor_to, summarise
from processors.market.follow import Following
from processors.market.series import SeriesState
from schemas import arrow_codec
from schemas.delivery import Delivery, Position, Stored
from schemas.errors import OffsetConflict
from schemas.tick_rows import TickRows
from schemas.ticks import TickBatch
from sinks.timescale_ticks import TimescaleTicks
from stream.market.flow import TickFlow, tick_effects
from stream.markets import load_markets
from stream.worker.intake import Record
from tests.builders import ARROW, MINUTE_US, START_US
from tests.contracts.backings import unique

pytestmark = pytest.mark.integration
MARKETS = load_markets()


class Writer:
    """One partition of ticks, written as a worker does."""

    def __init__(self, url: str, topic: str) -> None:
        self.store = TimescaleTicks(url, MARKETS)
        self.topic = topic
        self._flow = TickFlow(topic, 0, SeriesState(), np.empty(0, dtype=np.int64), MARKETS, following=Following())
        self._position = Position(0, -(2**63))

    async def write(self, batch: TickBatch) -> Stored:
        await self.store.position(self.topic, "life", 0, 0)
        record = Record(self._flow.next_offset, arrow_codec.write(batch), ARROW, 1_790_000_000_000_000)
        step = self._flow.process([record])
        assert step is not None
        state = self._flow.state
        rows = state.unresolved(step.state_rows)
        if len(rows):
            state.resolve(rows, *await self.store.resolve(state.names_at(rows)))
        cut = tick_effects(step, state, self._position)
        assert cut is not None
        assert cut.rejected == []

        async def nothing(_: Stored) -> None:
            pass

        stored = await self.store.write(
            Delivery[TickRows](self.topic, "life", cut.rows, cut.alerts, [cut.progress]), nothing
        )
        self._position = Position(cut.progress.next_offset, cut.progress.watermark_us)
        return stored


@pytest.fixture
async def writer(database_url: str) -> AsyncIterator[Writer]:
    made = Writer(database_url, unique("ticks"))
    yield made
    await made.store.close()


def ticks(symbol: str, minutes: list[float], price: list[float], revision: list[int] | None = None) -> TickBatch:
    n = len(minutes)
    kind = "trade" if revision is None else "settlement"
    return TickBatch.from_columns(
        market=["epex_intraday" if revision is None else "aemo_nem"] * n,
        symbol=[symbol] * n,
        kind=[kind] * n,
        tick_time=START_US + (np.array(minutes) * MINUTE_US).astype(np.int64),
        price=price,
        quantity=np.arange(1.0, n + 1),
        revision=revision or [0] * n,
    )


BARS = """
SELECT bar_s, (extract(epoch FROM bar_start) * 1e6)::bigint, ticks, open, high, low, close, volume, vwap, twap
FROM market_bars WHERE symbol = %s ORDER BY bar_s, bar_start
"""


def bars(url: str, symbol: str) -> list[tuple[float, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(BARS, (symbol,)).fetchall()


def expected(time_us: np.ndarray, price: np.ndarray, quantity: np.ndarray) -> list[tuple[float, ...]]:
    """What the arithmetic says of all of them at once."""
    found = list[tuple[float, ...]]()
    for length_s in (60, 300, 900, 3_600):
        start = floor_to(time_us, length_s)
        made = summarise(np.zeros_like(start), start, start + length_s * 10**6, time_us, price, quantity)
        columns = (
            np.full(len(made), length_s), made.start_us, made.ticks, made.open, made.high, made.low, made.close,
            made.volume, made.vwap, made.twap,
        )  # fmt: skip
        found += zip(*(column.tolist() for column in columns), strict=True)
    return found


def same(found: list[tuple[float, ...]], wanted: list[tuple[float, ...]]) -> None:
    assert [row[:7] for row in found] == [row[:7] for row in wanted]
    assert np.allclose([row[7:] for row in found], [row[7:] for row in wanted], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
async def test_bars_are_those_of_the_ticks_however_they_came(writer: Writer, database_url: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    symbol = unique("Z").strip("-")
    minutes = np.sort(rng.choice(np.arange(0, 90, 0.25), 60, replace=False))
    whole = ticks(symbol, minutes.tolist(), rng.normal(40, 60, 60).round(2).tolist())
    order = np.arange(60)
    if seed:
        order = rng.permutation(60)
    for part in np.array_split(order, rng.integers(1, 8)):
        await writer.write(whole.take(part))
    found = [row for row in bars(database_url, symbol) if row[0] < 86_400]
    same(found, expected(whole.time_us, whole.floats("price"), whole.floats("quantity")))


async def test_a_revision_takes_its_original_out_of_the_bars(writer: Writer, database_url: str) -> None:
    symbol = unique("R").strip("-")
    await writer.write(ticks(symbol, [5, 10, 15], [50.0, 900.0, 52.0], [0, 0, 0]))
    await writer.write(ticks(symbol, [10], [51.0], [1]))
    await writer.write(ticks(symbol, [20, 20], [70.0, 53.0], [1, 0]))
    (hour,) = [row for row in bars(database_url, symbol) if row[0] == 3_600]
    assert hour[2:7] == (4, 50.0, 70.0, 50.0, 70.0)
    with psycopg.connect(database_url) as connection:
        counted = connection.execute(
            "SELECT count(*) FROM market_ticks JOIN market_series USING (series_id) WHERE symbol = %s", (symbol,)
        ).fetchone()
    assert counted == (5 + 1,)


async def test_a_session_is_the_markets_own_day(writer: Writer, database_url: str) -> None:
    symbol = unique("S").strip("-")
    # Sydney's market day begins at 14:00 UTC; START is midnight UTC, so ten hours into it.
    await writer.write(ticks(symbol, [0, 14 * 60, 14 * 60 + 5], [1.0, 2.0, 3.0], [0, 0, 0]))
    sessions = [row for row in bars(database_url, symbol) if row[0] == 86_400]
    assert [(row[1] - START_US) // (60 * MINUTE_US) for row in sessions] == [-10, 14]
    assert [row[2] for row in sessions] == [2, 1]


DUE = """
SELECT bar_s, (extract(epoch FROM starts_at) * 1e6)::bigint
FROM market_bars_due JOIN market_series ON series_id = ANY(series) WHERE symbol = %s ORDER BY bar_s, starts_at
"""


async def test_the_bars_of_a_tick_have_news_and_none_is_shorter_than_its_interval(
    writer: Writer, database_url: str
) -> None:
    symbol = unique("I").strip("-")
    # A quarter of an hour at 18:45 UTC is in the Indian day that began at 18:30, within an hour of UTC.
    at = START_US + (18 * 60 + 45) * MINUTE_US
    await writer.write(
        TickBatch.from_columns(
            market=["iex_india"], symbol=[symbol], kind=["settlement"], tick_time=np.array([at]), price=[3_000.0]
        )
    )
    with psycopg.connect(database_url) as connection:
        due = connection.execute(DUE, (symbol,)).fetchall()
    minutes = {length_s: (start - at) // MINUTE_US for length_s, start in due}
    assert minutes == {900: 0, 3_600: -45, 86_400: -15}


async def test_the_same_again_is_a_duplicate_and_other_values_contradict(writer: Writer) -> None:
    symbol = unique("D").strip("-")
    first = await writer.write(ticks(symbol, [5], [50.0], [0]))
    again = await writer.write(ticks(symbol, [5, 5], [50.0, 51.0], [0, 0]))
    assert first.fresh.tolist() == [True]
    assert again.fresh.tolist() == [False, False]
    assert again.conflicting.tolist() == [False, True]
    assert [item.reason for item in again.rejected] == ["conflicting_duplicate"]


async def test_a_worker_that_was_overtaken_writes_nothing(writer: Writer, database_url: str) -> None:
    symbol = unique("O").strip("-")
    await writer.write(ticks(symbol, [5], [50.0], [0]))
    other = Writer(database_url, writer.topic)
    with pytest.raises(OffsetConflict):
        await other.write(ticks(symbol, [10], [60.0], [0]))
    await other.store.close()
    assert [row[2] for row in bars(database_url, symbol) if row[0] == 3_600] == [1]
