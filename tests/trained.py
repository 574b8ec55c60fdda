"""A small model, trained once: eight meters, two weeks of half hours, mornings and evenings as people have them."""

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from models.manifest import Manifest
from models.registry import Registry
from models.scorer import Scorer
from models.training import Plan, train
from processors.judgement import Past
from processors.opinion import Opinion
from schemas.readings import ReadingBatch
from tests.builders import MINUTE_US, START_US, batch

METERS, DAYS, STEPS = 8, 14, 48


def readings(seed: int = 1, days: int = DAYS, warmer_c: float = 0.0) -> ReadingBatch:
    """Meters of different size with a daily rhythm, ordered by time."""
    chance = np.random.default_rng(seed)
    shape = days * STEPS, METERS
    hour = (np.arange(shape[0]) % STEPS / 2.0)[:, None]
    size = 0.1 * 2.0 ** np.arange(METERS)
    energy = size * (1.2 + np.sin((hour - 9) * np.pi / 12)) * chance.lognormal(0.0, 0.2, shape)
    times = START_US + 30 * MINUTE_US * np.repeat(np.arange(1, shape[0] + 1), METERS)
    return batch(
        [f"M{k}" for k in range(METERS)] * shape[0],
        times,
        consumption_kwh=energy.reshape(-1),
        voltage=chance.normal(231.0, 1.5, shape).reshape(-1),
        temperature_c=(12 + warmer_c + 5 * np.sin(hour / 4) + chance.normal(0, 1, shape)).reshape(-1),
    )


@lru_cache(maxsize=8)
def model(version: str = "v1", seed: int = 0, trees: int = 20) -> tuple[Manifest, bytes]:
    plan = Plan("forest", version, "a test", np.array([19_723]), datetime(2024, 1, 15, tzinfo=UTC), trees, 64, seed)
    return train(iter([readings()]), plan)


@lru_cache(maxsize=8)
def scorer(seed: int = 0) -> Scorer:
    """The model as a registry gives it."""
    with TemporaryDirectory() as folder:
        registry = Registry(Path(folder))
        registry.add(*model(seed=seed))
        return registry.load("forest", "v1")


def consult(found: ReadingBatch, past: Past) -> Opinion:
    """A champion and a candidate beside it, as a worker asks them."""
    look = scorer().look(found, past)
    return Opinion(look.scores, scorer(seed=4).score(found, past), look.explain)
