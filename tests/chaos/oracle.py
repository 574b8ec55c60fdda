"""What must be found in the end, computed from the input alone; nothing of the engine is used here."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction

from tests.chaos.load import Key, Load, Reject, Row

LENGTHS_S = (60, 900)
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)

#: element, length [s], start.
WindowKey = tuple[str, int, datetime]


@dataclass
class Window:
    """Exact sums of one window."""

    readings: int = 0
    energy: Fraction = Fraction(0)
    voltages: list[Fraction] = field(default_factory=list)
    demand_peak: float | None = None

    def add(self, row: Row) -> None:
        self.readings += 1
        self.energy += Fraction(str(row.consumption_kwh))
        self.voltages.append(Fraction(str(row.voltage)))
        if row.demand_kw is not None:
            self.demand_peak = row.demand_kw if self.demand_peak is None else max(self.demand_peak, row.demand_kw)

    def told(self) -> tuple[object, ...]:
        mean = float(sum(self.voltages) * 1000) / 1000 / len(self.voltages)
        low, high = float(min(self.voltages)), float(max(self.voltages))
        return self.readings, float(self.energy), self.demand_peak, low, mean, high


@dataclass
class Expected:
    """The end of a trial.

    Attributes:
        rows: (meter, time) -> the reading stored.
        flags: (meter, time) -> its quality flag.
        windows: what the windows must say.
        alerts: ids of the alerts that must have been raised, and no others.
        latest: meter -> its newest reading.
        rejects: what must be among the rejected.
    """

    rows: dict[Key, Row]
    flags: dict[Key, str]
    windows: dict[WindowKey, tuple[object, ...]]
    alerts: dict[str, Key]
    latest: dict[str, Row]
    rejects: list[Reject]


def expected(load: Load, rows: Iterable[Row] | None = None) -> Expected:
    """Say what must come of a load.

    Args:
        load: the input.
        rows: readings in the order of their arrival, where not all of the load arrived.
    """
    first: dict[Key, Row] = {}
    for row in (row for send in load.sends for row in send.rows) if rows is None else rows:
        first.setdefault((row.meter, row.time), row)
    latest: dict[str, Row] = {}
    windows: dict[WindowKey, Window] = {}
    for row in first.values():
        if row.meter not in latest or latest[row.meter].time < row.time:
            latest[row.meter] = row
        for length in LENGTHS_S:
            seconds = int((row.time - _UNIX).total_seconds())
            start = datetime.fromtimestamp(seconds - seconds % length, UTC)
            key = f"transformer/{load.transformer_of[row.meter]}", length, start
            windows.setdefault(key, Window()).add(row)
    conflicts = [Reject("conflicting_duplicate", row.meter.encode()) for row in load.conflicts] if rows is None else []
    return Expected(
        first,
        {key: _flag(key, row, load) for key, row in first.items()},
        {key: window.told() for key, window in windows.items()},
        {alert_id(key): key for key in load.spikes if key in first},
        latest,
        load.rejects + conflicts,
    )


def _flag(key: Key, row: Row, load: Load) -> str:
    if key in load.spikes:
        return "anomaly"
    return "normal" if 210 <= row.voltage <= 250 else "warning"


def alert_id(key: Key) -> str:
    """What, where and when, as NOMENCLATURE.md says."""
    meter, time = key
    micros = (time - _UNIX).days * 86_400_000_000 + (time - _UNIX).seconds * 1_000_000
    return hashlib.sha256(f"high_consumption\0meter/{meter}\0{micros}".encode()).hexdigest()[:32]
