"""Rules and the dashboard Engine ask only for metrics that the engine has, with labels that it gives."""

import re
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from panels import engine
from stream.feed.metrics import FeedMetrics
from stream.metrics import BridgeMetrics, CourierMetrics, DeskMetrics, WorkerMetrics
from tests.documents import ROOT

_RULES = ROOT / "infra" / "prometheus" / "rules"
_RUNBOOK = (ROOT / "RUNBOOK.md").read_text()
_METRIC = re.compile(r"\b(meterstream_\w+)(?:\{([^}]*)\})?")
_RECORDED = re.compile(r"\bmeterstream:\w+:\w+")
#: What Prometheus itself adds to what it scrapes.
_OF_PROMETHEUS = {"job", "instance", "le"}


def rules(file: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((_RULES / file).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules("alerts.yaml")}
RECORDED = {rule["record"]: rule for rule in rules("recording.yaml")}


def exposed() -> dict[str, set[str]]:
    """Names and labels of everything that `/metrics` of the engine's parts can show."""
    registry = CollectorRegistry()
    parts = [
        BridgeMetrics(registry),
        WorkerMetrics(registry),
        WorkerMetrics(registry, "market"),
        DeskMetrics(registry),
        CourierMetrics(registry),
        FeedMetrics(registry),
    ]
    found: dict[str, set[str]] = {}
    for metric in (value for part in parts for value in vars(part).values() if hasattr(value, "describe")):
        (family,) = metric.describe()
        labels = set(getattr(metric, "_labelnames", ()))
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}[family.type]
        found |= {f"{family.name}{suffix}": labels for suffix in suffixes}
    return found


def expressions() -> list[str]:
    asked = [expression for panel in engine.DASHBOARD.panels for expression, _ in panel.promql]
    return [*(rule["expr"].strip() for rule in (*ALERTS.values(), *RECORDED.values())), *asked]


def labels_of(expression: str) -> set[str]:
    grouped = re.findall(r"\bby \(([^)]*)\)", expression)
    matched = re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', expression)
    return {label.strip() for group in grouped for label in group.split(",")} | set(matched)


def test_the_parts_expose_what_they_count() -> None:
    assert {
        "meterstream_bridge_rows_total",
        "meterstream_worker_lag_records",
        "meterstream_market_stage_seconds_bucket",
        "meterstream_alerts_signs_total",
        "meterstream_feed_rounds_total",
    } <= set(exposed())


@pytest.mark.parametrize("part", [BridgeMetrics, WorkerMetrics, DeskMetrics, CourierMetrics, FeedMetrics])
def test_everything_exposed_is_counted_somewhere(part: type[Any]) -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "stream").rglob("*.py"))
    names = [name for name, value in vars(part(CollectorRegistry())).items() if hasattr(value, "describe")]
    never = [
        name
        for name in names
        if not re.search(rf"\.{name}\.(inc|observe|set|labels|time|set_function)\(|\(self\.{name}, ", code)
    ]
    assert never == []


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_and_every_label_exists(expression: str) -> None:
    there = exposed()
    asked = [name for name, _ in _METRIC.findall(expression)]
    recorded = _RECORDED.findall(expression)
    assert asked or recorded or expression.startswith("up{")
    assert set(asked) <= set(there)
    assert set(recorded) <= set(RECORDED)
    below = [name for record in recorded for name, _ in _METRIC.findall(RECORDED[record]["expr"])]
    known = set().union(*(there[name] for name in (*asked, *below)), _OF_PROMETHEUS)
    assert labels_of(expression) <= known
    assert expression.count("(") == expression.count(")")


def test_no_figure_is_recorded_for_nobody() -> None:
    assert {record for expression in expressions() for record in _RECORDED.findall(expression)} == set(RECORDED)


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_its_page_in_the_runbook(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook"] == f"RUNBOOK.md#{name.lower()}"
    (page,) = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", _RUNBOOK, re.MULTILINE | re.DOTALL)
    for part in ("**Means.**", "**Look first.**", "**Ask.**", "**Do.**"):
        assert page.count(part) == 1, part
    assert re.search(r"```(sql|promql)\n", page)


def test_the_runbook_has_no_page_without_an_alert() -> None:
    assert set(re.findall(r"^## (Meterstream\w+)$", _RUNBOOK, re.MULTILINE)) == set(ALERTS)


def test_metrics_of_the_runbook_exist() -> None:
    asked = "".join(re.findall(r"```promql\n(.*?)```", _RUNBOOK, re.DOTALL))
    assert {name for name, _ in _METRIC.findall(asked)} <= set(exposed())
    assert set(_RECORDED.findall(asked)) <= set(RECORDED)
