"""Alerts about models rather than meters: one that cannot be used, and one whose world has changed."""

from datetime import UTC, datetime

from models.drift import DRIFTED, Drift
from models.refused import ModelRefused
from schemas.alerts import Alert, AlertKind, Severity, alert_id
from schemas.layout import instant_of


def refused(refusal: ModelRefused, role: str, serving: str | None) -> Alert:
    """Tell that a model cannot be used; the same refusal always has the same id, whichever worker tells it."""
    now, element = datetime.now(UTC), f"model/{refusal.model}"
    instead = f"{serving} goes on serving" if serving else "readings are scored by their meters' past alone"
    return Alert(
        alert_id=alert_id(AlertKind.MODEL_REFUSED, element, 0),
        kind=AlertKind.MODEL_REFUSED,
        severity=Severity.WARNING,
        element=element,
        occurred_at=now,
        arrived_at=now,
        measured=0.0,
        expected=1.0,
        unit="model",
        score=1.0,
        reasons=refusal.reason,
        message=f"{refusal} as {role}; {instead}",
    )


def drifted(model: str, drift: Drift) -> Alert:
    """Tell that what a model sees, or what it says, is no longer distributed as in its training."""
    element, (worst, psi) = f"model/{model}", next(iter(drift.drifted.items()))
    return Alert(
        alert_id=alert_id(AlertKind.MODEL_DRIFT, element, drift.end_us),
        kind=AlertKind.MODEL_DRIFT,
        severity=Severity.WARNING,
        element=element,
        occurred_at=instant_of(drift.end_us),
        arrived_at=datetime.now(UTC),
        measured=psi,
        expected=DRIFTED,
        unit="PSI",
        score=1.0,
        reasons=", ".join(f"{name} {value:.2f}" for name, value in drift.drifted.items()),
        message=f"{worst} is not distributed any more as when {model} was trained (PSI {psi:.2f}): train it anew",
    )
