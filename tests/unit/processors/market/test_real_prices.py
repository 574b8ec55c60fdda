"""Bars, VWAP and volatility of the real Australian market, held against an independent computation in pandas."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from processors.market.bars import BarPartials, floor_to, merge, summarise
from processors.market.returns import differences
from processors.market.terms import terms
from processors.market.volatility import DECAY, ewma, realised
from stream.markets import load_markets
from tests.market_feed import read

HOUR_S = 3_600
MARKETS = load_markets()


@pytest.fixture(scope="module")
def prices(shared_data: Path) -> pd.DataFrame:
    """Two regions of one month by five minutes; the published time is the interval's end."""
    names = ("NSW", "QLD")
    folder = shared_data / "aemo_nem" / "price_and_demand"
    tables = [pd.read_csv(folder / f"aemo_price_demand_202501_{name}.csv.gz") for name in names]
    table = pd.concat(tables, ignore_index=True)
    end = pd.to_datetime(table["SETTLEMENTDATE"], format="%Y/%m/%d %H:%M:%S") - pd.Timedelta(hours=10)
    table["time"] = end - pd.Timedelta(minutes=5)
    return table.sort_values(["REGION", "time"], ignore_index=True)


def test_the_spikes_are_there(prices: pd.DataFrame) -> None:
    assert prices["RRP"].min() < -50
    assert prices["RRP"].max() == 17_500


def test_bars_and_vwap_equal_pandas(prices: pd.DataFrame) -> None:
    time_us = prices["time"].to_numpy().astype("datetime64[us]").astype(np.int64)
    series, _ = pd.factorize(prices["REGION"])
    start = floor_to(time_us, HOUR_S)
    end = start + HOUR_S * 10**6
    columns = (series, start, end, time_us, prices["RRP"].to_numpy(), prices["TOTALDEMAND"].to_numpy())
    thirds = np.array_split(np.arange(len(prices)), 3)
    bars = merge(BarPartials.concat([summarise(*(column[part] for column in columns)) for part in thirds]))

    grouped = prices.assign(hour=prices["time"].dt.floor("h"), money=prices["RRP"] * prices["TOTALDEMAND"]).groupby(
        ["REGION", "hour"]
    )
    expected = grouped.agg(
        open=("RRP", "first"), high=("RRP", "max"), low=("RRP", "min"), close=("RRP", "last"),
        mean=("RRP", "mean"), volume=("TOTALDEMAND", "sum"), money=("money", "sum"), ticks=("RRP", "count"),
    )  # fmt: skip
    assert len(bars) == len(expected) == 2 * 31 * 24
    for name in ("open", "high", "low", "close", "ticks"):
        assert getattr(bars, name).tolist() == expected[name].tolist()
    assert bars.volume == pytest.approx(expected["volume"].to_numpy(), rel=1e-9)
    assert bars.vwap == pytest.approx((expected["money"] / expected["volume"]).to_numpy(), rel=1e-9)
    assert bars.twap == pytest.approx(expected["mean"].to_numpy(), rel=1e-9)


def test_volatility_equals_pandas(prices: pd.DataFrame) -> None:
    price = prices["RRP"].to_numpy()
    series, _ = pd.factorize(prices["REGION"])
    change = differences(series, price)
    expected = prices.groupby("REGION")["RRP"].diff()
    assert np.allclose(change, expected, rtol=1e-9, atol=0, equal_nan=True)

    day = prices["time"].dt.floor("D")
    keys = pd.factorize(prices["REGION"] + day.astype(str), sort=True)[0]
    _, found = realised(change, keys)
    squares = expected.pow(2).groupby([prices["REGION"], day]).sum()
    assert found == pytest.approx(np.sqrt(squares.to_numpy()), rel=1e-9)

    last, variance = np.full(2, np.nan), np.full(2, np.nan)
    before = ewma(series.astype(np.intp), price, last, variance)
    # pandas' recursion with adjust=False is the same: y = decay * y + (1 - decay) * x, begun with the first x.
    smoothed = (
        expected.pow(2).groupby(prices["REGION"]).transform(lambda x: x.ewm(alpha=1 - DECAY, adjust=False).mean())
    )
    shifted = np.sqrt(smoothed).groupby(prices["REGION"]).shift(1)
    assert np.allclose(before, shifted, rtol=1e-9, atol=0, equal_nan=True)


FILES = (
    "dispatch_price_2018-2026_windows",
    *(f"mms/{table}_{month}" for table in ("DISPATCHPRICE", "TRADINGPRICE") for month in (202001, 202408, 202409)),
    *(f"price_and_demand/aemo_price_demand_{name}" for name in ("202501_NSW", "202501_QLD", "202502_NSW")),
)


@pytest.mark.parametrize("name", FILES)
def test_hours_and_volatility_of_every_file_equal_pandas(shared_data: Path, name: str) -> None:
    batch = read(shared_data / "aemo_nem" / f"{name}.csv.gz")
    table = pd.DataFrame(
        {
            "symbol": batch.column("symbol").to_pylist(),
            "time_us": terms(batch, MARKETS).start_us,
            "revision": batch.revisions,
            "price": batch.floats("price"),
            "quantity": batch.floats("quantity"),
        }
    )[[kind == "settlement" for kind in batch.column("kind").to_pylist()]]
    table = table.sort_values(["symbol", "time_us", "revision"]).drop_duplicates(["symbol", "time_us"], keep="last")
    table = table.dropna(subset="price").reset_index(drop=True)
    table["quantity"] = table["quantity"].where(table["quantity"].notna(), 1.0)
    series = pd.factorize(table["symbol"])[0].astype(np.int64)
    time_us, price = table["time_us"].to_numpy(), table["price"].to_numpy()
    start = floor_to(time_us, HOUR_S)
    bars = summarise(series, start, start + HOUR_S * 10**6, time_us, price, table["quantity"].to_numpy())

    table["hour"], table["money"] = start, table["price"] * table["quantity"]
    hours = table.groupby(["symbol", "hour"])
    assert len(bars) == len(hours) > 0
    found = {"first": bars.open, "max": bars.high, "min": bars.low, "last": bars.close, "count": bars.ticks}
    for how, values in found.items():
        assert values.tolist() == hours["price"].agg(how).tolist()
    assert bars.vwap == pytest.approx((hours["money"].sum() / hours["quantity"].sum()).to_numpy(), rel=1e-9)

    change, expected = differences(series, price), table.groupby("symbol")["price"].diff()
    _, squares = realised(change, pd.factorize(table["symbol"])[0].astype(np.int64))
    assert squares == pytest.approx(np.sqrt(expected.pow(2).groupby(table["symbol"]).sum()).to_numpy(), rel=1e-9)
    count = len(set(series.tolist()))
    before = ewma(series.astype(np.intp), price, np.full(count, np.nan), np.full(count, np.nan))
    smoothed = expected.pow(2).groupby(table["symbol"]).transform(lambda x: x.ewm(alpha=1 - DECAY, adjust=False).mean())
    shifted = np.sqrt(smoothed).groupby(table["symbol"]).shift(1)
    assert np.allclose(before, shifted, rtol=1e-9, atol=1e-12, equal_nan=True)
