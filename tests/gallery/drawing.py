"""A dashboard as one picture: each panel where Grafana puts it, drawn of the rows of its own query."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import cycle

import numpy as np
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from panels.board import Dashboard, Look, Panel, Step

Row = Mapping[str, object]
#: Names of Grafana's units, as they are written behind a value; shares are written as percent.
_UNITS = {"kwatt": "kW", "kwatth": "kWh", "volt": "V", "percentunit": "%", "h": "h", "s": "s"}
_COLUMNS, _WIDTH_IN, _ROW_IN, _GAP_IN, _DPI = 24, 13.0, 0.36, 0.12, 100
#: Of a panel, around what is drawn [in].
_LEFT_IN, _RIGHT_IN, _TOP_IN, _BELOW_IN, _LEGEND_IN = 0.62, 0.15, 0.42, 0.32, 0.24
_MOST_LETTERS, _LETTER_IN, _LINE_IN = 44, 0.072, 0.24
_MILLION, _MANY, _LONG_NAME = 1_000_000, 60, 14
_GREY, _PALE = "#5a5a5a", "#f4f5f5"
_COLORS = {"red": "#d62728", "orange": "#ff9830", "green": "#56a64b"}
_LINES = ("#3274d9", "#e0752d", "#56a64b", "#a352cc", "#c4162a", "#37872d", "#8f3bb8", "#1f60c4", "#fa6400", "#7c2ea3")


@dataclass(frozen=True)
class Place:
    """Where a panel is on its page [columns and rows of Grafana]."""

    panel: Panel
    column: int
    row: int


@dataclass(frozen=True)
class Series:
    """Points of one line."""

    name: str
    at: np.ndarray
    value: np.ndarray


def places(panels: Sequence[Panel]) -> tuple[list[Place], int]:
    """Lay panels out from left to right as Grafana does; return where each is, and how many rows that takes."""
    found, column, row, height = list[Place](), 0, 0, 0
    for panel in panels:
        if column + panel.width > _COLUMNS:
            column, row, height = 0, row + height, 0
        found.append(Place(panel, column, row))
        column, height = column + panel.width, max(height, panel.height)
    return found, row + height


def _no_higher(panel: Panel, rows: Sequence[Row]) -> Panel:
    """Return a panel; a table that has its page's width to itself takes no more room than its rows."""
    if panel.look is not Look.TABLE or panel.width < _COLUMNS:
        return panel
    return replace(panel, height=min(panel.height, math.ceil(((len(rows) + 3) * _LINE_IN + 0.3) / _ROW_IN)))


def draw(board: Dashboard, rows: Mapping[str, Sequence[Row]], span: tuple[datetime, datetime]) -> Figure:
    """Draw all panels of a dashboard for which there are rows, by title, in the time shown."""
    drawn = [_no_higher(panel, rows[panel.title]) for panel in board.panels if panel.title in rows]
    found, height = places(drawn)
    height_in = height * _ROW_IN
    figure = Figure(figsize=(_WIDTH_IN, height_in), dpi=_DPI, facecolor=_PALE)
    for place in found:
        panel, unit_in = place.panel, _WIDTH_IN / _COLUMNS
        box = (
            place.column * unit_in + _GAP_IN / 2,
            height_in - (place.row + panel.height) * _ROW_IN + _GAP_IN / 2,
            panel.width * unit_in - _GAP_IN,
            panel.height * _ROW_IN - _GAP_IN,
        )
        _panel(figure, panel, box, rows[panel.title], span)
    return figure


Box = tuple[float, float, float, float]


