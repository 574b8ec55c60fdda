"""A source that labels by the other side is told from what it contradicts; `meterstream market labels`."""

import json
from collections.abc import AsyncIterator

import numpy as np
import psycopg
import pytest
from click.testing import CliRunner

from schemas.rejected import Rejected
from schemas.ticks import TickBatch
from schemas.topics import MARKET_RAW
from stream.cli import main
from stream.market.labels import suspects
from stream.market.price_source import Span
from stream.markets import load_markets
from tests.builders import MINUTE_US, START_US
from tests.contracts.test_timescale_ticks import Writer

pytestmark = pytest.mark.integration
MARKETS = load_markets()
ADD = """
INSERT INTO rejected_readings (reject_id, reason, detail, source, rejected_at, payload, payload_encoding, payload_bytes)
VALUES (%s, %s, '', %s, %s, %s, 'utf-8', 0)
"""


@pytest.fixture
async def writer(url: str) -> AsyncIterator[Writer]:
    made = Writer(url, MARKET_RAW.name)
    yield made
    await made.store.close()


def ticks(symbol: str, price: np.ndarray, shift: int = 0, market: str = "aemo_nem") -> TickBatch:
    length_us = MARKETS.named(market).interval_s * 1_000_000
    n = len(price)
    return TickBatch.from_columns(
        market=[market] * n,
        symbol=[symbol] * n,
        kind=["settlement"] * n,
        tick_time=START_US + 60 * MINUTE_US + length_us * (np.arange(n) + shift),
        price=price,
    )


def keep(url: str, rejected: list[Rejected]) -> None:
    rows = [(one.reject_id, one.reason, one.source, one.rejected_at, one.payload) for one in rejected]
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.executemany(ADD, rows)


async def test_each_series_gets_its_verdict(writer: Writer, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    price = rng.normal(60, 20, (3, 60)).round(2)
    for symbol, values in zip(("NSW1", "VIC1"), price, strict=False):
        await writer.write(ticks(symbol, values))
    await writer.write(ticks("SYS", price[2], market="nordpool"))
    assert suspects(url, MARKETS, Span(None, None)) == []
    # A second source: one labels by starts what its market labels by ends, one has other prices, one labels by ends.
    second = [ticks("NSW1", price[0], -1), ticks("VIC1", price[1] + 1), ticks("SYS", price[2], 1, "nordpool")]
    for batch in second:
        keep(url, (await writer.write(batch)).rejected)
    found = {str(suspect.name): suspect.found for suspect in suspects(url, MARKETS, Span(None, None))}
    assert (found["aemo_nem/NSW1"].count, found["aemo_nem/NSW1"].earlier) == (59, 59)
    assert found["aemo_nem/VIC1"].side is None
    assert found["nordpool/SYS"].later == 59
    monkeypatch.setenv("METERSTREAM_DATABASE_URL", url)
    shown = CliRunner().invoke(main, ["market", "labels"])
    assert shown.exit_code == 0, shown.output
    lines = {line.split()[0]: line for line in shown.stdout.splitlines()}
    assert "labelled by the start, not the end" in lines["aemo_nem/NSW1"]
    assert "other values" in lines["aemo_nem/VIC1"]
    assert "labelled by the end, not the start" in lines["nordpool/SYS"]
    rows = [json.loads(line) for line in CliRunner().invoke(main, ["market", "labels", "--json"]).stdout.splitlines()]
    assert {row["series"]: row["side"] for row in rows}["aemo_nem/NSW1"] == "earlier"
    nobody = CliRunner().invoke(main, ["market", "labels", "--until", "1990-01-01T00:00:00Z"])
    assert nobody.stdout == "no tick has contradicted a stored one\n"
