"""Every query of every dashboard and of the runbook runs on a real database, as Grafana's role, and shows something."""

import asyncio
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import numpy as np
import psycopg
import pytest
from psycopg.rows import dict_row

from panels.board import Dashboard, Panel, Variable
from panels.catalogue import ANNOTATION, DASHBOARDS
from schemas.alerts import AlertKind, Severity
from schemas.registry import RegistryEntry
from schemas.ticks import TickBatch
from sinks.alert_sql import KEEP_HISTORY, KEEP_STATES
from sinks.migrations import has_timescale, migrate
from sinks.totals import catch_up
from stream.stack.endpoints import Endpoints
from tests import grafana
from tests.alerting import opened
from tests.builders import DAY_US, MINUTE_US, batch
from tests.contracts.backings import unique
from tests.contracts.test_timescale_ticks import Writer as TickWriter
from tests.contracts.test_windows_outbox import handed_on
from tests.contracts.writing import Writer
from tests.documents import ROOT

pytestmark = pytest.mark.integration

#: The day that is shown: alerts of tests are of its noon.
_DAY = datetime(2026, 1, 31, tzinfo=UTC)
_DAY_US = int(_DAY.timestamp()) * 10**6
_SPAN = (_DAY, _DAY + timedelta(days=1))
_NOON = _DAY + timedelta(hours=12)
_METERS = [f"A{number}" for number in range(12)]
_QUARTERS = 96
_MOST_S = 0.5
#: When the oldest alert that stands was seen, before noon [min].
_LONG_AGO_MIN = -3.0 * 24 * 60
#: Columns that say where a value belongs, and are none.
_AXES = ("time", "metric")
_REJECTED = """
INSERT INTO rejected_readings (reject_id, reason, detail, source, rejected_at, payload, payload_encoding, payload_bytes)
VALUES ('r', 'not_json', 'd', 's', %s, '', 'utf-8', 0)
"""
_RULE = """
INSERT INTO vee_rules (bit, rule, version, reason, about, unit) VALUES (0, 'spike', 1, 'r', 'a', 'kWh')
ON CONFLICT DO NOTHING
"""
_UNUSUAL = """
UPDATE meter_readings SET quality_flag = 'anomaly', anomaly_score = 0.9, failed_rules = 1
WHERE meter_id = (SELECT meter_id FROM smart_meters WHERE meter_number = 'A0') AND reading_time >= %s
"""
_EXPLAINED = """
INSERT INTO reading_explanations (meter_id, reading_time, kind, expected, band, unit, contributions)
SELECT meter_id, reading_time, 'spike', 1.0, 0.5, 'kWh', 'energy 0.9' FROM meter_readings WHERE failed_rules <> 0
"""
_MISSING = "INSERT INTO missing_data (meter_id, hour, expected, received) SELECT meter_id, %s, 4, 3 FROM smart_meters"
_ESTIMATED = """
INSERT INTO vee_values (meter_id, reading_time, version, kind, over_reading, consumption_kwh, quality_flag, rule_set,
                        method, confidence, nem12_quality, espi_quality, author, reason)
SELECT meter_id, %s, 1, 'estimate', false, 1.0, 'estimated', 1, 'interpolate', 0.9, 'E', 1, 'a', 'r' FROM smart_meters
"""
_DARK = """
INSERT INTO supply_gaps (meter_id, lit_at, dark_at, back_at, interval_s, cause)
SELECT meter_id, %(noon)s, %(noon)s, %(noon)s + interval '1 hour', 900, 'last_gasp' FROM smart_meters
"""
_OUTAGE = """
WITH o AS (
    INSERT INTO grid_outages (element_kind, element, region, started_at, dark_by, ended_at, cause, customers, told,
                              found_at)
    SELECT 'feeder', 'feeder/F0', region, %(noon)s, %(noon)s, %(noon)s + interval '1 hour', 'last_gasp', 9, 9, %(noon)s
    FROM substations LIMIT 1
    RETURNING outage_id
)
INSERT INTO grid_outage_meters SELECT outage_id, meter_id, lit_at FROM o CROSS JOIN supply_gaps
"""
_BALANCED = """
INSERT INTO transformer_hours (transformer_id, hour, own_uwh, own_export_uwh, own_expected, own_received, customers,
                               customers_uwh, customers_export_uwh, expected, received, estimated)
SELECT transformer_id, %s, 5000000000, 0, 4, 4, 2, 4000000000, 0, 8, 8, 0 FROM transformers
"""
_OVERLOADED = """
INSERT INTO grid_conditions (kind, element, started_at, severity, measured, expected, unit, detail, found_at)
VALUES ('transformer_overload', 'transformer/T0', %(at)s, 'warning', 40, 25, 'kVA', 'up to 160 %%', %(at)s)
"""
_SILENCED = """
INSERT INTO alert_silences (element, kind, begins_at, ends_at, by, reason)
VALUES ('feeder/F0', NULL, now(), now() + interval '1 hour', 'me', 'line work')
"""


