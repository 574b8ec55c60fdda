"""The demo's picture: a snapshot as something that rich can draw, or as one line."""

from collections import Counter

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from schemas.alerts import Severity
from schemas.quality import FLAGS
from stream.demo.snapshot import Snapshot

_ALERTS, _REASONS = 6, 8
_BAR = 30
_COLOURS = {
    "normal": "green",
    "warning": "yellow",
    "anomaly": "red",
    "missing": "magenta",
    "monitoring": "blue",
    "estimated": "magenta",
    "edited": "magenta",
    "rejected": "red",
}


def draw(now: Snapshot) -> RenderableType:
    """Return the whole picture."""
    middle = Table.grid(padding=(0, 3), expand=True)
    middle.add_column(ratio=1)
    middle.add_column(ratio=1)
    middle.add_row(
        Panel(_counts(now), title="readings", title_align="left"),
        Panel(_quality(now.totals.stored), title="quality of what is stored", title_align="left"),
    )
    middle.add_row(
        Panel(_waiting(now), title="waiting", title_align="left"),
        Panel(_rejects(now.rejects), title="rejected, by reason", title_align="left"),
    )
    parts: list[RenderableType] = [_head(now), middle]
    parts.append(Panel(_alerts(now), title=f"newest of {now.alerts:,} alerts", title_align="left"))
    if now.connections:
        parts.append(Panel(_connections(now), title="connect", title_align="left"))
    return Group(*parts)


def line(now: Snapshot) -> str:
    """Return one line for where there is no terminal."""
    return (
        f"{now.elapsed_s:6.1f} s  {now.phase}: published {now.published:,} ({now.rates.published:,.0f}/s), "
        f"bridged {now.totals.bridged:,}, stored {now.stored:,} ({now.rates.stored:,.0f}/s), "
        f"rejected {sum(now.rejects.values()):,}, duplicates {now.totals.duplicates:,}, alerts {now.alerts:,}, "
        f"lag {now.totals.lag:,} records"
    )


def _head(now: Snapshot) -> Text:
    head = Text.assemble(("meterstream demo", "bold"), f"  {now.elapsed_s:.0f} s  ", (now.phase, "cyan"))
    if now.simulated is not None:
        head.append(f"  simulated time {now.simulated:%Y-%m-%d %H:%M} UTC")
    head.append(f"\n{now.subtitle}", "dim")
    firsts = (("first reading stored", now.first_stored_s), ("first alert", now.first_alert_s))
    told = [f"{name} after {seconds:.1f} s" for name, seconds in firsts if seconds is not None]
    return head.append(("  " if now.subtitle else "") + ", ".join(told), "green")


def _counts(now: Snapshot) -> Table:
    table = Table(box=None, expand=True, header_style="dim")
    table.add_column("")
    table.add_column("total", justify="right")
    table.add_column("per second", justify="right")
    rows = (
        ("published to MQTT", now.published, now.rates.published),
        ("bridged to Kafka", now.totals.bridged, now.rates.bridged),
        ("stored", now.stored, now.rates.stored),
        ("duplicates", now.totals.duplicates, None),
        ("rejected", sum(now.rejects.values()), None),
    )
    for name, total, rate in rows:
        table.add_row(name, f"{total:,}", "" if rate is None else f"{rate:,.0f}")
    return table


def _quality(stored: Counter[str]) -> Table:
    table = Table.grid(padding=(0, 1))
    total = sum(stored.values())
    for flag in FLAGS:
        count = stored[flag]
        share = count / total if total else 0.0
        # A single anomaly among a million readings is still one to be seen.
        length = max(round(_BAR * share), 1 if count else 0)
        table.add_row(flag, f"{count:,}", f"{share:.2%}", Text("█" * length, _COLOURS[flag]))
    return table


def _waiting(now: Snapshot) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("MQTT messages on their way into Kafka", f"{now.totals.in_flight:,}")
    table.add_row("Kafka records that wait for the worker", f"{now.totals.lag:,}")
    latency = now.latency
    if latency.count:
        table.add_row("from reading to alert, median", f"{latency.p50_ms:,.0f} ms")
        table.add_row("from reading to alert, 99 %", f"{latency.p99_ms:,.0f} ms")
    for service, why in now.totals.waiting_for.items():
        table.add_row(f"[red]{service} is away[/]", Text(why[:60]))
    return table


def _rejects(reasons: Counter[str]) -> Table:
    table = Table.grid(padding=(0, 2))
    for reason, count in reasons.most_common(_REASONS):
        table.add_row(reason, f"{count:,}")
    return table


def _alerts(now: Snapshot) -> Table:
    table = Table.grid(padding=(0, 2))
    for alert in list(now.newest)[: -_ALERTS - 1 : -1]:
        colour = "bold red" if alert.severity is Severity.CRITICAL else "yellow"
        table.add_row(f"[dim]{alert.last_seen:%m-%d %H:%M}[/]", Text(alert.severity, colour), Text(alert.message))
    return table


def _connections(now: Snapshot) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, command in now.connections:
        table.add_row(name, Text(command))
    return table
