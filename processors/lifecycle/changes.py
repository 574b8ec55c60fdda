"""One change of one alert: what signs, calm, operators and the clock make of the state before."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from processors.lifecycle.place import NOWHERE, Place
from processors.lifecycle.rules import AlertRules, Damping
from processors.lifecycle.severity import higher, severity_of
from schemas.alert_events import AlertNews, AlertState, Change, Condition, Status, problem_id
from schemas.alerts import Alert, AlertKind
from schemas.errors import MeterstreamError

ENGINE = "engine"
Key = tuple[str, AlertKind, Condition]


class NotPossible(MeterstreamError):
    """An operator asks for what an alert cannot do any more; the message says who was there first."""


@dataclass(frozen=True)
class Calm:
    """What the stored readings say of an alert's element.

    Attributes:
        last_unusual: event time of its newest unusual reading, not before the alert was last seen.
        readings: normal ones after that, up to as many as are needed.
        calm_at: event time of the last of those; None without any.
        newest: event time of the newest reading since the alert was last seen; None without any.
    """

    last_unusual: datetime
    readings: int
    calm_at: datetime | None
    newest: datetime | None


def key_of(sign: Alert) -> Key:
    """Return what makes signs one problem: element, kind and side."""
    return sign.element, sign.kind, condition_of(sign)


def condition_of(sign: Alert) -> Condition:
    """Return on which side of the expected it is."""
    if sign.measured > sign.expected:
        return Condition.ABOVE
    return Condition.BELOW if sign.measured < sign.expected else Condition.PRESENT


def customers_of(sign: Alert) -> int:
    """Return how many customers a sign says are affected: one, unless it counts them."""
    return round(sign.measured) if sign.kind is AlertKind.OUTAGE else 1


def children_of(sign: Alert) -> int:
    """Return how much is a part of what a sign tells of: the meters that are out, of an outage."""
    return round(sign.measured) if sign.kind is AlertKind.OUTAGE else 0


def take(sign: Alert, before: AlertState | None, rules: AlertRules, place: Place = NOWHERE) -> AlertNews:
    """Say what a sign makes of the newest alert of its key.

    A sign of before the end of an alert that is over is a part of it that came late. One soon after the end reopens it;
    any later one is another problem.

    Args:
        sign: what a worker raised.
        before: the newest alert of the same key.
        rules: what decides.
        place: where the element stands.
    """
    if before is None:
        return _open(sign, rules, place)
    if before.standing or (before.ended_at is not None and sign.occurred_at <= before.ended_at):
        return _news(Change.UPDATED, before, **_seen(sign, before, rules))
    own = rules.kind[sign.kind]
    if before.ended_at is not None and sign.occurred_at - before.ended_at <= timedelta(seconds=own.reopen_within_s):
        return _reopen(sign, before, rules)
    return _open(sign, rules, place)


def settle(state: AlertState, calm: Calm, rules: AlertRules) -> AlertNews | None:
    """End an alert whose element has been normal for long enough, by event time; None while it has not.

    The end is the moment at which both were true, so that it does not depend on when anybody looked.
    """
    own = rules.kind[state.kind]
    hold = timedelta(seconds=own.hold_s * (rules.damping.hold_times if state.flapping else 1.0))
    if calm.calm_at is None or calm.newest is None or calm.readings < own.calm_readings:
        return None
    ended_at = max(calm.calm_at, calm.last_unusual + hold)
    if calm.newest < ended_at:
        return None
    return clear(state, ended_at, last_seen=max(state.last_seen, calm.last_unusual))


def expire(state: AlertState, now: datetime, rules: AlertRules) -> AlertNews | None:
    """End an alert of a kind that is over when no sign has come for long enough, by the clock; None while it is not."""
    ended_at = state.last_seen + timedelta(seconds=rules.kind[state.kind].hold_s)
    return clear(state, ended_at) if ended_at <= now else None


def clear(state: AlertState, ended_at: datetime, **more: Any) -> AlertNews:
    """End an alert, since its condition has ended."""
    ended_at = max(ended_at, state.last_seen)
    return _news(
        Change.CLEARED,
        state,
        status=Status.CLEARED,
        ended_at=ended_at,
        duration_s=_seconds(state.first_seen, ended_at),
        **more,
    )


def acknowledge(state: AlertState, by: str, now: datetime, note: str = "") -> AlertNews:
    """Let somebody take an alert on.

    Raises:
        NotPossible: somebody has already, or it is over.
    """
    if not state.standing:
        raise NotPossible(f"alert {state.alert_id} is over: {state.status} at {state.ended_at:%Y-%m-%dT%H:%M:%SZ}")
    if state.status is Status.ACKNOWLEDGED:
        raise NotPossible(
            f"alert {state.alert_id} was acknowledged by {state.acknowledged_by} at "
            f"{state.acknowledged_at:%Y-%m-%dT%H:%M:%SZ}"
        )
    done = {"status": Status.ACKNOWLEDGED, "acknowledged_at": now, "acknowledged_by": by}
    return _news(Change.ACKNOWLEDGED, state, by, note, **done)


def resolve(state: AlertState, by: str, now: datetime, note: str = "") -> AlertNews:
    """Let somebody say that an alert is over.

    Raises:
        NotPossible: it is over.
    """
    if not state.standing:
        raise NotPossible(f"alert {state.alert_id} is over: {state.status} at {state.ended_at:%Y-%m-%dT%H:%M:%SZ}")
    # By the clock of the data: a replay of last year ends last year.
    ended_at = state.last_seen if state.last_seen > now else min(now, state.last_seen + timedelta(days=1))
    done = {"status": Status.RESOLVED, "ended_at": ended_at, "duration_s": _seconds(state.first_seen, ended_at)}
    return _news(Change.RESOLVED, state, by, note, **done)


def hush(state: AlertState, *, silenced: bool, by: str = ENGINE, note: str = "") -> AlertNews:
    """Note that a silence covers an alert, or does no longer."""
    return _news(Change.SILENCED if silenced else Change.UNSILENCED, state, by, note, silenced=silenced)


def escalate(state: AlertState) -> AlertNews:
    """Bring an alert before the next in line: nobody has acknowledged it in time."""
    return _news(Change.ESCALATED, state, escalation=state.escalation + 1)


def attach(child: AlertState, parent: AlertState) -> AlertNews:
    """Make an alert a part of another one."""
    return _news(Change.ATTACHED, child, note=f"part of {parent.element}", parent_id=parent.alert_id)


def grow(parent: AlertState, children: int, customers: int, rules: AlertRules, **more: Any) -> AlertNews:
    """Note that more alerts were attached to one."""
    raised = severity_of(parent.severity, parent.kind, parent.element, customers, rules)
    return _news(
        Change.UPDATED, parent, children=children, count=children, customers=customers, severity=raised, **more
    )


def _open(sign: Alert, rules: AlertRules, place: Place) -> AlertNews:
    condition = condition_of(sign)
    state = AlertState(
        alert_id=problem_id(sign.kind, condition, sign.element, sign.occurred_at),
        kind=sign.kind,
        condition=condition,
        element=sign.element,
        status=Status.OPEN,
        severity=severity_of(sign.severity, sign.kind, sign.element, customers_of(sign), rules),
        children=children_of(sign),
        customers=customers_of(sign),
        sequence=1,
        first_seen=sign.occurred_at,
        last_seen=sign.occurred_at,
        duration_s=0.0,
        count=1,
        score=sign.score,
        measured=sign.measured,
        expected=sign.expected,
        unit=sign.unit,
        reasons=sign.reasons,
        message=sign.message,
        action=rules.kind[sign.kind].action,
        panel=rules.panel_of(sign.element),
        region=place.region,
        substation=place.substation,
        feeder=place.feeder,
        transformer=place.transformer,
    )
    return AlertNews(change=Change.OPENED, by=ENGINE, alert=state)


def _reopen(sign: Alert, before: AlertState, rules: AlertRules) -> AlertNews:
    penalty = 1.0 + faded(before, sign.occurred_at, rules.damping)
    flapping = penalty >= rules.damping.begin or (before.flapping and penalty > rules.damping.end)
    return _news(
        Change.REOPENED,
        before,
        **_seen(sign, before, rules),
        status=Status.OPEN,
        ended_at=None,
        parent_id=None,
        acknowledged_at=None,
        acknowledged_by=None,
        escalation=0,
        flapping=flapping,
        flap_penalty=penalty,
        flapped_at=sign.occurred_at,
    )


def faded(state: AlertState, at: datetime, damping: Damping) -> float:
    """Return what is left of an alert's penalty; RFC 2439, section 4.2."""
    if state.flapped_at is None:
        return 0.0
    return float(state.flap_penalty * 0.5 ** (max(0.0, _seconds(state.flapped_at, at)) / damping.half_life_s))


