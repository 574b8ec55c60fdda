"""Signs and alerts for tests: say what matters, and everything else is sound."""

from datetime import UTC, datetime, timedelta
from typing import Any

from processors.lifecycle.changes import Calm, take
from processors.lifecycle.place import Place
from schemas.alert_events import AlertState
from schemas.alerts import Alert, AlertKind, Severity, alert_id
from stream.alerting.rules import load_alert_rules

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
RULES = load_alert_rules()


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def sign(minutes: float = 0.0, element: str = "meter/M1", **said: Any) -> Alert:
    """What a worker raises, so many minutes after noon."""
    kind, at = said.pop("kind", AlertKind.VOLTAGE_SAG), after(minutes)
    known = {
        "severity": Severity.WARNING,
        "measured": 200.0,
        "expected": 230.0,
        "unit": "V",
        "score": 0.9,
        "message": f"{element.replace('/', ' ', 1)} had 200.0 V where 230.0 V is usual",
        "arrived_at": at + timedelta(seconds=1),
    }
    identity = alert_id(kind, element, round(at.timestamp() * 1e6))
    return Alert(alert_id=identity, kind=kind, element=element, occurred_at=at, **(known | said))


def opened(minutes: float = 0.0, element: str = "meter/M1", place: Place | None = None, **said: Any) -> AlertState:
    """An alert with one sign."""
    return take(sign(minutes, element, **said), None, RULES, place or Place()).alert


def calm(unusual: float, until: float, readings: int = 4, newest: float | None = None) -> Calm:
    """Normal readings up to so many minutes after noon, after an unusual one."""
    return Calm(after(unusual), readings, after(until), after(until if newest is None else newest))
