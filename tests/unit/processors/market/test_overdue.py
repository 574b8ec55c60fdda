"""Figures that do not come: told by their age, once each, and only of series that were on time."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.market.overdue import Patience, find_overdue, note_figures, overdue_alerts
from processors.market.series import SeriesState, keys_of
from processors.market.terms import terms
from schemas.alerts import AlertKind
from schemas.ticks import TickBatch
from stream.markets import load_markets
from tests.builders import MINUTE_US, START_US
from tests.strategies import cuts

MARKETS = load_markets()
STEP_US = 5 * MINUTE_US
PATIENCE = Patience(intervals=2, grace_s=600)
#: Two intervals and ten minutes after the end of an interval of five.
BOUND_US = 20 * MINUTE_US


def ticks(steps: list[int], price: list[float | None] | None = None, **columns: Any) -> TickBatch:
    """Prices whose intervals end `steps` times five minutes after the start."""
    n = len(steps)
    sound: dict[str, Any] = {
        "market": ["aemo_nem"] * n,
        "symbol": ["NSW1"] * n,
        "kind": ["settlement"] * n,
        "tick_time": START_US + STEP_US * np.array(steps, dtype=np.int64),
        "price": price or [50.0] * n,
    }
    return TickBatch.from_columns(**(sound | columns))


def noted(state: SeriesState, batch: TickBatch, late_us: int = MINUTE_US, skip: Any = None) -> SeriesState:
    """Let a state see ticks that came some time after their interval."""
    rows = state.rows(keys_of(batch))
    note_figures(batch, terms(batch, MARKETS), rows, state, batch.time_us + late_us, PATIENCE, skip)
    return state


def overdue(state: SeriesState, minutes: float) -> list[str]:
    """What is overdue so many minutes after the start."""
    found = find_overdue(state, START_US + round(minutes * MINUTE_US))
    return [alert.message for alert in overdue_alerts(state, found)]


def test_a_figure_is_overdue_after_the_bound_and_not_at_it() -> None:
    state = noted(SeriesState(), ticks([1, 2]))
    at = START_US + 2 * STEP_US + BOUND_US
    assert find_overdue(state, at).tolist() == []
    (row,) = find_overdue(state, at + 1).tolist()
    (alert,) = overdue_alerts(state, np.array([row]))
    assert (alert.kind, alert.element, alert.measured) == (AlertKind.OVERDUE_TICK, "market/aemo_nem/NSW1", 1_200)
    assert "no settlement since" in alert.message


def test_an_empty_delivery_makes_no_series_younger() -> None:
    state = noted(SeriesState(), ticks([1, 2, 3, 4, 5, 6], [50.0, None, None, None, None, None]))
    assert len(overdue(state, 5 + 20.1)) == 1
    assert overdue(noted(state, ticks([7])), 35 + 19.9) == []


def test_the_same_absence_is_the_same_alert_and_the_next_one_another() -> None:
    state = noted(SeriesState(), ticks([1]))
    first, again = (overdue_alerts(state, find_overdue(state, START_US + h * 3_600_000_000)) for h in (1, 2))
    later = overdue_alerts(noted(state, ticks([2])), np.array([0]))
    assert first == again
    assert first[0].alert_id != later[0].alert_id


def test_a_replay_of_the_past_is_not_overdue() -> None:
    state = noted(SeriesState(), ticks([1, 2, 3]), late_us=400 * 86_400_000_000)
    assert overdue(state, 1e6) == []
    assert len(overdue(noted(state, ticks([4])), 1e6)) == 1


@pytest.mark.parametrize("columns", [{"kind": ["trade"]}, {"kind": ["quote"], "bid": [1.0]}, {"market": ["eu_ets"]}])
def test_what_does_not_come_regularly_is_never_overdue(columns: dict[str, Any]) -> None:
    assert overdue(noted(SeriesState(), ticks([0], **columns)), 1e6) == []


def test_prices_of_tomorrow_are_overdue_when_tomorrow_is_over() -> None:
    tomorrow = ticks([12 * 24], market=["omie"], symbol=["ES"])
    state = noted(SeriesState(), tomorrow, late_us=-12 * 3_600_000_000)
    # The quarter that begins then ends 15 minutes later; two more and ten minutes.
    bound = 24 * 60 + 15 + 30 + 10
    assert overdue(state, bound) == []
    assert len(overdue(state, bound + 0.1)) == 1


def test_what_was_seen_before_a_crash_is_passed_over() -> None:
    state = noted(SeriesState(), ticks([1, 2]), skip=np.array([False, True]))
    assert state.figure_end_us[0] == START_US + STEP_US


@given(data=st.data())
def test_cutting_the_stream_changes_nothing(data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=20))
    symbols = data.draw(st.lists(st.sampled_from(["A", "B"]), min_size=len(steps), max_size=len(steps)))
    price = data.draw(st.lists(st.sampled_from([None, 5.0]), min_size=len(steps), max_size=len(steps)))
    batch, whole, parts = ticks(steps, price, symbol=symbols), SeriesState(), SeriesState()
    whole.rows(keys_of(batch)), parts.rows(keys_of(batch))
    noted(whole, batch)
    for cut in data.draw(cuts(len(batch))):
        noted(parts, batch.slice(cut.start, cut.stop - cut.start))
    for name in ("figure_end_us", "overdue_us"):
        assert getattr(whole, name)[: whole.extent].tolist() == getattr(parts, name)[: whole.extent].tolist()