def _seen(sign: Alert, before: AlertState, rules: AlertRules) -> dict[str, Any]:
    """Return what one more sign says; what was measured last is shown, whatever order signs come in."""
    last_seen, first_seen = max(before.last_seen, sign.occurred_at), min(before.first_seen, sign.occurred_at)
    customers = max(before.customers, customers_of(sign))
    raised = severity_of(higher(before.severity, sign.severity), sign.kind, sign.element, customers, rules)
    seen: dict[str, Any] = {
        "children": max(before.children, children_of(sign)),
        "customers": customers,
        "count": before.count + 1,
        "first_seen": first_seen,
        "last_seen": last_seen,
        "duration_s": _seconds(first_seen, before.ended_at or last_seen),
        "severity": raised,
        "score": max(before.score, sign.score),
    }
    if sign.occurred_at >= before.last_seen:
        seen |= {name: getattr(sign, name) for name in ("measured", "expected", "unit", "reasons", "message")}
    return seen


def _news(change: Change, before: AlertState, by: str = ENGINE, note: str = "", **changed: Any) -> AlertNews:
    state = before.model_copy(update={**changed, "sequence": before.sequence + 1})
    return AlertNews(change=change, by=by, note=note, alert=state)


def _seconds(since: datetime, until: datetime) -> float:
    return max(0.0, (until - since).total_seconds())