@dataclass(frozen=True)
class Demo:
    """A filled database, and whether it has TimescaleDB."""

    connection: psycopg.Connection[dict[str, object]]
    timescale: bool

    def ask(self, sql: str, choices: Mapping[str, grafana.Choice]) -> tuple[list[dict[str, object]], float]:
        """Rows of a query, and the shortest of three times that it took [s]."""
        written = grafana.with_choices(sql, {**grafana.FIRST, "region": None, "feeder": None, **choices})
        text = grafana.with_macros(written, *_SPAN, timescale=self.timescale).encode()
        took = []
        for _ in range(3):
            began = time.perf_counter()
            rows = self.connection.execute(text).fetchall()
            took.append(time.perf_counter() - began)
        return rows, min(took)


def _entries() -> list[RegistryEntry]:
    return [
        RegistryEntry.model_validate(
            {
                "meter_number": meter,
                "transformer": f"T{number % 6}",
                "feeder": f"F{number % 3}",
                "substation": "S0",
                "region": "North",
                "transformer_kva": 25.0,
                "class": ("residential", "commercial")[number % 2],
                "zone": "aemo_nem/NSW1",
            }
        )
        for number, meter in enumerate(_METERS)
    ]


async def _readings(url: str) -> None:
    writer = Writer(url, workers=1)
    writer.mark_us = _DAY_US + 30 * DAY_US
    await writer.stores[0].register(_entries())
    rng = np.random.default_rng(1)
    for quarter in range(_QUARTERS):
        at = [_DAY_US + quarter * 15 * MINUTE_US] * len(_METERS)
        volts = 230 + 15 * rng.standard_normal(len(_METERS))
        columns = {"demand_kw": rng.random(len(_METERS)), "power_factor": 0.8 + 0.2 * rng.random(len(_METERS))}
        await writer.write(
            batch(_METERS, at, consumption_kwh=rng.random(len(_METERS)), voltage=volts, export_kwh=0.1, **columns)
        )
    await writer.close()
    await handed_on(url)


async def _prices(url: str) -> None:
    """Four symbols of which one leaves the others, with depths."""
    writer = TickWriter(url, "market.raw")
    count = 288
    at = _DAY_US + (np.arange(count) + 1) * 5 * MINUTE_US
    shape = 80 + 30 * np.sin(np.arange(count) / 40)
    rng = np.random.default_rng(2)
    for symbol in ("NSW1", "QLD1", "SA1", "VIC1"):
        price = shape + rng.standard_normal(count)
        if symbol == "NSW1":
            price[100] += 2000
        await writer.write(
            TickBatch.from_columns(
                market=["aemo_nem"] * count,
                symbol=[symbol] * count,
                kind=["settlement"] * count,
                tick_time=at,
                price=price,
                quantity=np.ones(count),
                bid_depth=np.ones(count),
                ask_depth=np.ones(count),
            )
        )
    await writer.store.close()


def _findings(connection: psycopg.Connection[dict[str, object]]) -> None:
    connection.execute(_RULE)
    connection.execute(_UNUSUAL, (_DAY + timedelta(hours=20),))
    connection.execute(_EXPLAINED)
    connection.execute(_MISSING, (_NOON,))
    connection.execute("INSERT INTO meter_cadences SELECT meter_id, %s, 900 FROM smart_meters", (_DAY,))
    connection.execute("SELECT expect_meters(array_agg(meter_id)) FROM smart_meters")
    connection.execute("SELECT expect_elements()")
    connection.execute(_ESTIMATED, (_NOON + timedelta(minutes=7),))
    connection.execute(_REJECTED, (_NOON,))
    connection.execute(_SILENCED)
    connection.execute(_DARK, {"noon": _NOON})
    connection.execute(_OUTAGE, {"noon": _NOON})
    connection.execute(_BALANCED, (_NOON,))
    connection.execute(_OVERLOADED, {"at": _NOON})
    connection.execute("INSERT INTO smart_meters (meter_number) VALUES ('never')")
    connection.execute(
        "INSERT INTO hedges (region, starts_at, ends_at, quantity_mw) VALUES ('North', %s, %s, 0.01)", _SPAN
    )


