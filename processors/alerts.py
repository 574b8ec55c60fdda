"""Alerts: one for each anomaly, with an id that depends on nothing but what, where and when."""

import numpy as np

from processors.judge import Judgement
from schemas.alerts import Alert, AlertKind, Severity, alert_id
from schemas.layout import Ints, Mask, instant_of
from schemas.quality import ANOMALY
from schemas.readings import ReadingBatch

#: Scores from here on are critical.
_CRITICAL_SCORE = 0.95


def raise_alerts(batch: ReadingBatch, judgement: Judgement, arrived_us: Ints, where: Mask) -> list[Alert]:
    """Describe each anomaly of a batch.

    Args:
        batch: n readings.
        judgement: what was found of them.
        arrived_us: int64[n], arrival in Kafka [us].
        where: bool[n], readings to look at.

    Returns: one alert per anomaly, in the order of the batch.
    """
    found = np.flatnonzero((judgement.flag == ANOMALY) & where)
    return [_alert(batch, judgement, arrived_us, row) for row in found.tolist()]


def _alert(batch: ReadingBatch, judgement: Judgement, arrived_us: Ints, row: int) -> Alert:
    meter = batch.meter_number[row].as_py()
    occurred_us = int(batch.time_us[row])
    measured = batch.column("consumption_kwh")[row].as_py()
    expected, score = float(judgement.expected_kwh[row]), float(judgement.score[row])
    return Alert(
        alert_id=alert_id(AlertKind.HIGH_CONSUMPTION, f"meter/{meter}", occurred_us),
        kind=AlertKind.HIGH_CONSUMPTION,
        severity=Severity.CRITICAL if score >= _CRITICAL_SCORE else Severity.WARNING,
        element=f"meter/{meter}",
        occurred_at=instant_of(occurred_us),
        arrived_at=instant_of(int(arrived_us[row])),
        measured=measured,
        expected=expected,
        unit="kWh",
        score=score,
        message=f"meter {meter} used {measured:.3f} kWh where {expected:.3f} kWh is usual",
    )
