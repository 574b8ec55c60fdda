"""Alerts: one for each anomaly, the same for the same reading."""

import numpy as np

from processors.alerts import raise_alerts
from schemas.alerts import AlertKind, Severity, alert_id
from tests.builders import DAY_US, HOUR_US, START_US
from tests.judging import judged


def test_each_anomaly_raises_one_alert_with_its_facts() -> None:
    found, judgement = judged([1.0] * 100 + [9.0, 1.0, 50.0])
    arrived = found.time_us + DAY_US
    first, second = raise_alerts(found, judgement, arrived, np.ones(103, dtype=bool))
    assert (first.element, first.unit, first.measured) == ("meter/M1", "kWh", 9.0)
    assert first.occurred_at.timestamp() * 1e6 == START_US + 100 * HOUR_US
    assert (first.arrived_at - first.occurred_at).total_seconds() == 86_400
    assert first.expected < 1.1
    assert first.message == f"meter M1 used 9.000 kWh where {first.expected:.3f} kWh is usual"
    assert second.severity == Severity.CRITICAL
    assert first.alert_id != second.alert_id


def test_an_alert_has_the_same_id_whenever_it_is_raised_again() -> None:
    found, judgement = judged([1.0] * 100 + [9.0])
    everywhere = np.ones(101, dtype=bool)
    (once,), (again,) = (raise_alerts(found, judgement, found.time_us + late, everywhere) for late in (0, DAY_US))
    assert once.alert_id == again.alert_id == alert_id(AlertKind.HIGH_CONSUMPTION, "meter/M1", START_US + 100 * HOUR_US)


def test_only_the_chosen_readings_raise_alerts() -> None:
    found, judgement = judged([1.0] * 100 + [9.0])
    assert raise_alerts(found, judgement, found.time_us, np.zeros(101, dtype=bool)) == []


def test_the_id_is_pinned() -> None:
    # Ids stay the same over releases: what ops tools have seen must stay recognisable.
    assert alert_id(AlertKind.HIGH_CONSUMPTION, "meter/M1", 0) == "39a558dcfba740595905ea3867ebd6fd"
