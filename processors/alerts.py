"""Alerts: one for each unusual thing that begins, with an id that depends on nothing but what, where and when."""

from datetime import datetime

import numpy as np
import numpy.typing as npt

from processors.alert_kinds import KIND_OF, VOLTS, signals_of
from processors.explained import contributions
from processors.judgement import Judgement
from processors.opinion import Onsets
from processors.peers import LEAST_PEERS, Neighbours
from processors.signals import SIGNALS, Anomaly
from schemas.alerts import Alert, AlertKind, Severity, alert_id
from schemas.explanation import Explanation
from schemas.layout import Ints, Mask, instant_of
from schemas.readings import ReadingBatch

_SAYS = {
    Anomaly.SPIKE: "used {measured:.3f} kWh where {expected:.3f} kWh is usual",
    Anomaly.DROP: "used only {measured:.3f} kWh where {expected:.3f} kWh is usual",
    Anomaly.LEVEL_RISE: "has used more than usual for hours, now {measured:.3f} kWh instead of {expected:.3f} kWh",
    Anomaly.THEFT_SUSPICION: "has used less than usual for hours, now {measured:.3f} kWh instead of {expected:.3f} kWh",
    Anomaly.SWELL: "had {measured:.1f} V where {expected:.1f} V is usual",
    Anomaly.SAG: "had {measured:.1f} V where {expected:.1f} V is usual",
    Anomaly.LONG_HIGH: "has been above its average for unusually long, now {measured:.3f} kWh",
    Anomaly.LONG_LOW: "has been below its average for unusually long, now {measured:.3f} kWh",
    Anomaly.FLATLINE: "shows {measured:.3f} kWh again and again",
    Anomaly.REGISTER_MISMATCH: "reports {measured:.3f} kWh, which is not what its register counted",
    Anomaly.OVERHEATING: "is warmer than usual while it reports {measured:.3f} kWh",
    Anomaly.LONGER_RUNS: "is above its average for longer each time than it used to be, now {measured:.3f} kWh again",
}


def raise_alerts(
    batch: ReadingBatch, judgement: Judgement, arrived_us: Ints, where: Mask, neighbours: Neighbours | None = None
) -> list[Alert]:
    """Describe what begins in a batch.

    Args:
        batch: n readings.
        judgement: what was found of them.
        arrived_us: int64[n], arrival in Kafka [us].
        where: bool[n], readings to look at.
        neighbours: what they said of what begins; what they share is for information, whatever its score.

    Returns: one alert per beginning, in the order of the batch.
    """
    found = np.flatnonzero((judgement.severity > 0) & where)
    said = neighbours or Neighbours.none(len(batch))
    told = zip(found.tolist(), contributions(judgement, found), strict=True)
    return [_alert(batch, judgement, said, arrived_us, row, reasons) for row, reasons in told]


def _alert(
    batch: ReadingBatch, judgement: Judgement, neighbours: Neighbours, arrived_us: Ints, row: int, reasons: str
) -> Alert:
    meter = batch.meter_number[row].as_py()
    occurred_us = int(batch.time_us[row])
    what = SIGNALS[int(judgement.rarity[row].argmin())]
    volts = what in VOLTS
    measured = batch.column("voltage" if volts else "consumption_kwh")[row].as_py()
    expected = float(judgement.usual_voltage[row] if volts else judgement.expected_kwh[row])
    return Alert(
        alert_id=alert_id(KIND_OF[what], f"meter/{meter}", occurred_us),
        kind=KIND_OF[what],
        severity=_severity(judgement, neighbours, row),
        element=f"meter/{meter}",
        occurred_at=instant_of(occurred_us),
        arrived_at=instant_of(int(arrived_us[row])),
        measured=measured,
        expected=expected,
        unit="V" if volts else "kWh",
        score=float(judgement.score[row]),
        band=None if volts else float(judgement.band_kwh[row]),
        reasons=reasons,
        message=f"meter {meter} {_SAYS[what].format(measured=measured, expected=expected)}"
        + _said(neighbours, row, volts=volts),
    )


