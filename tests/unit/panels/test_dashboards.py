"""Dashboards: committed as the modules say, read by Grafana's own models, and asking only for what is there."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as models

from panels import render
from panels.board import VOLTAGE, Dashboard, Look
from panels.catalogue import DASHBOARDS
from tests import grafana

_NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
_TITLES = {
    "Grid Overview", "Substation Status", "Transformer Health", "Power Quality", "Customer Impact", "Anomaly Tracker",
    "Demand", "Data Quality (VEE)", "Market", "Engine", "Alerts",
}  # fmt: skip


def named(board: Dashboard) -> str:
    return board.name


def test_every_dashboard_that_was_asked_for_is_there() -> None:
    assert {board.title for board in DASHBOARDS} == _TITLES
    assert sum(panel.look is not Look.FIGURE for board in DASHBOARDS for panel in board.panels) >= 15


def test_what_is_committed_is_what_the_modules_say() -> None:
    committed = {path.name: path.read_text() for path in render.FOLDER.glob("*.json")}
    assert committed == render.files(), "run `make dashboards`"


@pytest.mark.parametrize("board", DASHBOARDS, ids=named)
def test_grafanas_own_models_read_what_is_written(board: Dashboard) -> None:
    register_default_plugins()
    text = render.files()[f"{board.name}.json"]
    again = json.loads(json.dumps(models.Dashboard.from_json(json.loads(text)), cls=JSONEncoder))
    assert again["uid"] == board.uid
    assert [panel["title"] for panel in again["panels"]] == [panel.title for panel in board.panels]
    found = [target.get("rawSql", "") for panel in again["panels"] for target in panel["targets"]]
    assert {sql for sql in found if sql} == {panel.sql for panel in board.panels if panel.sql}


@pytest.mark.parametrize("board", DASHBOARDS, ids=named)
def test_panels_are_apart_and_say_what_they_show(board: Dashboard) -> None:
    drawn: list[dict[str, Any]] = render.rendered(board)["panels"]
    assert len({panel["id"] for panel in drawn}) == len(drawn)
    assert len({panel.title for panel in board.panels}) == len(board.panels)
    cells = [
        (place["x"] + x, place["y"] + y)
        for place in (panel["gridPos"] for panel in drawn)
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    for panel in board.panels:
        assert panel.about.endswith("."), panel.title
        assert bool(panel.sql) != bool(panel.promql), panel.title


@pytest.mark.parametrize("board", DASHBOARDS, ids=named)
def test_a_query_asks_only_for_what_can_be_chosen_before_it(board: Dashboard) -> None:
    known: set[str] = set()
    for variable in board.variables:
        assert set(grafana.NAMED.findall(variable.sql)) <= known, variable.name
        known.add(variable.name)
    for panel in board.panels:
        assert set(grafana.NAMED.findall(panel.sql)) <= known, panel.title


@pytest.mark.parametrize("name", grafana.queries())
def test_macros_are_grafanas_and_are_written_out(name: str) -> None:
    sql = grafana.queries()[name]
    written = grafana.with_macros(sql, _NOON, _NOON + timedelta(hours=1), timescale=True)
    assert "$__" not in written
    assert not re.search(r"\$__\w+\([^)]*\(", sql), "a macro's arguments end at the first bracket"


@pytest.mark.parametrize(("board", "panel"), grafana.sql_panels(), ids=lambda of: getattr(of, "title", str(of)))
def test_points_in_time_have_a_time_and_come_in_its_order(board: Dashboard, panel: Any) -> None:
    if panel.look in {*Look} - {Look.TABLE, Look.CHART, Look.FIGURE}:
        assert "AS time" in panel.sql or "SELECT time" in panel.sql
        assert re.search(r"ORDER BY (1|time)( LIMIT \d+)?$", panel.sql)


def test_texts_that_people_choose_cannot_leave_their_quotes() -> None:
    sql = "SELECT 1 WHERE a = '$meter' AND b IN ($feeder)"
    chosen = grafana.with_choices(sql, {"meter": "'; DROP TABLE x --", "feeder": ["F'1", "F2"]})
    assert chosen == "SELECT 1 WHERE a = '''; DROP TABLE x --' AND b IN ('F''1','F2')"


@pytest.mark.parametrize("name", grafana.queries())
def test_a_choice_of_one_stands_in_quotes_and_one_of_many_does_not(name: str) -> None:
    many = {variable.name for board in DASHBOARDS for variable in board.variables if variable.many}
    for match in grafana.NAMED.finditer(grafana.queries()[name]):
        around = match.string[match.start() - 1] + match.string[match.end()]
        assert around == ("()" if match.group(1) in many else "''"), match.group()


def test_links_lead_to_dashboards_and_variables_that_are_there() -> None:
    there = {board.uid: {variable.name for variable in board.variables} for board in DASHBOARDS}
    links = [url for board in DASHBOARDS for panel in board.panels for _, url in panel.links]
    assert links
    for url in links:
        found = re.match(r"/d/([\w-]+)\?var-(\w+)=", url)
        assert found, url
        assert found.group(2) in there[found.group(1)], url


def test_voltages_turn_colour_at_210_220_250_and_260_volts() -> None:
    assert [(step.value, step.color) for step in VOLTAGE] == [
        (None, "red"), (210, "orange"), (220, "green"), (250, "orange"), (260, "red"),
    ]  # fmt: skip
    assert all(panel.steps == VOLTAGE for board in DASHBOARDS for panel in board.panels if panel.unit == "volt")


def test_what_is_provisioned_is_what_dashboards_ask() -> None:
    infra = render.FOLDER.parent.parent
    provisioning = infra / "grafana" / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources" / "meterstream.yaml").read_text())["datasources"]
    assert {(source["type"], source["uid"]) for source in sources} == {
        (reference.type_val, reference.uid) for reference in (render.DATABASE, render.PROMETHEUS)
    }
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "meterstream.yaml").read_text())["providers"]
    compose = (infra / "compose.yaml").read_text()
    assert f"./grafana/{render.FOLDER.name}:{provider['options']['path']}:ro" in compose
    login = (infra / "postgres" / "grafana_login.sh").read_text()
    assert f"CREATE ROLE {sources[0]['user']} LOGIN" in login
    assert "IN ROLE meterstream_grafana" in login


@pytest.mark.parametrize("board", DASHBOARDS, ids=named)
def test_every_dashboard_marks_alerts_and_links_to_the_others(board: Dashboard) -> None:
    drawn = render.rendered(board)
    (annotation,) = drawn["annotations"]["list"]
    assert "FROM alerts" in annotation["target"]["rawSql"]
    assert "rawQuery" not in annotation, "Grafana would take it for a query of old"
    assert drawn["links"][0]["includeVars"] is True
    assert board.refresh in {"30s", "1m", "15m"}
