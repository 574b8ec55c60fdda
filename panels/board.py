"""What a dashboard is made of: panels with their queries, variables, and how often it is drawn anew."""

from dataclasses import dataclass
from enum import StrEnum


class Look(StrEnum):
    """How a panel draws its rows."""

    LINES = "lines"
    AREAS = "areas"
    BARS = "bars"
    POINTS = "points"
    CANDLES = "candles"
    HISTORY = "history"
    TABLE = "table"
    CHART = "chart"
    FIGURE = "figure"


#: Looks whose rows are of one time each; the others show a table's rows as they are.
TIMED = (Look.LINES, Look.AREAS, Look.BARS, Look.POINTS, Look.HISTORY)


@dataclass(frozen=True)
class Step:
    """A colour, from a value on.

    Args:
        value: where it begins, in the panel's unit; none is below all others.
        color: by Grafana's name.
    """

    value: float | None
    color: str


@dataclass(frozen=True)
class Panel:
    """One picture.

    Args:
        title: what it shows, in a few words.
        look: how it is drawn.
        about: what one sees and what to make of it.
        sql: the query of a panel on the database; with a column `time`, and `metric` for several lines.
        promql: expression and legend of each line of a panel on Prometheus.
        unit: by Grafana's name.
        width: of the page's 24 columns.
        height: rows of 30 pixels.
        steps: colours by value, rising.
        least: lower end of the axis; by the data without.
        links: column and address of what is behind its cells, for tables.
    """

    title: str
    look: Look
    about: str
    sql: str = ""
    promql: tuple[tuple[str, str], ...] = ()
    unit: str = "short"
    width: int = 12
    height: int = 8
    steps: tuple[Step, ...] = ()
    least: float | None = None
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Variable:
    """What a reader chooses above the panels.

    Args:
        name: in queries, `$name`.
        label: for people.
        sql: asks the database for the choices.
        choices: value and name of each, where they are known.
        many: any number may be chosen; `'*'` stands for all.
    """

    name: str
    label: str
    sql: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    many: bool = False

    @property
    def typed(self) -> bool:
        """Whether it is a text that people type."""
        return not self.sql and not self.choices


@dataclass(frozen=True)
class Dashboard:
    """One page.

    Args:
        name: of its file and in its address, `/d/meterstream-<name>`.
        title: for people.
        about: what it is for.
        refresh: how often it is drawn anew: 30s, 1m or 15m.
        since: where the time shown begins, such as `now-24h`.
        variables: in the order in which they depend on each other.
        panels: in reading order.
    """

    name: str
    title: str
    about: str
    refresh: str
    since: str
    variables: tuple[Variable, ...]
    panels: tuple[Panel, ...]

    @property
    def uid(self) -> str:
        """Its name in addresses."""
        return f"meterstream-{self.name}"


#: 230 V less and more than a tenth is outside EN 50160; what is this far from it deserves a look.
VOLTAGE = (Step(None, "red"), Step(210, "orange"), Step(220, "green"), Step(250, "orange"), Step(260, "red"))
SHARE = (Step(None, "green"), Step(0.01, "orange"), Step(0.05, "red"))
LOADING = (Step(None, "green"), Step(0.9, "orange"), Step(1.0, "red"))
COUNT = (Step(None, "green"), Step(1, "orange"), Step(10, "red"))
