"""What must be found in the end, computed from the input alone; nothing of the engine is used here."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction

from tests.chaos.load import Key, Load, Reject, Row

LENGTHS_S = (60, 900)
_BAND = (207, 253)
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)

#: element, length [s], start.
WindowKey = tuple[str, int, datetime]


@dataclass
class Window:
    """Exact sums of one window."""

    readings: int = 0
    energy: Fraction = Fraction(0)
    voltages: list[Fraction] = field(default_factory=list)
    demand_peak: tuple[float, float] | None = None
    meters: set[str] = field(default_factory=set)

    def add(self, row: Row) -> None:
        self.readings += 1
        self.meters.add(row.meter)
        self.energy += Fraction(str(row.consumption_kwh))
        self.voltages.append(Fraction(str(row.voltage)))
        if row.demand_kw is not None:
            # The higher peak counts, of two as high the earlier one.
            peak = row.demand_kw, -row.time.timestamp()
            self.demand_peak = peak if self.demand_peak is None else max(self.demand_peak, peak)

    def told(self) -> tuple[object, ...]:
        mean = float(sum(self.voltages) * 1000) / 1000 / len(self.voltages)
        low, high = float(min(self.voltages)), float(max(self.voltages))
        peak, at = (None, None) if self.demand_peak is None else self.demand_peak
        outside = sum(not _BAND[0] <= volts <= _BAND[1] for volts in self.voltages)
        said = (self.readings, len(self.meters), float(self.energy), peak, at and datetime.fromtimestamp(-at, UTC))
        return *said, low, mean, high, outside


@dataclass
class Expected:
    """The end of a trial.

    Attributes:
        rows: (meter, time) -> the reading stored.
        windows: what the windows must say.
        latest: meter -> its newest reading.
        rejects: what must be among the rejected.
    """

    rows: dict[Key, Row]
    windows: dict[WindowKey, tuple[object, ...]]
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
        {key: window.told() for key, window in windows.items()},
        latest,
        load.rejects + conflicts,
    )