def _panel(figure: Figure, panel: Panel, box: Box, rows: Sequence[Row], span: tuple[datetime, datetime]) -> None:
    wide, high = figure.get_size_inches()
    left, bottom, width, height = box
    figure.add_artist(
        Rectangle((left / wide, bottom / high), width / wide, height / high, facecolor="white", edgecolor="#d8d9da",
                  transform=figure.transFigure, zorder=0)
    )  # fmt: skip
    figure.text((left + 0.1) / wide, (bottom + height - 0.12) / high, panel.title, fontsize=10, weight="bold", va="top")
    bare = panel.look in {Look.TABLE, Look.FIGURE}
    sides = (0.1, 0.1, 0.34, 0.04) if bare else (_LEFT_IN, _RIGHT_IN, _TOP_IN, _BELOW_IN + _LEGEND_IN)
    inner = (left + sides[0], bottom + sides[3], width - sides[0] - sides[1], height - sides[2] - sides[3])
    axes = figure.add_axes((inner[0] / wide, inner[1] / high, inner[2] / wide, inner[3] / high), zorder=1)
    axes.tick_params(labelsize=8, colors=_GREY, length=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _LOOKS[panel.look](axes, panel, rows, inner[2:])
    if panel.look in _OVER_TIME:
        _time_axis(axes, span)
    if not bare:
        _legend(axes, inner[2:])


def _time_axis(axes: Axes, span: tuple[datetime, datetime]) -> None:
    axes.set_xlim(*(dates.date2num(at) for at in span))
    locator = dates.AutoDateLocator(tz=UTC, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=UTC, show_offset=False))


def _legend(axes: Axes, size: tuple[float, float]) -> None:
    width_in, height_in = size
    handles, names = axes.get_legend_handles_labels()
    ends = np.cumsum([(len(name) + 5) * _LETTER_IN for name in names])
    fitting = int(np.count_nonzero(ends < width_in - (0 if len(names) and ends[-1] < width_in else 1.0)))
    if not fitting:
        return
    if fitting < len(names):
        handles = [*handles[:fitting], Rectangle((0, 0), 0, 0, alpha=0)]
        names = [*names[:fitting], f"and {len(names) - fitting} more"]
    axes.legend(
        handles, names, loc="upper left", bbox_to_anchor=(0, -(_BELOW_IN - 0.06) / height_in), ncols=len(names),
        fontsize=8, frameon=False, borderaxespad=0, handlelength=1, columnspacing=1.2, handletextpad=0.4,
    )  # fmt: skip


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float | Decimal) else float("nan")


def _time(value: object) -> float:
    """Return a time as matplotlib counts it [d]; plain PostgreSQL groups times as seconds."""
    return float(dates.date2num(value)) if isinstance(value, datetime) else _number(value) / 86_400


def series_of(panel: Panel, rows: Sequence[Row]) -> list[Series]:
    """Return the lines of rows: one for each column of values, or for each name in `metric`."""
    points = defaultdict[str, list[tuple[float, float]]](list)
    values = [name for name in rows[0] if name not in {"time", "metric"}]
    scale = 100.0 if panel.unit == "percentunit" else 1.0
    for row in rows:
        at = _time(row["time"])
        for name in values:
            shown = name if "metric" not in row else str(row["metric"])
            points[shown].append((at, _number(row[name]) * scale))
    arrays = {name: np.array(sorted(found)) for name, found in points.items()}
    return [Series(name, found[:, 0], found[:, 1]) for name, found in arrays.items() if not np.isnan(found).all(0)[1]]


def _together(series: Sequence[Series]) -> tuple[np.ndarray, np.ndarray]:
    """Return all times, [t], and what each line has then, [lines, t], 0 where nothing."""
    at = np.unique(np.concatenate([one.at for one in series]))
    values = np.zeros((len(series), len(at)))
    for number, one in enumerate(series):
        values[number, np.searchsorted(at, one.at)] = np.nan_to_num(one.value)
    return at, values


