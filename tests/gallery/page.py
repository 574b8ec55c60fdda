"""The page of the gallery: each dashboard with its picture and what its panels show; `make dashboards` writes it."""

import textwrap
from pathlib import Path

from panels.board import Dashboard, Panel
from panels.catalogue import DASHBOARDS
from tests.documents import ROOT
from tests.gallery import filling
from tests.pictures import PICTURES

PAGE = ROOT / "PANELS.md"
FOLDER = PICTURES / "panels"
_TOP = """# Panels

What Grafana shows of the engine: the dashboards of `panels/`, which `infra/compose.yaml` provisions. Each picture is drawn
of the rows that the panels' own queries return, asked with the rights of Grafana's login, on a database that `make gallery`
fills: {days} days of a simulated fleet of {meters} meters and two of a simulated market, with faults in the last two days,
judged and stored by the engine's own parts. matplotlib draws them in Grafana's layout; Grafana's own pages look a little
different, and move. Times are UTC.
"""  # noqa: E501 - as long as lines of documents may be
_PROMETHEUS = "Not drawn, since they ask Prometheus:"


def picture_of(board: Dashboard) -> Path:
    """Return the file of a dashboard's picture."""
    return FOLDER / f"{board.name}.png"


def text() -> str:
    """Return the page."""
    return _TOP.format(days=filling.DAYS, meters=filling.METERS) + "".join(_section(board) for board in DASHBOARDS)


def _section(board: Dashboard) -> str:
    asked = [panel for panel in board.panels if panel.promql]
    drawn = [panel for panel in board.panels if panel.sql]
    chosen = ", ".join(variable.label for variable in board.variables)
    about = f"{board.about} Drawn anew every {board.refresh}" + (f"; to choose: {chosen}." if chosen else ".")
    lines = [
        f"\n## {board.title}\n",
        f"{_wrapped(about)}\n",
        f"![{board.title}]({picture_of(board).relative_to(ROOT)})\n",
    ]
    lines += [_item(panel) for panel in drawn]
    if asked:
        lines += ["", _PROMETHEUS, ""]
        lines += [_item(panel) for panel in asked]
    return "\n".join(lines) + "\n"


def _item(panel: Panel) -> str:
    return _wrapped(f"- **{panel.title}**: {panel.about}", "  ")


def _wrapped(line: str, indent: str = "") -> str:
    return textwrap.fill(line, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    PAGE.write_text(text())
