"""Silences and maintenance windows: what they cover, and when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

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
        every_days: it returns after so many local days, at the same local time and for as long; None for once.
        timezone: whose local time that is.
        until: it does not begin any more from then on; None for ever.
        silence_id: its number, once it is kept.

    Raises:
        ValueError: it would last longer than until it returns, or there is no such time zone.
    """

    element: str
    kind: AlertKind | None
    begins_at: datetime
    ends_at: datetime
    by: str
    reason: str
    every_days: int | None = None
    timezone: str = "UTC"
    until: datetime | None = None
    silence_id: int | None = None

    def __post_init__(self) -> None:
        """Check what does not go together."""
        if self.every_days is not None and self.ends_at - self.begins_at > timedelta(days=self.every_days):
            raise ValueError("it would last longer than until it returns")
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"there is no time zone {self.timezone}") from None

    def in_force(self, now: datetime) -> bool:
        """Whether it holds now."""
        return any(begin <= now < end for begin, end in self._spans(now))

    def _spans(self, now: datetime) -> list[tuple[datetime, datetime]]:
        """Return when it holds around a moment, in UTC.

        A local time that a day does not have, when clocks go forward, counts as that of the offset before; one that it
        has twice as the first. It lasts as long as the first time, by the clock that does not change.
        """
        if self.every_days is None:
            return [(self.begins_at, self.ends_at)]
        zone = ZoneInfo(self.timezone)
        first = self.begins_at.astimezone(zone).replace(tzinfo=None, fold=0)
        turn = (now.astimezone(zone).date() - first.date()).days // self.every_days
        spans = []
        # That of today, and the one before, which may have gone on past midnight.
        for count in (turn - 1, turn):
            begin = (first + timedelta(days=count * self.every_days)).replace(tzinfo=zone).astimezone(UTC)
            if count >= 0 and (self.until is None or begin < self.until):
                spans.append((begin, begin + (self.ends_at - self.begins_at)))
        return spans


def covered(state: AlertState, silences: Iterable[Silence]) -> Silence | None:
    """Return the first silence that covers an alert, None where there is none."""
    names = {state.element, f"alert/{state.alert_id}"}
    names |= {f"{level}/{getattr(state, level)}" for level in ("region", *LEVELS) if getattr(state, level)}
    for silence in silences:
        if silence.element in names and silence.kind in {None, state.kind}:
            return silence
    return None
