"""One alert is one problem: it opens, is updated, taken on, ends, and returns."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.lifecycle import changes
from processors.lifecycle.changes import NotPossible
from schemas.alert_events import AlertState, Change, Condition, Status
from schemas.alerts import AlertKind, Severity
from tests.alerting import NOON, RULES, after, calm, opened, sign


def cleared(minutes: float = 20.0) -> AlertState:
    """An alert that opened at noon and ended so many minutes later."""
    news = changes.settle(opened(), calm(0, minutes), RULES)
    assert news is not None
    return news.alert


def test_the_first_sign_opens_an_alert_that_says_all_there_is_to_say() -> None:
    news = changes.take(sign(), None, RULES)
    alert = news.alert
    assert (news.change, news.by) == (Change.OPENED, "engine")
    assert (alert.status, alert.condition, alert.sequence, alert.count) == (Status.OPEN, Condition.BELOW, 1, 1)
    assert (alert.first_seen, alert.last_seen, alert.duration_s) == (NOON, NOON, 0)
    assert alert.action.startswith("Look at the load of the transformer")


def test_the_same_sign_always_opens_the_same_alert() -> None:
    assert changes.take(sign(), None, RULES) == changes.take(sign(), None, RULES)


def test_one_more_sign_updates_it_and_the_higher_severity_and_score_stay() -> None:
    first = opened(severity=Severity.CRITICAL, score=0.99)
    news = changes.take(sign(10, measured=190.0, score=0.86), first, RULES)
    assert news.change is Change.UPDATED
    assert (news.alert.alert_id, news.alert.sequence, news.alert.count) == (first.alert_id, 2, 2)
    assert (news.alert.severity, news.alert.score, news.alert.measured) == (Severity.CRITICAL, 0.99, 190.0)
    assert (news.alert.last_seen, news.alert.duration_s) == (after(10), 600)


def test_a_sign_that_comes_late_counts_and_changes_nothing_that_is_newer() -> None:
    news = changes.take(sign(-5, measured=150.0), opened(), RULES)
    assert (news.alert.first_seen, news.alert.last_seen, news.alert.measured) == (after(-5), NOON, 200.0)


def test_the_other_side_of_the_expected_is_another_problem() -> None:
    assert changes.key_of(sign()) != changes.key_of(sign(measured=260.0))


@pytest.mark.parametrize(
    ("found", "ended"),
    [
        (calm(0, 20, readings=3), None),
        (calm(0, 4), None),
        (calm(0, 4, newest=4.9), None),
        (calm(0, 4, newest=5.0), 5.0),
        (calm(0, 20), 20.0),
        (calm(30, 60), 60.0),
    ],
    ids=["too few", "hold not over", "just before", "just over", "long over", "unusual for longer"],
)
def test_it_ends_when_enough_normal_readings_have_come_and_the_hold_is_over(
    found: changes.Calm, ended: float | None
) -> None:
    news = changes.settle(opened(), found, RULES)
    if ended is None:
        assert news is None
        return
    assert news is not None
    assert (news.change, news.alert.status, news.alert.ended_at) == (Change.CLEARED, Status.CLEARED, after(ended))
    assert news.alert.duration_s == ended * 60


def test_when_it_ended_does_not_depend_on_when_anybody_looked() -> None:
    early, late = (changes.settle(opened(), calm(0, 4, newest=newest), RULES) for newest in (5, 500))
    assert early == late


def test_an_alert_that_nobody_sees_anything_of_is_not_over() -> None:
    assert changes.settle(opened(), changes.Calm(NOON, 0, None, None), RULES) is None


def test_what_ends_by_the_clock_ends_when_no_sign_has_come() -> None:
    drift = opened(kind=AlertKind.MODEL_DRIFT, element="model/forest/v1")
    hold = timedelta(seconds=RULES.kind[AlertKind.MODEL_DRIFT].hold_s)
    assert changes.expire(drift, NOON + hold - timedelta(seconds=1), RULES) is None
    news = changes.expire(drift, NOON + hold, RULES)
    assert news is not None
    assert news.alert.ended_at == NOON + hold


@pytest.mark.parametrize(
    ("minutes", "change", "same"),
    [
        (15, Change.UPDATED, True),
        (21, Change.REOPENED, True),
        (80, Change.REOPENED, True),
        (80.1, Change.OPENED, False),
    ],
    ids=["late", "soon", "at the limit", "later"],
)
def test_what_returns_soon_is_the_same_alert(minutes: float, change: Change, same: bool) -> None:
    before = cleared(20)
    news = changes.take(sign(minutes), before, RULES)
    assert news.change is change
    assert (news.alert.alert_id == before.alert_id) is same
    assert news.alert.standing is (change is not Change.UPDATED)


def test_who_took_it_on_is_forgotten_when_it_returns() -> None:
    taken = changes.acknowledge(opened(), "ada", NOON).alert
    over = changes.settle(taken, calm(0, 20), RULES)
    assert over is not None
    again = changes.take(sign(21), over.alert, RULES).alert
    assert (again.status, again.acknowledged_by, again.ended_at) == (Status.OPEN, None, None)


def test_what_comes_and_goes_flaps_and_has_to_hold_longer() -> None:
    alert, minute = opened(), 0.0
    for _ in range(8):
        over = changes.settle(alert, calm(minute, minute + 20, newest=minute + 40), RULES)
        assert over is not None
        minute += 21
        alert = changes.take(sign(minute), over.alert, RULES).alert
        minute += 10
    assert alert.flapping
    assert changes.settle(alert, calm(minute - 10, minute), RULES) is None
    assert changes.settle(alert, calm(minute - 10, minute + 20), RULES) is not None


def test_a_penalty_halves_in_its_half_life() -> None:
    alert = opened().model_copy(update={"flap_penalty": 2.0, "flapped_at": NOON})
    assert changes.faded(alert, after(60), RULES.damping) == pytest.approx(1.0)
    assert changes.faded(opened(), after(60), RULES.damping) == 0.0


def test_of_two_who_take_it_on_the_second_is_told_who_was_first() -> None:
    taken = changes.acknowledge(opened(), "ada", NOON, "on my way")
    assert (taken.change, taken.by, taken.note) == (Change.ACKNOWLEDGED, "ada", "on my way")
    with pytest.raises(NotPossible, match=r"acknowledged by ada at 2026-01-31T12:00:00Z"):
        changes.acknowledge(taken.alert, "grace", after(1))


@pytest.mark.parametrize("act", [changes.acknowledge, changes.resolve])
def test_what_is_over_can_neither_be_taken_on_nor_ended(act: object) -> None:
    assert callable(act)
    with pytest.raises(NotPossible, match=r"is over: cleared at 2026-01-31T12:20:00Z"):
        act(cleared(), "ada", after(30))


def test_an_alert_of_a_clock_that_runs_ahead_ends_no_earlier_than_it_was_seen() -> None:
    news = changes.resolve(opened(60), "ada", NOON)
    assert (news.alert.status, news.alert.ended_at, news.alert.duration_s) == (Status.RESOLVED, after(60), 0)


@given(st.lists(st.integers(-600, 600), min_size=1, max_size=20))
def test_signs_of_one_standing_alert_add_up_in_any_order(minutes: list[int]) -> None:
    def all_of(order: list[int]) -> AlertState:
        alert = opened(order[0])
        for minute in order[1:]:
            alert = changes.take(sign(minute), alert, RULES).alert
        return alert

    one, other = all_of(minutes), all_of(sorted(minutes))
    ignored = {"alert_id", "message"}
    assert one.model_dump(exclude=ignored) == other.model_dump(exclude=ignored)


def test_a_sign_that_counts_customers_makes_its_alert_as_severe_as_they_are_many() -> None:
    said = {"kind": AlertKind.OUTAGE, "unit": "customers", "expected": 0.0}
    first = changes.take(sign(0, "feeder/F1", measured=9.0, **said), None, RULES).alert
    assert (first.customers, first.severity) == (9, Severity.WARNING)
    grown = changes.take(sign(1, "feeder/F1", measured=2_000.0, **said), first, RULES)
    assert (grown.change, grown.alert.customers, grown.alert.severity) == (Change.UPDATED, 2_000, Severity.CRITICAL)
    shrunk = changes.take(sign(2, "feeder/F1", measured=1_500.0, **said), grown.alert, RULES)
    assert shrunk.alert.customers == 2_000
