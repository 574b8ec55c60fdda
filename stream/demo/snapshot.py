"""What the demo knows at one moment, and how fast things go; pure."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from schemas.alert_events import AlertState
from stream.demo.gauges import Totals

#: Rates are means over this long [s].
_WINDOW_S = 4.0


@dataclass(frozen=True)
class Rates:
    """Readings per second, lately."""

    published: float = 0.0
    bridged: float = 0.0
    stored: float = 0.0


@dataclass(frozen=True)
class Latency:
    """From sending an unusual reading to reading its alert.

    Attributes:
        count: how many were measured.
        p50_ms: median [ms], None without any.
        p99_ms: 99th percentile [ms].
        max_ms: the longest [ms].
    """

    count: int
    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None

    @classmethod
    def of(cls, latency_ms: Sequence[float]) -> "Latency":
        """Sum measurements up."""
        if not latency_ms:
            return cls(0)
        p50, p99 = np.percentile(latency_ms, [50, 99])
        return cls(len(latency_ms), round(float(p50), 1), round(float(p99), 1), round(max(latency_ms), 1))


@dataclass(frozen=True)
class Snapshot:
    """One moment of the demo.

    Attributes:
        elapsed_s: since the command began [s].
        phase: what it is doing, in words.
        simulated: event time of the newest interval.
        published: readings that the broker has acknowledged.
        totals: what bridges and workers have done.
        rates: how fast.
        rejects: rejects by reason.
        alerts: how many.
        newest: the last of them, oldest first.
        latency: of the alerts that were waited for.
        first_stored_s: when the first reading was stored, since the command began [s].
        first_alert_s: when the first alert was read [s].
        connections: where to connect: service and command.
        subtitle: what is simulated.
    """

    elapsed_s: float
    phase: str
    simulated: datetime | None = None
    published: int = 0
    totals: Totals = field(default_factory=Totals)
    rates: Rates = field(default_factory=Rates)
    rejects: Counter[str] = field(default_factory=Counter)
    alerts: int = 0
    newest: Sequence[AlertState] = ()
    latency: Latency = field(default_factory=lambda: Latency(0))
    first_stored_s: float | None = None
    first_alert_s: float | None = None
    connections: Sequence[tuple[str, str]] = ()
    subtitle: str = ""

    @property
    def stored(self) -> int:
        """Readings stored."""
        return sum(self.totals.stored.values())


class Speedometer:
    """Turns counts into rates over the last seconds, and remembers the highest rate of storing."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, int, int, int]] = deque()
        self.peak_stored = 0.0

    def rates(self, now_s: float, published: int, bridged: int, stored: int) -> Rates:
        """Note counts and return the rates.

        Args:
            now_s: a monotonic time [s].
            published: readings acknowledged by the broker so far.
            bridged: readings in Kafka so far.
            stored: readings stored so far.
        """
        self._past.append((now_s, published, bridged, stored))
        while len(self._past) > 2 and now_s - self._past[1][0] >= _WINDOW_S:
            self._past.popleft()
        then_s, *counts = self._past[0]
        span_s = now_s - then_s
        if span_s <= 0:
            return Rates()
        now = (published, bridged, stored)
        found = Rates(*(max(0, new - old) / span_s for new, old in zip(now, counts, strict=True)))
        if span_s >= _WINDOW_S:
            self.peak_stored = max(self.peak_stored, found.stored)
        return found
