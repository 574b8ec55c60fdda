"""A small model of the market, trained once: four regions, three weeks of five-minute prices with a daily rhythm."""

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from models.manifest import Manifest
from models.registry import Registry
from models.tick_scorer import TickScorer
from models.tick_training import train_ticks
from models.training import Plan
from processors.market.opinion import TickPast
from processors.opinion import Opinion
from schemas.ticks import TickBatch
from stream.markets import load_markets
from tests.builders import MINUTE_US, START_US

MARKETS = load_markets()
REGIONS, DAYS, STEPS = ("NSW1", "QLD1", "SA1", "VIC1"), 21, 288


def prices(seed: int = 1, days: int = DAYS) -> TickBatch:
    """Settlement prices of all regions, interval after interval."""
    steps, chance = days * STEPS, np.random.default_rng(seed)
    hour = (np.arange(steps) % STEPS / 12.0)[:, None]
    level = np.array([60.0, 70.0, 90.0, 50.0])
    noise = np.cumsum(chance.normal(0.0, 0.6, (steps, len(REGIONS))), axis=0)
    noise -= np.linspace(0.0, 1.0, steps)[:, None] * noise[-1]
    price = level * (1.2 + 0.4 * np.sin((hour - 9) * np.pi / 12)) + 0.2 * noise + chance.normal(0, 1.0, noise.shape)
    n = steps * len(REGIONS)
    return TickBatch.from_columns(
        market=["aemo_nem"] * n,
        symbol=list(REGIONS) * steps,
        kind=["settlement"] * n,
        tick_time=START_US + 5 * MINUTE_US * np.repeat(np.arange(1, steps + 1), len(REGIONS)),
        price=price.round(2).reshape(-1),
    )


@lru_cache(maxsize=4)
def market_model(version: str = "v1", seed: int = 0) -> tuple[Manifest, bytes]:
    plan = Plan("market", version, "a test", np.empty(0, np.int64), datetime(2024, 2, 1, tzinfo=UTC), 100, 1_024, seed)
    return train_ticks(iter([prices()]), MARKETS, plan)


@lru_cache(maxsize=4)
def tick_scorer(seed: int = 0) -> TickScorer:
    """The model as a registry gives it."""
    with TemporaryDirectory() as folder:
        registry = Registry(Path(folder))
        registry.add(*market_model(seed=seed))
        return registry.load_ticks("market", "v1")


def consult(batch: TickBatch, past: TickPast) -> Opinion:
    """A champion alone, as a worker asks it."""
    look = tick_scorer().look(batch, past)
    return Opinion(look.scores, np.full(len(batch), np.nan, dtype=np.float32), look.explain)
