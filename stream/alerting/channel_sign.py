"""The desk's own signs: what it says of its channels."""

from datetime import datetime

from schemas.alerts import Alert, AlertKind, Severity, alert_id


def channel_sign(
    channel: str, now: datetime, message: str, severity: Severity, *, failures: int, cause: str = ""
) -> Alert:
    """Return the sign that a channel does not take notices.

    Args:
        channel: its name.
        now: when that is said.
        message: what happened, one sentence.
        severity: how bad that is.
        failures: in a row so far; without any it is only a test, and nothing is sure.
        cause: what the channel said.
    """
    element = f"channel/{channel}"
    return Alert(
        alert_id=alert_id(AlertKind.CHANNEL_FAILED, element, round(now.timestamp() * 1e6)),
        kind=AlertKind.CHANNEL_FAILED,
        severity=severity,
        element=element,
        occurred_at=now,
        arrived_at=now,
        measured=float(failures),
        expected=0.0,
        unit="failures",
        score=1.0 if failures else 0.0,
        reasons=cause,
        message=message,
    )
