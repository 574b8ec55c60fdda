"""What an unusual signal is called where people read of it."""

from processors.signals import Anomaly
from schemas.alerts import AlertKind

KIND_OF = {
    Anomaly.SPIKE: AlertKind.HIGH_CONSUMPTION,
    Anomaly.DROP: AlertKind.LOW_CONSUMPTION,
    Anomaly.LEVEL_RISE: AlertKind.LEVEL_SHIFT,
    Anomaly.THEFT_SUSPICION: AlertKind.THEFT_SUSPICION,
    Anomaly.SWELL: AlertKind.VOLTAGE_SWELL,
    Anomaly.SAG: AlertKind.VOLTAGE_SAG,
    Anomaly.LONG_HIGH: AlertKind.PATTERN_CHANGE,
    Anomaly.LONG_LOW: AlertKind.PATTERN_CHANGE,
    Anomaly.FLATLINE: AlertKind.FLATLINE,
    Anomaly.REGISTER_MISMATCH: AlertKind.REGISTER_MISMATCH,
    Anomaly.OVERHEATING: AlertKind.OVERHEATING,
    Anomaly.LONGER_RUNS: AlertKind.PATTERN_CHANGE,
}

#: Signals that are told in volts; the others in kilowatt-hours.
VOLTS = (Anomaly.SWELL, Anomaly.SAG)


def signals_of(kind: AlertKind) -> tuple[Anomaly, ...]:
    """Return the signals that are called so; none where a kind is told by something else."""
    return tuple(signal for signal, called in KIND_OF.items() if called is kind)
