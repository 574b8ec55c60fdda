"""The one Isolation Forest of the job: trained once, served by the engine's registry, handed to peers as a file."""

from datetime import UTC, datetime
from pathlib import Path

import joblib
import numpy as np

from models.forest import path_lengths
from models.registry import Registry
from models.scorer import Scorer
from models.training import Plan, train
from tests.bench.spec import Load

NAME, VERSION = "forest", "bench"
#: Five days of a small fleet of the same kind.
_TRAINING = Load(meters=400, intervals=480, bad_share=0.0, seed=3)


def trained(folder: Path) -> Scorer:
    """Train the forest, make it the champion of a registry, and return it."""
    names, everybody = _TRAINING.names, np.arange(_TRAINING.meters)
    plan = Plan(NAME, VERSION, "the bench's own load", np.empty(0, dtype=np.int64), datetime(2026, 3, 7, tzinfo=UTC))
    manifest, data = train((tick.batch(names, everybody) for tick in _TRAINING.ticks()), plan)
    registry = Registry(folder)
    registry.add(manifest, data)
    registry.promote(NAME, VERSION)
    return registry.load(NAME, VERSION)


def hand_out(scorer: Scorer, file: Path) -> None:
    """Write the same trees for the peers, as the library compiles them: one call per tree, none of its checks."""
    forest = scorer.forest
    trees = [tree.tree_ for tree in forest.fitted.estimators_]
    joblib.dump(([(tree, path_lengths(tree)) for tree in trees], forest.fill, forest.scale), file)
