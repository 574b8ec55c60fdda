"""Training on ticks: they are followed as the stream would, and a forest is made of what a model sees of each."""

import hashlib
from collections.abc import Iterable

import numpy as np

from models.manifest import Manifest
from models.tick_scorer import judged, size_of
from models.training import History, Plan, made_of
from processors.market.events import remarkable
from processors.market.features import FEATURES, features
from processors.market.follow import Following, follow
from processors.market.series import SeriesState, keys_of
from processors.market.terms import terms
from schemas import arrow_codec
from schemas.errors import ConfigurationError
from schemas.markets import Markets
from schemas.ticks import TickBatch


def train_ticks(batches: Iterable[TickBatch], markets: Markets, plan: Plan) -> tuple[Manifest, bytes]:
    """Train a model of the market; see `models.training.train`.

    Args:
        batches: ticks, each series' in the order of time.
        markets: the definitions.
        plan: how.

    Returns: the manifest, in which meters are series, and the model file's bytes.

    Raises:
        ConfigurationError: too little data.
    """
    return made_of(history(batches, markets), plan, FEATURES)


def history(batches: Iterable[TickBatch], markets: Markets) -> History:
    """Follow ticks, and keep what a model sees of those that their own volatility judges.

    Raises:
        ConfigurationError: there are none.
    """
    state, digest, parts = SeriesState(), hashlib.sha256(), list[History]()
    for batch in batches:
        digest.update(arrow_codec.write(batch))
        facts, rows = terms(batch, markets), state.rows(keys_of(batch))
        found = follow(batch, facts, rows, state, Following())
        matrix, known = features(batch, facts, found), np.zeros(len(batch), dtype=bool)
        known[judged(found)] = True
        gap_s, calm = found.gap_s.astype(np.float32), ~remarkable(found)
        parts.append(History(matrix, batch.time_us, gap_s, size_of(found), calm).where(known))
    if not parts:
        raise ConfigurationError("there are no ticks to learn from")
    return History.concat(parts, meters=len(state), sha256=digest.hexdigest())
