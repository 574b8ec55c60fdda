"""Silences and maintenance windows: what they cover."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from processors.lifecycle.place import LEVELS
from schemas.alert_events import AlertState
from schemas.alerts import AlertKind


@dataclass(frozen=True)
class Silence:
    """Nobody is told of what it covers; it covers an element and everything that this feeds.

    Attributes:
        element: such as `meter/M1`, `feeder/F12`, `region/NSW` or `alert/<alert_id>`.
        kind: one kind, or None for all.
        begins_at: from then on.
        ends_at: until then.
        by: who asked for it.
        reason: what they say.
    """

    element: str
    kind: AlertKind | None
    begins_at: datetime
    ends_at: datetime
    by: str
    reason: str


def covered(state: AlertState, silences: Iterable[Silence]) -> Silence | None:
    """Return the first silence that covers an alert, None where there is none."""
    names = {state.element, f"alert/{state.alert_id}"}
    names |= {f"{level}/{getattr(state, level)}" for level in ("region", *LEVELS) if getattr(state, level)}
    for silence in silences:
        if silence.element in names and silence.kind in {None, state.kind}:
            return silence
    return None