def _axis(axes: Axes, panel: Panel, *, thresholds: bool = False) -> None:
    axes.grid(visible=True, axis="y", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    unit = _UNITS.get(panel.unit, "")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    if unit:
        axes.set_title(unit, fontsize=8, color=_GREY, loc="left", pad=2)
    low, high = axes.get_ylim()
    scale = 100.0 if panel.unit == "percentunit" else 1.0
    for step in panel.steps if thresholds else ():
        if step.value is not None and low - 5 <= step.value * scale <= high + 5:
            axes.axhline(step.value * scale, color=_COLORS[step.color], linestyle="--", linewidth=0.9)
    if panel.least is not None:
        axes.set_ylim(bottom=panel.least)


def _short(value: float) -> str:
    return f"{value / 1e6:,.6g} M" if abs(value) >= _MILLION else f"{value:,.6g}"


def _lines(axes: Axes, panel: Panel, rows: Sequence[Row], _size: tuple[float, float]) -> None:
    for one, color in zip(series_of(panel, rows), cycle(_LINES), strict=False):
        marker = "." if np.count_nonzero(~np.isnan(one.value)) < 3 else None
        axes.plot(one.at, one.value, color=color, linewidth=1.1, label=one.name, marker=marker)
    _axis(axes, panel, thresholds=True)


def _points(axes: Axes, panel: Panel, rows: Sequence[Row], _size: tuple[float, float]) -> None:
    for one, color in zip(series_of(panel, rows), cycle(_LINES), strict=False):
        axes.plot(one.at, one.value, ".", color=color, markersize=3, label=one.name)
    _axis(axes, panel, thresholds=True)


def _areas(axes: Axes, panel: Panel, rows: Sequence[Row], _size: tuple[float, float]) -> None:
    series = series_of(panel, rows)
    at, values = _together(series)
    axes.stackplot(at, values, labels=[one.name for one in series], colors=_LINES, alpha=0.6)
    _axis(axes, panel)


def _bars(axes: Axes, panel: Panel, rows: Sequence[Row], _size: tuple[float, float]) -> None:
    series = [one for one in series_of(panel, rows) if np.nansum(one.value) != 0]
    if series:
        at, values = _together(series)
        width = np.diff(at).min() * 0.9 if len(at) > 1 else 0.02
        base = np.zeros(len(at))
        for one, value, color in zip(series, values, cycle(_LINES), strict=False):
            axes.bar(at, value, width, bottom=base, color=color, label=one.name, linewidth=0)
            base += value
    _axis(axes, panel)


def _candles(axes: Axes, panel: Panel, rows: Sequence[Row], _size: tuple[float, float]) -> None:
    for row in rows:
        at = _time(row["time"])
        begin, high, low, end = (_number(row[name]) for name in ("open", "high", "low", "close"))
        color = _COLORS["green" if end >= begin else "red"]
        axes.plot([at, at], [low, high], color=color, linewidth=0.8)
        axes.plot([at, at], [begin, end if end != begin else begin + 1e-3], color=color, linewidth=2.6)
    _axis(axes, panel)


def _color(steps: Sequence[Step], value: float) -> str:
    reached = [step.color for step in steps if step.value is None or value >= step.value]
    return _COLORS[reached[-1]] if reached else _GREY


def _history(axes: Axes, panel: Panel, rows: Sequence[Row], _size: tuple[float, float]) -> None:
    names = sorted({str(row["metric"]) for row in rows}, reverse=True)
    (value,) = (name for name in rows[0] if name not in {"time", "metric"})
    times = np.unique([_time(row["time"]) for row in rows])
    width = np.diff(times).min() if len(times) > 1 else 1 / 24
    gap = 0.94 if len(times) < _MANY else 1.01
    for row in rows:
        if row[value] is not None:
            color = _color(panel.steps, _number(row[value]))
            axes.barh(names.index(str(row["metric"])), width * gap, left=_time(row["time"]), height=0.8, color=color)
    axes.set_yticks(range(len(names)), names, fontsize=7 if len(names) < 14 else 5)


def _chart(axes: Axes, panel: Panel, rows: Sequence[Row], _size: tuple[float, float]) -> None:
    first, *others = rows[0]
    place, width = np.arange(len(rows)), 0.8 / len(others)
    for number, name in enumerate(others):
        values = [_number(row[name]) for row in rows]
        axes.bar(place + number * width, values, width * 0.95, label=name, color=_LINES[number])
    names = [str(row[first]) for row in rows]
    every = -(-sum(len(name) + 2 for name in names) // 75)
    axes.set_xticks(place[::every] + 0.4 - width / 2, names[::every])
    _axis(axes, panel)


def _figure(axes: Axes, panel: Panel, rows: Sequence[Row], _size: tuple[float, float]) -> None:
    axes.set_axis_off()
    (value,) = rows[0].values()
    text = f"{_text(value)} {_UNITS.get(panel.unit, '')}"
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=20, color=_color(panel.steps, _number(value)))


def _text(value: object) -> str:
    """Write a cell as people read it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%d %b %H:%M")
    if isinstance(value, float | Decimal):
        return f"{float(value):,.4g}" if abs(value) < 1_000 else f"{float(value):,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    text = " ".join(str(value).split())
    return text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 1] + "…"


def _heading(name: str) -> list[str]:
    """Return a column's name on one line, or a long one on two."""
    if len(name) <= _LONG_NAME or " " not in name:
        return [name]
    middle = min((at for at, letter in enumerate(name) if letter == " "), key=lambda at: abs(at - len(name) / 2))
    return [name[:middle], name[middle + 1 :]]


def _fitting(rows: Sequence[Row], width_in: float) -> Iterator[tuple[str, float, float]]:
    """Yield the columns that fit side by side, with their left edges and widths [in]."""
    left = 0.0
    for name in rows[0]:
        letters = max(*(len(line) for line in _heading(name)), 0, *(len(_text(row[name])) for row in rows))
        wide = (letters + 2) * _LETTER_IN
        if left and left + wide > width_in + 0.1:
            return
        yield name, left, wide
        left += wide


def _table(axes: Axes, _panel: Panel, rows: Sequence[Row], size: tuple[float, float]) -> None:
    axes.set_axis_off()
    width_in, height_in = size
    axes.set_xlim(0, width_in)
    axes.set_ylim(height_in, 0)
    heads = max(len(_heading(name)) for name in rows[0])
    room = int(height_in / _LINE_IN) - heads
    shown = rows[: room if len(rows) <= room else room - 1]
    for name, left, wide in _fitting(shown, width_in):
        number = all(row[name] is None or isinstance(row[name], int | float | Decimal) for row in shown)
        at, align = (left + wide - 0.15, "right") if number else (left, "left")
        for line, word in enumerate(reversed(_heading(name))):
            axes.text(at, (heads - line - 0.5) * _LINE_IN, word, ha=align, va="center", fontsize=8, color="#1f60c4")
        for line, row in enumerate(shown, start=heads):
            axes.text(at, (line + 0.5) * _LINE_IN, _text(row[name]), ha=align, va="center", fontsize=8)
    for line in range(heads, len(shown) + heads):
        axes.axhline(line * _LINE_IN, color="#e6e6e6", linewidth=0.6)
    if len(rows) > len(shown):
        axes.text(0, (len(shown) + heads + 0.5) * _LINE_IN, f"and {len(rows) - len(shown):,} more rows", va="center",
                  fontsize=8, color=_GREY)  # fmt: skip


_LOOKS: dict[Look, Callable[[Axes, Panel, Sequence[Row], tuple[float, float]], None]] = {
    Look.LINES: _lines,
    Look.AREAS: _areas,
    Look.BARS: _bars,
    Look.POINTS: _points,
    Look.CANDLES: _candles,
    Look.HISTORY: _history,
    Look.TABLE: _table,
    Look.CHART: _chart,
    Look.FIGURE: _figure,
}
_OVER_TIME = {Look.LINES, Look.AREAS, Look.BARS, Look.POINTS, Look.CANDLES, Look.HISTORY}
