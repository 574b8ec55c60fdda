"""Simulated prices live like real ones: level, spread, negative prices, shape of the day, memory."""

import csv
import gzip
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import numpy as np
import pytest

from simulators.market.listing import Listing, choose
from simulators.market.path import NODE_S, path
from tests.markets import DAY_S, MARKETS

#: The first local midnight of the simulated time, in nodes: 2025-01-01 UTC, less the market's offset.
NODES_2025 = 20_089 * DAY_S // NODE_S


@dataclass(frozen=True)
class Figures:
    """What a series of prices is like."""

    mean: float
    sd: float
    negative: float
    lag1: float
    day: np.ndarray

    @classmethod
    def of(cls, price: np.ndarray, per_day: int) -> "Figures":
        whole = price[: len(price) // per_day * per_day].reshape(-1, per_day)
        # Spikes would say more about their chance than about the shape of a day.
        day = np.median(whole, axis=0).reshape(24, -1).mean(axis=1) if per_day % 24 == 0 else np.median(whole, axis=0)
        away = price - price.mean()
        lag1 = float((away[1:] * away[:-1]).mean() / away.var())
        return cls(float(price.mean()), float(price.std()), float((price < 0).mean()), lag1, day)

    def __str__(self) -> str:
        return f"mean {self.mean:.1f} sd {self.sd:.1f} negative {self.negative:.3f} lag-1 {self.lag1:.3f}"


def simulated(market: str, symbol: str, days: int, interval_s: int, offset_h: float, seed: int, start: int) -> Figures:
    listing = Listing.of(choose(MARKETS, [f"{market}/{symbol}"], None), seed)
    first = start - round(offset_h * 3600) // NODE_S
    price = path(listing.groups[0], first, days * DAY_S // NODE_S).price[:, 0]
    return Figures.of(price.reshape(-1, interval_s // NODE_S).mean(axis=1), DAY_S // interval_s)


def compare(name: str, real: Figures, invented: list[Figures]) -> None:
    """Compare with the middle of several seeds: each seed is another month."""
    middle = replace(
        invented[0],
        mean=float(np.median([one.mean for one in invented])),
        sd=float(np.median([one.sd for one in invented])),
        negative=float(np.median([one.negative for one in invented])),
        lag1=float(np.median([one.lag1 for one in invented])),
        day=np.mean([one.day for one in invented], axis=0),
    )
    shape = float(np.corrcoef(real.day, middle.day)[0, 1])
    print(f"{name}: real {real}; simulated {middle}; shape of the day {shape:.3f}")  # noqa: T201
    assert 0.75 < middle.mean / real.mean < 1.33
    assert 0.4 < middle.sd / real.sd < 2.5
    assert abs(middle.negative - real.negative) < 0.06
    assert abs(middle.lag1 - real.lag1) < 0.3
    assert shape > 0.75


def column(file: TextIO, name: str) -> np.ndarray:
    rows = csv.reader(file)
    position = [title.strip() for title in next(rows)].index(name)
    return np.array([float(row[position].replace(",", "")) for row in rows])


@pytest.mark.parametrize(
    ("month", "region", "days"), [("202501", "NSW", 31), ("202502", "NSW", 28), ("202501", "QLD", 31)]
)
def test_the_australian_market(shared_data: Path, month: str, region: str, days: int) -> None:
    folder = shared_data / "aemo_nem" / "price_and_demand"
    with gzip.open(folder / f"aemo_price_demand_{month}_{region}.csv.gz", "rt") as file:
        real = Figures.of(column(file, "RRP"), 288)
    found = [simulated("aemo_nem", f"{region}1", days, 300, 10, seed, NODES_2025) for seed in range(9)]
    compare(f"aemo_nem {region} {month}", real, found)


def test_singapore(shared_data: Path) -> None:
    (path_,) = (shared_data / "usep_singapore").glob("*.csv")
    with path_.open() as file:
        price = column(file, "USEP ($/MWh)")
    # Period 14 of 22 January is missing: one half hour more or less does not move the median of a day.
    real = Figures.of(np.insert(price, 21 * 48 + 13, price[21 * 48 + 12]), 48)
    found = [simulated("usep_singapore", "USEP", 31, 1800, 8, seed, NODES_2025) for seed in range(9)]
    compare("usep_singapore", real, found)


def test_nord_pool(shared_data: Path) -> None:
    (path_,) = (shared_data / "nordpool").glob("*.csv.gz")
    with gzip.open(path_, "rt") as file:
        real = Figures.of(column(file, "Price"), 24)
    # Six years from 2013 on, as the record has; its hours have no seam, so the simulated ones are taken in UTC+1.
    found = [simulated("nordpool", "SYS", 2_184, 3600, 1, seed, 15_706 * DAY_S // NODE_S) for seed in range(3)]
    compare("nordpool", real, found)


def test_india_day_ahead(shared_data: Path) -> None:
    with (shared_data / "iex_india" / "IEXGetTradeData_DAMPriceVolume_18Oct.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["Area_code"] == "A1"]
    # Two days are no basis for a spread; the level, the memory and the shape of the day are what can be compared.
    real = Figures.of(np.array([float(row["Area_Price"]) for row in rows]), 96)
    found = [simulated("iex_india", "A1", 14, 900, 5.5, seed, NODES_2025) for seed in range(5)]
    compare("iex_india", real, found)


def test_the_iberian_day_ahead_prices_have_the_shape_of_real_days(shared_data: Path) -> None:
    days = [omie(shared_data / "omie" / name) for name in ("PMD_20090601.txt", "PrecioMD_OMIE_20201022.txt")]
    found = [simulated("omie", "ES", 60, 3600, 1, seed, NODES_2025) for seed in range(5)]
    shape = np.mean([one.day for one in found], axis=0)
    # Single days of 2009 and 2020, in EUR/MWh: before the sun carved out the middle of the day.
    evening = [float(day[18:23].mean() / day[1:6].mean()) for day in days]
    mine = float(shape[18:23].mean() / shape[1:6].mean())
    print(f"omie: evening over night, real {np.round(evening, 2)}, simulated {mine:.2f}")  # noqa: T201
    assert min(evening) * 0.7 < mine < max(evening) * 1.6


def omie(path_: Path) -> np.ndarray:
    """Marginal prices of Spain for the 24 hours of one day, by the line that bears its name [as published]."""
    for line in path_.read_text(encoding="latin-1").splitlines():
        cells = [cell.strip() for cell in line.split(";")]
        if cells[0].startswith("Precio marginal en el sistema esp"):
            return np.array([float(cell.replace(".", "").replace(",", ".")) for cell in cells[1:] if cell][:24])
    raise AssertionError(f"{path_.name} has no Spanish prices")


def test_dutch_balancing_prices_have_the_level_of_a_real_day(shared_data: Path) -> None:
    with (shared_data / "tennet_nl" / "balance_delta_27-02-2025.csv").open() as file:
        price = column(file, "mid_price")
    real = Figures.of(price.reshape(-1, 15).mean(axis=1), 96)
    found = [simulated("tennet_nl", "NL", 28, 900, 1, seed, NODES_2025) for seed in range(5)]
    mean, sd = (float(np.median([getattr(one, name) for one in found])) for name in ("mean", "sd"))
    print(f"tennet_nl: real {real}; simulated mean {mean:.1f} sd {sd:.1f}")  # noqa: T201
    # A quiet day's middle prices, against a month of imbalance prices: same level, wider.
    assert 0.6 < mean / real.mean < 1.4
    assert sd > real.sd
