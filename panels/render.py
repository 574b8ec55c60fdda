"""Dashboards as Grafana reads them, by Grafana's own builders; `python -m panels.render` writes `infra/grafana`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import (
    barchart,
    candlestick,
    common,
    dashboard,
    prometheus,
    stat,
    statushistory,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as models

from panels.board import TIMED, Dashboard, Look, Panel, Step, Variable
from panels.catalogue import ANNOTATION, DASHBOARDS

FOLDER = Path(__file__).resolve().parent.parent / "infra" / "grafana" / "dashboards"
#: The data sources that `infra/grafana/provisioning` sets up.
DATABASE = models.DataSourceRef(type_val="grafana-postgresql-datasource", uid="meterstream-database")
PROMETHEUS = models.DataSourceRef(type_val="prometheus", uid="meterstream-prometheus")
_TAG = "meterstream"


class SqlQuery(Dataquery):
    """A query in the words of Grafana's PostgreSQL plugin, for which its builders have none.

    Args:
        sql: with Grafana's macros and variables.
        timed: whether rows are points in time rather than a table's.
    """

    def __init__(self, sql: str, *, timed: bool) -> None:
        self.sql = sql
        self.timed = timed

    def to_json(self) -> dict[str, object]:
        """Return what Grafana reads."""
        return {
            "refId": "A",
            "datasource": DATABASE,
            "editorMode": "code",
            "format": "time_series" if self.timed else "table",
            "rawQuery": True,
            "rawSql": self.sql,
        }


class _Sql(Builder[Dataquery]):
    def __init__(self, panel: Panel) -> None:
        self._panel = panel

    def build(self) -> Dataquery:
        return SqlQuery(self._panel.sql, timed=self._panel.look in TIMED)


def _lines(panel: Panel) -> timeseries.Panel:
    drawn = timeseries.Panel().show_points(looks.VisibilityMode.NEVER).span_nulls(False)
    drawn.legend(
        common.VizLegendOptions()
        .display_mode(looks.LegendDisplayMode.LIST)
        .placement(looks.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    if panel.look is Look.AREAS:
        drawn.fill_opacity(40).stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL).group("A"))
    if panel.look is Look.BARS:
        drawn.draw_style(looks.GraphDrawStyle.BARS).fill_opacity(70)
        drawn.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL).group("A"))
    if panel.look is Look.POINTS:
        drawn.draw_style(looks.GraphDrawStyle.POINTS).point_size(4)
    if panel.steps and panel.look is Look.LINES:
        drawn.thresholds_style(common.GraphThresholdsStyleConfig().mode(looks.GraphTresholdsStyleMode.DASHED))
    return drawn


def _table(panel: Panel) -> table.Panel:
    drawn = table.Panel()
    for column, url in panel.links:
        link = {"title": "more", "url": url}
        drawn.override_by_name(column, [models.DynamicConfigValue(id_val="links", value=[link])])
    return drawn


_LOOKS: dict[Look, Callable[[Panel], Any]] = {
    Look.LINES: _lines,
    Look.AREAS: _lines,
    Look.BARS: _lines,
    Look.POINTS: _lines,
    Look.CANDLES: lambda _: candlestick.Panel(),
    Look.HISTORY: lambda _: statushistory.Panel(),
    Look.TABLE: _table,
    Look.CHART: lambda _: barchart.Panel().x_tick_label_max_length(20),
    Look.FIGURE: lambda _: stat.Panel(),
}


def _thresholds(steps: tuple[Step, ...]) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=step.value, color=step.color) for step in steps])
    )


def _panel(panel: Panel, number: int) -> Any:
    drawn = _LOOKS[panel.look](panel)
    drawn.id(number).title(panel.title).description(panel.about).unit(panel.unit).span(panel.width).height(panel.height)
    if panel.steps:
        drawn.thresholds(_thresholds(panel.steps))
        if panel.look in {Look.HISTORY, Look.FIGURE}:
            drawn.color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
    if panel.least is not None:
        drawn.min(panel.least)
    if panel.sql:
        return drawn.datasource(DATABASE).with_target(_Sql(panel))
    drawn.datasource(PROMETHEUS)
    for place, (expression, legend) in enumerate(panel.promql):
        drawn.with_target(prometheus.Dataquery().expr(expression).legend_format(legend).range().ref_id(chr(65 + place)))
    return drawn


def _variable(variable: Variable) -> Any:
    if variable.typed:
        return dashboard.TextBoxVariable(variable.name).label(variable.label).default_value("")
    if variable.choices:
        value, text = variable.choices[0]
        return (
            dashboard.CustomVariable(variable.name)
            .label(variable.label)
            .values(",".join(f"{name} : {value}" for value, name in variable.choices))
            .current(models.VariableOption(selected=True, text=text, value=value))
        )
    asked = dashboard.QueryVariable(variable.name).label(variable.label).datasource(DATABASE).query(variable.sql)
    asked.refresh(models.VariableRefresh.ON_DASHBOARD_LOAD)
    if variable.many:
        # What stands for all is written into queries as it is, so it brings its quotes.
        asked.multi(True).include_all(True).all_value("'*'")
        asked.current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    return asked


def _annotations() -> Any:
    """Alerts on time axes; the builder knows no SQL, so its target is put in place afterwards."""
    return dashboard.AnnotationQuery().name("Alerts").datasource(DATABASE).enable(True).icon_color("red")


def rendered(board: Dashboard) -> dict[str, Any]:
    """Return a dashboard as the JSON object that Grafana provisions."""
    page = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags([_TAG])
        .readonly()
        .refresh(board.refresh)
        .time(board.since, "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .annotation(_annotations())
        .link(
            dashboard.DashboardLink("Dashboards")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([_TAG])
            .as_dropdown(True)
            .keep_time(True)
            .include_vars(True)
        )
    )
    for variable in board.variables:
        page.with_variable(_variable(variable))
    for number, panel in enumerate(board.panels, start=1):
        page.with_panel(_panel(panel, number))
    found: dict[str, Any] = json.loads(json.dumps(page.build(), cls=JSONEncoder))
    # A panel without options of its own has none, rather than null.
    found["panels"] = [{key: value for key, value in panel.items() if value is not None} for panel in found["panels"]]
    for annotation in found["annotations"]["list"]:
        annotation["target"] = json.loads(json.dumps(SqlQuery(ANNOTATION, timed=False), cls=JSONEncoder))
    return found


def files() -> dict[str, str]:
    """Return the text of each file of a dashboard, by its name."""
    return {
        f"{board.name}.json": json.dumps(rendered(board), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        for board in DASHBOARDS
    }


def main() -> None:
    """Write what is there now, and remove what is there no more."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    written = files()
    for path in FOLDER.glob("*.json"):
        if path.name not in written:
            path.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
