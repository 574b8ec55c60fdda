"""What the demo hears: alerts once each with the time they took, rejects by reason."""

import time
from datetime import UTC, datetime

import pytest

from schemas.alert_events import AlertEvent, AlertNews, Change
from schemas.rejected import Reason, Rejected
from stream.demo.taps import Alerts, Rejects
from tests.unit.stream.test_demo_view import ALERT, NOON

NEWS = AlertNews(change=Change.OPENED, by="engine", alert=ALERT)
EVENT = AlertEvent.of(NEWS, NOON).model_dump_json().encode()


def test_a_marked_alert_tells_how_long_it_took() -> None:
    sent = time.monotonic() - 0.2
    alerts = Alerts({("meter/M[1]", round(NOON.timestamp() * 1e6)): sent})
    alerts.take(EVENT)
    assert alerts.count == 1
    assert alerts.first_at is not None
    assert alerts.latency_ms == [pytest.approx(200, abs=100)]


def test_a_repeat_and_what_is_no_alert_do_not_count() -> None:
    alerts = Alerts({})
    for value in (EVENT, EVENT, b"{}", b""):
        alerts.take(value)
    assert alerts.count == 1
    assert alerts.latency_ms == []


def test_rejects_are_counted_by_reason_and_by_who_refused() -> None:
    rejects = Rejects()
    for source, reason in (
        ("mqtt:meters/M1/reading", Reason.NOT_JSON),
        ("mqtt:meters/M1/reading", Reason.NOT_JSON),
        ("meters.raw[0]@1", Reason.VOLTAGE_OUT_OF_RANGE),
    ):
        rejected = Rejected.of(b"x", reason, "", source=source, rejected_at=datetime.now(UTC))
        rejects.take(rejected.model_dump_json().encode())
    rejects.take(b"{}")
    assert rejects.by_reason == {"not_json": 2, "voltage_out_of_range": 1}
    assert rejects.at_bridge == 2
