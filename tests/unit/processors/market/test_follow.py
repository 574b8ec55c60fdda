"""Ticks against their own series: order, revisions, gaps, feeds that stand still, unusual changes; and their alerts."""

from dataclasses import fields
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from processors.market.events import raise_events
from processors.market.flags import flag_of
from processors.market.follow import Followed, Following, follow
from processors.market.series import SeriesState, keys_of
from processors.market.terms import terms
from schemas.quality import MISSING, NORMAL, WARNING
from schemas.ticks import TickBatch
from stream.markets import load_markets
from tests.builders import MINUTE_US, START_US
from tests.strategies import cuts

MARKETS = load_markets()
STEP_US = 5 * MINUTE_US


def ticks(steps: list[int], price: list[float], revision: list[int] | None = None, **columns: Any) -> TickBatch:
    """Settlement prices of one region, `steps` five-minute intervals after the start."""
    n = len(steps)
    sound: dict[str, Any] = {
        "market": ["aemo_nem"] * n,
        "symbol": ["NSW1"] * n,
        "kind": ["settlement"] * n,
        "tick_time": START_US + STEP_US * np.array(steps, dtype=np.int64),
        "price": price,
        "revision": revision or [0] * n,
    }
    return TickBatch.from_columns(**(sound | columns))


def followed(batch: TickBatch, state: SeriesState | None = None, following: Following | None = None) -> Followed:
    state = SeriesState() if state is None else state
    return follow(batch, terms(batch, MARKETS), state.rows(keys_of(batch)), state, following or Following())


def kinds(batch: TickBatch, state: SeriesState | None = None) -> list[str]:
    found = followed(batch, state)
    here = np.ones(len(batch), dtype=bool)
    return [str(alert.kind) for alert in raise_events(batch, terms(batch, MARKETS), found, batch.time_us, here)]


def test_a_second_run_is_a_revision_and_a_lower_one_is_behind() -> None:
    found = followed(ticks([1, 1, 1, 2, 1], [50.0] * 5, [0, 2, 1, 0, 3]))
    assert found.in_order.tolist() == [True, False, False, True, False]
    assert found.newest.tolist() == [True, True, False, True, False]
    assert found.behind.tolist() == [False, False, True, False, False]


def test_a_revision_before_its_original_is_told() -> None:
    assert kinds(ticks([1, 1], [50.0, 60.0], [1, 0])) == ["revision_order"]


def test_missing_intervals_are_counted() -> None:
    batch = ticks([1, 2, 5], [50.0, 51.0, 52.0])
    assert followed(batch).missing.tolist() == [0, 0, 2]
    assert kinds(batch) == ["missing_ticks"]


def test_moments_and_forecasts_miss_nothing() -> None:
    assert followed(ticks([1, 9], [50.0, 50.0], kind=["trade"] * 2)).missing.tolist() == [0, 0]
    assert followed(ticks([1, 9], [50.0, 50.0], kind=["forecast"] * 2)).missing.tolist() == [0, 0]


def test_a_price_that_stands_still_for_long_is_told_once() -> None:
    batch = ticks(list(range(20)), [50.0] * 20)
    found = followed(batch)
    assert np.flatnonzero(found.stuck).tolist() == [12]
    assert kinds(batch) == ["stuck_price"]


def test_a_price_that_rests_as_a_rule_is_told_only_when_it_rests_longer() -> None:
    rests = [float(50 + rest) for rest in range(4) for _ in range(11)]
    assert not followed(ticks(list(range(60)), [*rests, *[70.0] * 16])).stuck.any()
    assert np.count_nonzero(followed(ticks(list(range(72)), [*rests, *[70.0] * 28])).stuck) == 1


def test_a_series_whose_price_jumps_as_a_rule_has_a_higher_bound() -> None:
    price = [50.0 + (k % 3) + (200.0 if k % 50 == 49 else 0.0) for k in range(2_000)]
    jumps = np.flatnonzero(followed(ticks(list(range(2_000)), price)).jump)
    assert {48, 49, 50} & set(jumps.tolist())
    assert np.count_nonzero(jumps < 500) > 4 * np.count_nonzero(jumps >= 1_500)


