"""The live picture of `meterstream alerts tail`: what stands now, the most severe first."""

from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import closing

from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from schemas.alert_events import AlertState
from schemas.alerts import Severity
from stream.alert_feed import Wanted
from stream.cli.alerts_text import SHORT, STYLES, lasted, standing_of
from stream.cli.console import output

_RISING = tuple(Severity)
#: Lines that are not rows of the table.
_AROUND = 7
_REFRESH_HZ = 4.0


def watch(feed: Generator[tuple[str, AlertState | None] | None, None, None], wanted: Wanted) -> None:
    """Show what stands until interrupted."""
    standing: dict[str, AlertState] = {}
    console = output()
    shown = Live(
        console=console,
        screen=True,
        refresh_per_second=_REFRESH_HZ,
        get_renderable=lambda: draw(standing, wanted, console.height - _AROUND),
    )
    with closing(feed), shown:
        for news in feed:
            if news is None:
                continue
            alert_id, state = news
            if state is None:
                standing.pop(alert_id, None)
            else:
                standing[alert_id] = state


def draw(standing: Mapping[str, AlertState], wanted: Wanted, rows: int) -> RenderableType:
    """Return the picture.

    Args:
        standing: alerts by id.
        wanted: which of them are shown.
        rows: how many at most.
    """
    chosen = [alert for alert in list(standing.values()) if wanted.has(alert)]
    chosen.sort(key=lambda alert: (_RISING.index(alert.severity), alert.last_seen), reverse=True)
    table = Table(box=None, header_style="bold", expand=True)
    for heading in ("id", "severity", "since (UTC)", "lasts", "times", "stands"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what", ratio=1, no_wrap=True, overflow="ellipsis")
    for alert in chosen[: max(rows, 1)]:
        table.add_row(
            Text(alert.alert_id[:SHORT], "dim"),
            Text(alert.severity, STYLES[alert.severity]),
            f"{alert.first_seen:%m-%d %H:%M}",
            lasted((alert.last_seen - alert.first_seen).total_seconds()),
            f"{alert.count:,}",
            standing_of(alert),
            Text(alert.message),
        )
    counts = Counter(alert.severity for alert in chosen)
    head = Text("  ").join(Text(f"{counts[level]:,} {level}", STYLES[level]) for level in reversed(_RISING))
    hidden = len(chosen) - max(rows, 1)
    foot = Text(f"{hidden:,} more" if hidden > 0 else "Ctrl-C ends", "dim")
    return Panel(Group(head, Text(), table, Text(), foot), title="alerts that stand", title_align="left")
