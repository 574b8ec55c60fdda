"""When a reading is unusual."""

from dataclasses import dataclass
from typing import NamedTuple

from processors import calibration

_DAY_S = 86_400.0


class Bounds(NamedTuple):
    """What of `Judging` the pass over readings needs."""

    times_average: float
    monitoring: float
    warning: float
    critical: float
    budget: float
    history_s: float
    memory_s: float


@dataclass(frozen=True)
class Judging:
    """When a reading is unusual.

    Attributes:
        voltage_low: below this a reading is a warning [V].
        voltage_high: above this a reading is a warning [V].
        times_average: high use is an anomaly only above this many times the meter's average daily use, pro rata.
        monitoring: scores from here on are worth watching.
        warning: scores from here on are alerts, and anomalies.
        critical: scores from here on are critical alerts.
        budget: what the scale stands for: alerts of scores from 0.85 on per 10,000 healthy meters and day.
        history_s: nothing is called an anomaly before this much of a meter's past is known [s].
        memory_s: the past counts with this time constant [s].
    """

    voltage_low: float = 210.0
    voltage_high: float = 250.0
    times_average: float = 3.0
    monitoring: float = calibration.MONITORING
    warning: float = calibration.WARNING
    critical: float = calibration.CRITICAL
    budget: float = calibration.BUDGET
    history_s: float = _DAY_S
    memory_s: float = 28 * _DAY_S

    @property
    def bounds(self) -> Bounds:
        """What the pass over readings needs."""
        return Bounds(*(float(getattr(self, name)) for name in Bounds._fields))
