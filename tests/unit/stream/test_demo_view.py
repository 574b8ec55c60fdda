"""The demo's picture and line show what they are given."""

from collections import Counter
from datetime import UTC, datetime
from io import StringIO

from rich.console import Console

from schemas.alerts import AlertKind, Severity
from stream.demo.gauges import Totals
from stream.demo.screen import Lines, Picture
from stream.demo.snapshot import Latency, Rates, Snapshot
from stream.demo.view import draw, line
from tests.alerting import opened

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ALERT = opened(
    element="meter/M[1]",
    kind=AlertKind.HIGH_CONSUMPTION,
    severity=Severity.CRITICAL,
    measured=2.0,
    expected=0.1,
    unit="kWh",
    score=0.97,
    message="meter M[1] used 2.000 kWh where 0.100 kWh is usual",
)
NOW = Snapshot(
    elapsed_s=61.4,
    phase="live",
    simulated=NOON,
    published=12_345,
    totals=Totals(
        bridged=12_300,
        stored=Counter(normal=12_000, anomaly=1),
        duplicates=17,
        in_flight=4,
        lag=9,
        waiting_for={"redis": "[Errno 111]"},
    ),
    rates=Rates(1_000.0, 990.0, 980.0),
    rejects=Counter(bad_time=3, not_json=2),
    alerts=1,
    newest=(ALERT,),
    latency=Latency(3, 120.0, 250.0, 260.0),
    first_stored_s=12.34,
    first_alert_s=13.57,
    connections=(("database", "psql postgresql://u:p@127.0.0.1:1/m"),),
    subtitle="10 meters, seed 7",
)


def rendered(now: Snapshot, width: int = 110) -> str:
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(draw(now))
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_the_picture_has_everything() -> None:
    text = rendered(NOW)
    for part in (
        "live",
        "2026-01-31 12:00 UTC",
        "10 meters, seed 7",
        "first reading stored after 12.3 s, first alert after 13.6 s",
        "12,345",
        "1,000",
        "12,001",
        "99.99%",
        "bad_time",
        "120 ms",
        "redis is away",
        "meter M[1] used 2.000 kWh",
        "psql postgresql://u:p@127.0.0.1:1/m",
    ):
        assert part in text, part


def test_an_empty_demo_can_be_drawn_too() -> None:
    assert "newest of 0 alerts" in rendered(Snapshot(0.0, "starting"))


def test_a_narrow_terminal_still_shows_the_counts() -> None:
    assert "12,345" in rendered(NOW, width=70)


def test_the_line_has_the_counts() -> None:
    text = line(NOW)
    assert "live: published 12,345 (1,000/s)" in text
    assert "stored 12,001 (980/s), rejected 5, duplicates 17, alerts 1, lag 9 records" in text


def test_lines_come_rarely_and_when_something_else_begins() -> None:
    console = Console(file=StringIO(), width=200)
    with Lines(console, 0.0) as shown:
        shown.tell("hello")
        shown.show(Snapshot(1.0, "starting"))
        shown.show(Snapshot(1.1, "starting"))
        shown.show(Snapshot(1.2, "live"))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("hello")
    assert "live" in lines[2]


def test_a_picture_that_was_never_shown_ends_without_a_trace() -> None:
    console = Console(file=StringIO(), force_terminal=True, width=100)
    with Picture(console, 0.0) as shown:
        shown.tell("hello")
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue().strip().endswith("hello")
