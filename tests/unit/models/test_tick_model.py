"""Models of the market: trained, written, loaded and refused like those of readings, and what they find."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models import package
from models.refused import ModelRefused
from models.registry import Registry
from models.tick_training import train_ticks
from models.training import Plan
from processors.features import FEATURES as READING_FEATURES
from processors.market.features import FEATURES, features
from processors.market.follow import Followed, Following, follow
from processors.market.opinion import TickPast
from processors.market.series import SeriesState, keys_of
from processors.market.terms import Terms, terms
from schemas.errors import ConfigurationError
from schemas.ticks import TickBatch
from tests.builders import START_US
from tests.trained import model
from tests.trained_market import MARKETS, REGIONS, market_model, prices, tick_scorer


def seen(batch: TickBatch) -> tuple[Terms, Followed]:
    facts, state = terms(batch, MARKETS), SeriesState()
    return facts, follow(batch, facts, state.rows(keys_of(batch)), state, Following())


def test_a_forest_has_as_many_features_whatever_it_scores() -> None:
    assert len(FEATURES) == len(READING_FEATURES)


def test_features_compare_a_tick_with_the_past_of_its_series() -> None:
    batch = TickBatch.from_columns(
        market=["aemo_nem"] * 3,
        symbol=["NSW1"] * 3,
        kind=["settlement"] * 3,
        tick_time=START_US + 300_000_000 * np.arange(1, 4),
        price=[100.0, 100.0, -50.0],
        congestion_price=[np.nan, np.nan, 25.0],
    )
    first, _, last = (dict(zip(FEATURES, row, strict=True)) for row in features(batch, *seen(batch)).tolist())
    assert np.isnan(first["price_return"])
    assert last["price_level"] == pytest.approx(np.arcsinh(-0.5))
    assert last["price_return"] == pytest.approx(np.arcsinh(-0.5) - np.arcsinh(1.0))
    assert (last["rested_ticks"], last["congestion_share"]) == (pytest.approx(np.log(2.0)), pytest.approx(0.25))
    assert last["cap_share"] == pytest.approx(-50 / -1_000)
    assert np.isnan(last["spread_share"])


def test_what_markets_do_not_show_is_found_with_its_reasons() -> None:
    batch = prices(seed=2, days=3)
    price = batch.floats("price").copy()
    price[3_000] *= 2.2
    strange = TickBatch.from_columns(
        **{name: batch.column(name) for name in ("market", "symbol", "kind")}, tick_time=batch.time_us, price=price
    )
    look = tick_scorer().look(strange, TickPast(*seen(strange)))
    # There and back.
    assert set(np.argsort(np.nan_to_num(look.scores))[-2:].tolist()) == {3_000, 3_000 + len(REGIONS)}
    assert look.scores[3_000] > 0.85
    (why,) = look.explain(np.array([3_000]))
    assert {reason.split(" ")[0] for reason in why.split(", ")} >= {"change_size", "price_return"}


def test_a_tick_scores_the_same_whatever_stands_beside_it() -> None:
    batch = prices(seed=3, days=1)
    facts, found = seen(batch)
    whole = tick_scorer().look(batch, TickPast(facts, found)).scores
    assert np.nanmax(whole) <= 1.0
    assert np.isnan(whole[: 4 * 12]).all()


def test_its_manifest_says_what_it_was_trained_on() -> None:
    manifest, _ = market_model()
    assert (manifest.data.meters, manifest.features, manifest.reference) == (4, list(FEATURES), None)
    assert manifest.metrics["false_0.85_per_10k_meter_days"] < 2_000


def test_each_kind_of_model_is_refused_where_the_other_belongs(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.add(*market_model())
    registry.add(*model())
    with pytest.raises(ModelRefused, match="other features"):
        registry.load("market", "v1")
    with pytest.raises(ModelRefused, match="other features"):
        registry.load_ticks("forest", "v1")


def test_a_model_of_the_market_is_promoted_like_any_other(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.add(*market_model())
    registry.promote("market", "v1")
    assert registry.serving("market").champion == "v1"


def test_a_damaged_one_never_serves(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.add(*market_model())
    (tmp_path / "market" / "v1" / package.MODEL).write_bytes(b"nothing")
    with pytest.raises(ModelRefused, match="cut short"):
        registry.promote("market", "v1")
    assert registry.serving("market").champion is None


def test_too_few_ticks_train_nothing() -> None:
    plan = Plan("market", "v1", "a test", np.empty(0, np.int64), datetime(2024, 2, 1, tzinfo=UTC))
    with pytest.raises(ConfigurationError, match="too few"):
        train_ticks([prices(days=1)], MARKETS, plan)
    with pytest.raises(ConfigurationError, match="no ticks"):
        train_ticks([], MARKETS, plan)