def _alerts(connection: psycopg.Connection[dict[str, object]]) -> None:
    place = {"region": "North", "substation": "S0", "feeder": "F0", "transformer": "T0"}
    hot: dict[str, Any] = {"kind": AlertKind.OVERHEATING, "severity": Severity.CRITICAL}
    states = [
        opened(_LONG_AGO_MIN, "meter/A1").model_copy(update=place),
        opened(0.0, "meter/A0").model_copy(update=place),
        opened(5.0, "transformer/T0", **hot).model_copy(update=place),
        opened(9.0, "market/aemo_nem/NSW1", kind=AlertKind.PRICE_SPIKE).model_copy(update={"region": "North"}),
    ]
    for state in states:
        connection.execute(KEEP_STATES, (f"[{state.model_dump_json()}]",))
        row = ([f"{state.alert_id}-1"], [state.alert_id], ["opened"], [state.first_seen], ["engine"], [""], ["{}"])
        connection.execute(KEEP_HISTORY, row)


@pytest.fixture(scope="module")
def demo(stack: Endpoints) -> Iterator[Demo]:
    """A day of a small fleet and its market, read as Grafana reads it."""
    name = unique("dashboards").strip("-").replace("-", "_")
    url = f"{stack.database_url}?options={quote(f'-c search_path={name},public')}"
    with psycopg.connect(stack.database_url, autocommit=True) as owner:
        owner.execute(f"CREATE SCHEMA {name}")
        migrate(url)
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            asyncio.run(_readings(url))
            asyncio.run(_prices(url))
            _findings(connection)
            _alerts(connection)
            asyncio.run(catch_up(url, 0))
            connection.execute("ANALYZE")
            connection.execute("SET timezone = 'UTC'")
            if not grafana.become(connection, "meterstream_grafana"):
                pytest.skip("the owner of this database may not create roles")
            yield Demo(connection, has_timescale(owner))
        owner.execute(f"DROP SCHEMA {name} CASCADE")


def test_panels_are_asked_for_with_no_more_rights_than_grafana_has(demo: Demo) -> None:
    assert demo.connection.execute("SELECT current_user").fetchone() == {"current_user": "meterstream_grafana"}
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        demo.connection.execute("DELETE FROM alerts")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        demo.connection.execute("SELECT payload FROM rejected_readings")


@pytest.mark.parametrize(("board", "panel"), grafana.sql_panels(), ids=lambda of: getattr(of, "title", str(of)))
def test_every_panel_shows_something_in_half_a_second(demo: Demo, board: Dashboard, panel: Panel) -> None:
    choices = {**grafana.first_choices(board), "meter": "A0"}
    rows, took_s = demo.ask(panel.sql, choices)
    assert any(value is not None for row in rows for name, value in row.items() if name not in _AXES)
    assert took_s < _MOST_S


@pytest.mark.parametrize(("board", "panel"), grafana.sql_panels(), ids=lambda of: getattr(of, "title", str(of)))
def test_no_choice_breaks_a_panel(demo: Demo, board: Dashboard, panel: Panel) -> None:
    """Names that nobody has, and names that would end a quotation."""
    odd = "O'Neill \"; %"
    known = {variable.name: variable for variable in board.variables}
    choices: dict[str, grafana.Choice] = {
        name: [odd, "x"] if variable.many else odd if not variable.choices else variable.choices[-1][0]
        for name, variable in known.items()
    }
    demo.ask(panel.sql, choices)


@pytest.mark.parametrize(
    ("board", "variable"),
    [(board, variable) for board in DASHBOARDS for variable in board.variables if variable.sql],
    ids=lambda of: of.name,
)
def test_every_variable_has_something_to_choose(demo: Demo, board: Dashboard, variable: Variable) -> None:
    rows, _ = demo.ask(variable.sql, grafana.first_choices(board))
    assert rows
    assert all(len(row) == 1 for row in rows)


@pytest.mark.parametrize("title", ["What stands", "Standing by severity", "How long, by kind"])
def test_an_alert_stands_however_long_ago_it_was_seen(demo: Demo, title: str) -> None:
    (board,) = (board for board in DASHBOARDS if board.name == "alerts")
    (panel,) = (panel for panel in board.panels if panel.title == title)
    old = {**grafana.first_choices(board), "element": "meter/A1"}
    rows, _ = demo.ask(panel.sql, old)
    assert rows


def test_alerts_are_marks_on_time_axes(demo: Demo) -> None:
    rows, took_s = demo.ask(ANNOTATION, {})
    assert len(rows) == 4
    assert took_s < _MOST_S


@pytest.mark.parametrize("sql", re.findall(r"```sql\n(.*?)```", (ROOT / "RUNBOOK.md").read_text(), re.DOTALL))
def test_every_query_of_the_runbook_runs(demo: Demo, sql: str) -> None:
    demo.connection.execute(sql.encode())
