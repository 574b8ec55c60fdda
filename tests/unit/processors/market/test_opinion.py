"""What a model says beside a series' own volatility: told once while it goes on, and only what nobody else has told."""

import numpy as np
import pytest

from processors.market.events import raise_events
from processors.market.opinion import on_tick_scale, onsets, together
from processors.market.series import SeriesState, keys_of
from processors.market.terms import terms
from processors.opinion import Opinion
from schemas.alerts import Alert, Severity
from tests.unit.processors.market.test_follow import MARKETS, followed, ticks

STEPS = 60


def alerts(scores: dict[int, float], spike_at: int | None = None) -> list[Alert]:
    """Alerts of a calm series of which a model finds some ticks unusual."""
    price = (50 + np.sin(np.arange(STEPS))).tolist()
    if spike_at is not None:
        price[spike_at] = 900.0
    batch, state = ticks(list(range(STEPS)), price), SeriesState()
    found, said = followed(batch, state), np.zeros(STEPS, dtype=np.float32)
    said[list(scores)] = list(scores.values())
    opinion = Opinion(said, said, lambda at: [f"reason {place}" for place in at])
    begun = onsets(opinion, found, state.rows(keys_of(batch)), batch.time_us, state)
    everything = np.ones(STEPS, dtype=bool)
    return raise_events(batch, terms(batch, MARKETS), together(found, opinion), batch.time_us, everything, begun)


def test_it_is_told_when_it_begins_and_when_it_gets_worse() -> None:
    found = alerts({20: 0.9, 21: 0.9, 22: 0.97, 23: 0.9})
    assert [(str(one.kind), one.severity, one.reasons) for one in found] == [
        ("unusual_tick", Severity.WARNING, "reason 20"),
        ("unusual_tick", Severity.CRITICAL, "reason 22"),
    ]


def test_what_comes_again_after_a_calm_is_told_again() -> None:
    assert [one.reasons for one in alerts({20: 0.9, 40: 0.9})] == ["reason 20", "reason 40"]


def test_below_the_level_of_alerts_nothing_is_told() -> None:
    assert alerts({20: 0.84}) == []


def test_what_the_series_itself_shows_is_told_as_that() -> None:
    assert "unusual_tick" not in [str(one.kind) for one in alerts({30: 0.99}, spike_at=30)]


def test_the_higher_score_counts_and_what_was_not_judged_stays_so() -> None:
    found = followed(ticks(list(range(STEPS)), (50 + np.sin(np.arange(STEPS))).tolist()))
    said = np.full(STEPS, 0.9, dtype=np.float32)
    both = together(found, Opinion(said, said, lambda at: [""] * len(at)))
    assert np.isnan(both.score[:12]).all()
    assert (both.score[20:] > 0.5).all()


def test_an_alert_of_a_model_is_what_is_unusual_of_a_series() -> None:
    said = on_tick_scale(np.array([0.0, 0.85, 1.0, np.nan], dtype=np.float32))
    assert said[:3].tolist() == pytest.approx([0.0, 0.5, 1.0])
    assert np.isnan(said[3])