def _severity(judgement: Judgement, neighbours: Neighbours, row: int) -> Severity:
    if neighbours.shared[row]:
        return Severity.INFO
    return Severity.CRITICAL if judgement.severity[row] > 1 else Severity.WARNING


def _said(neighbours: Neighbours, row: int, *, volts: bool) -> str:
    """Return what neighbours add to an alert; nothing where too few have spoken."""
    spoken, agree = int(neighbours.spoken[row]), int(neighbours.agree[row])
    if spoken < LEAST_PEERS:
        return ""
    if neighbours.shared[row]:
        return (
            f", as do {agree} of {spoken} neighbours: {'the grid, not the meter' if volts else 'shared, not its own'}"
        )
    return f", as {agree or 'none'} of {spoken} neighbours {'do' if agree > 1 else 'does'}"


def model_alerts(
    batch: ReadingBatch,
    judgement: Judgement,
    score: npt.NDArray[np.float32],
    onsets: Onsets,
    arrived_us: Ints,
    where: Mask,
) -> list[Alert]:
    """Describe what begins in a batch by a model's word alone.

    Args:
        batch: n readings.
        judgement: what was found of them; what a reading was expected to be is the meter's own past, whoever speaks.
        score: float32[n], of the model.
        onsets: what begins.
        arrived_us: int64[n], arrival in Kafka [us].
        where: bool[n], readings to look at.
    """
    told = zip(onsets.at.tolist(), onsets.severity.tolist(), onsets.reasons, strict=True)
    return [
        _model_alert(batch, judgement, float(score[row]), severity, reasons, int(arrived_us[row]), row)
        for row, severity, reasons in told
        if where[row]
    ]


def _model_alert(
    batch: ReadingBatch, judgement: Judgement, score: float, severity: int, reasons: str, arrived_us: int, row: int
) -> Alert:
    element, occurred_us = f"meter/{batch.meter_number[row].as_py()}", int(batch.time_us[row])
    measured, expected = batch.column("consumption_kwh")[row].as_py(), float(judgement.expected_kwh[row])
    return Alert(
        alert_id=alert_id(AlertKind.UNUSUAL_READING, element, occurred_us),
        kind=AlertKind.UNUSUAL_READING,
        severity=Severity.CRITICAL if severity > 1 else Severity.WARNING,
        element=element,
        occurred_at=instant_of(occurred_us),
        arrived_at=instant_of(arrived_us),
        measured=measured,
        expected=expected,
        unit="kWh",
        score=score,
        band=float(judgement.band_kwh[row]),
        reasons=reasons,
        message=f"meter {element[6:]} {_said_by_model(measured, reasons)}",
    )


def alert_of_explained(
    meter: str, why: Explanation, measured: float, score: float, critical: float, times: tuple[datetime, datetime]
) -> Alert:
    """Describe what a stored reading is an example of, as a worker would have, had it begun with that reading.

    Args:
        meter: its number.
        why: what the reading looks like.
        measured: in the unit of the explanation.
        score: of the reading.
        critical: scores from here on are critical.
        times: of the reading, and of its arrival.
    """
    kind, element, (occurred_at, arrived_at) = AlertKind(why.kind), f"meter/{meter}", times
    rarest = why.contributions.partition(" ")[0]
    said = next((_SAYS[signal] for signal in signals_of(kind) if signal == rarest), None)
    told = _said_by_model(measured, why.contributions) if said is None else said
    return Alert(
        alert_id=alert_id(kind, element, round(occurred_at.timestamp() * 1e6)),
        kind=kind,
        severity=Severity.CRITICAL if score >= critical else Severity.WARNING,
        element=element,
        occurred_at=occurred_at,
        arrived_at=arrived_at,
        measured=measured,
        expected=why.expected,
        unit=why.unit,
        score=score,
        band=None if np.isnan(why.band) else why.band,
        reasons=why.contributions,
        message=f"meter {meter} {told.format(measured=measured, expected=why.expected)}",
    )


def _said_by_model(measured: float, reasons: str) -> str:
    return (
        f"shows {measured:.3f} kWh in circumstances that other meters do not, mostly by "
        f"{reasons.partition(' ')[0] or 'several features together'}"
    )
