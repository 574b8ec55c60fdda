"""What alerts look like in a terminal; nothing that a meter's name holds is taken for markup."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from processors.lifecycle.silences import Silence
from schemas.alert_events import AlertChild, AlertEvent, AlertState
from schemas.alerts import Severity

STYLES = {Severity.INFO: "cyan", Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}
#: As much of an id as a person types.
SHORT = 8


def event_line(event: AlertEvent) -> Text:
    """Return one change as a line."""
    alert = event.data.alert
    line = Text.assemble(
        (f"{event.time:%Y-%m-%d %H:%M:%S} ", "dim"),
        (f"{alert.alert_id[:SHORT]} ", "dim"),
        f"{event.data.change:12} ",
        (f"{alert.severity:8} ", STYLES[alert.severity]),
        f"{alert.message} ",
        (f"(score {alert.score:.2f})", "dim"),
    )
    return line if event.data.by == "engine" else line.append(f"  by {event.data.by}", "dim")


def silence_line(silence: Silence) -> str:
    """Return what is silent and when, as a line; the times of one that returns are local."""
    zone = ZoneInfo(silence.timezone)
    begin, end = silence.begins_at.astimezone(zone), silence.ends_at.astimezone(zone)
    what = silence.element if silence.kind is None else f"{silence.kind} of {silence.element}"
    line = f"{silence.silence_id}: {what} is silent from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} {zone}"
    if silence.every_days is not None:
        line += ", every day" if silence.every_days == 1 else f", every {silence.every_days} days"
        if silence.until is not None:
            line += f" until {silence.until.astimezone(zone):%Y-%m-%d %H:%M}"
    return line


def state_line(alert: AlertState) -> Text:
    """Return where an alert stands as a line."""
    return Text.assemble(
        (f"{alert.last_seen:%Y-%m-%d %H:%M} ", "dim"),
        (f"{alert.alert_id[:SHORT]} ", "dim"),
        (f"{alert.severity:8} ", STYLES[alert.severity]),
        f"{alert.message} ",
        (f"(score {alert.score:.2f})  {standing_of(alert)}", "dim"),
    )


def child_line(child: AlertChild) -> str:
    """Return what is attached to an alert, and its time, as a line."""
    back = "still" if child.until is None else f"{child.until:%Y-%m-%d %H:%M:%S}"
    return f"{child.since:%Y-%m-%d %H:%M:%S} to {back:19}  {child.element}"


def standing_of(alert: AlertState) -> str:
    """Return where an alert stands in words."""
    words = [alert.status.value]
    words += [name for name in ("silenced", "flapping") if getattr(alert, name)]
    return ", ".join(words)


def lasted(seconds: float) -> str:
    """Return a duration for people."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def details(alert: AlertState, past: Iterable[AlertEvent]) -> RenderableType:
    """Return all that is known of an alert."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    where = [f"{name} {getattr(alert, name)}" for name in ("transformer", "feeder", "substation", "region")]
    rows = {
        "alert": alert.alert_id,
        "what": alert.message,
        "where": ", ".join([alert.element, *(text for text in where if not text.endswith(" None"))]),
        "since": f"{alert.first_seen:%Y-%m-%d %H:%M:%S} UTC, for {lasted(alert.duration_s)}",
        "last seen": f"{alert.last_seen:%Y-%m-%d %H:%M:%S} UTC, {alert.count:,} times",
        "ended": f"{alert.ended_at:%Y-%m-%d %H:%M:%S} UTC" if alert.ended_at else None,
        "stands": f"{standing_of(alert)}, {alert.severity}",
        "measured": f"{alert.measured:g} {alert.unit}, expected {alert.expected:g} {alert.unit}",
        "how sure": f"{alert.score:.2f}",
        "reasons": alert.reasons or None,
        "customers": f"{alert.customers:,}" if alert.children else None,
        "attached": f"{alert.children:,}, listed by meterstream alerts children {alert.alert_id[:SHORT]}"
        if alert.children
        else None,
        "part of": alert.parent_id,
        "taken on": f"by {alert.acknowledged_by}" if alert.acknowledged_by else None,
        "do": alert.action,
        "panel": alert.panel,
    }
    for name, said in rows.items():
        if said is not None:
            facts.add_row(name, Text(said))
    return Group(facts, Text(), *(event_line(event).append(_note(event)) for event in past))


def _note(event: AlertEvent) -> str:
    return f': "{event.data.note}"' if event.data.note else ""