def test_a_spike_is_unusual_and_does_not_blind_to_the_next() -> None:
    quiet = [50.0 + (k % 3) for k in range(40)]
    batch = ticks(list(range(42)), [*quiet[:30], 400.0, *quiet[30:], 450.0])
    score = followed(batch).score
    assert score[30] > 0.9
    assert score[41] > 0.5
    assert np.all(score[13:30] < 0.2)
    assert np.all(np.isnan(score[:13]))
    assert kinds(batch).count("price_spike") >= 2


def test_near_the_cap_or_the_floor_a_price_is_an_event() -> None:
    assert kinds(ticks([1], [17_500.0])) == ["extreme_price"]
    assert kinds(ticks([1], [-1_000.0])) == ["extreme_price"]
    assert kinds(ticks([1], [-499.0])) == []


def test_an_extreme_price_is_told_once_for_as_long_as_it_goes_on_and_flagged_each_time() -> None:
    batch = ticks([1, 2, 3, 4, 5], [50.0, 17_500.0, 16_000.0, 50.0, 17_500.0])
    assert kinds(batch) == ["extreme_price", "extreme_price"]
    assert followed(batch).extreme.tolist() == [False, True, True, False, True]


def test_a_series_that_lives_near_its_cap_is_not_extreme() -> None:
    days = ticks(list(range(0, 1_500, 3)), [9_000.0] * 500, market=["iex_india"] * 500, symbol=["A1"] * 500)
    assert np.count_nonzero(followed(days).extreme) < 20


def test_crossed_and_locked_quotes_are_told_and_flagged() -> None:
    columns = {"kind": ["quote"] * 3, "bid": [49.0, 50.0, 51.0], "ask": [50.0, 50.0, 50.0]}
    batch = ticks([1, 2, 3], [np.nan] * 3, **columns)
    assert kinds(batch) == ["locked_quote", "crossed_quote"]
    assert flag_of(batch, np.zeros(3, dtype=bool)).tolist() == [NORMAL, WARNING, WARNING]


def test_an_interval_without_any_figure_is_missing_and_not_an_error() -> None:
    batch = ticks([1, 2], [np.nan, 50.0])
    assert flag_of(batch, np.zeros(2, dtype=bool)).tolist() == [MISSING, NORMAL]


prices = st.floats(-1_000, 17_500) | st.sampled_from([50.0, float("nan")])


@given(
    st.lists(st.tuples(st.integers(0, 30), prices, st.integers(0, 2), st.sampled_from("AB")), max_size=25), st.data()
)
def test_cutting_the_stream_changes_nothing(rows: list[tuple[int, float, int, str]], data: st.DataObject) -> None:
    steps, price, revision, symbol = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    batch = ticks(steps, price, revision, symbol=symbol)
    bounds, state, whole = Following(settled=2, unmoved=3), SeriesState(), SeriesState()
    parts = [
        followed(batch.slice(part.start, part.stop - part.start), state, bounds)
        for part in data.draw(cuts(len(batch)))
        if part.stop > part.start
    ]
    expected = followed(batch, whole, bounds)
    for name in [field.name for field in fields(Followed)]:
        found = np.concatenate([getattr(part, name) for part in parts]) if parts else getattr(expected, name)
        assert np.array_equal(found, getattr(expected, name), equal_nan=found.dtype.kind == "f")
    for name in SeriesState.columns:
        assert np.array_equal(
            getattr(state, name)[: state.extent], getattr(whole, name)[: whole.extent], equal_nan=True
        )


def trades(price: list[float]) -> TickBatch:
    return ticks(list(range(len(price))), price, kind=["trade"] * len(price))


CALM = [50.0, 50.4, 49.8, 50.1] * 5


def test_one_trade_far_from_those_around_it_stands_alone() -> None:
    found = followed(trades([*CALM, 900.0, 50.2, 50.0]))
    assert np.flatnonzero(found.lone).tolist() == [21]
    assert (found.before[21], found.lone_base[21]) == (900.0, 50.1)
    assert kinds(trades([*CALM, 900.0, 50.2, 50.0])) == ["price_spike", "lone_trade"]


def test_a_price_that_stays_or_comes_back_slowly_is_no_lone_trade() -> None:
    for after in ([900.0, 880.0, 50.0], [900.0, 400.0, 50.0]):
        assert not followed(trades([*CALM, *after])).lone.any()


def test_one_interval_at_another_price_is_what_settlement_prices_do() -> None:
    assert not followed(ticks(list(range(22)), [*CALM, 900.0, 50.2])).lone.any()
