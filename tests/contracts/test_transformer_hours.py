"""Transformers with meters of their own: in no sum over customers, and held against them hour by hour."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from schemas.registry import RegistryEntry
from sinks import grid_physics_sql as sql
from sinks.transformer_hours import count_hours
from tests.builders import START_US, batch
from tests.contracts.test_windows_outbox import handed_on
from tests.contracts.writing import Writer, query

pytestmark = pytest.mark.integration

_START = datetime.fromtimestamp(START_US / 1e6, UTC)
_QUARTER_US = 900_000_000
_WHOLE_HOUR_US = START_US - START_US % (4 * _QUARTER_US) + 4 * _QUARTER_US
#: Meter -> transformer, class, intervals of how many quarter-hours.
_METERS = {
    "A": ("T1", "residential", 1),
    "B": ("T1", "commercial", 2),
    "C": ("T2", "residential", 1),
    "X": ("T1", "transformer", 1),
}


def entries() -> list[RegistryEntry]:
    above = {"feeder": "F1", "substation": "S1", "region": "North"}
    return [
        RegistryEntry.model_validate(
            {"meter_number": meter, "transformer": transformer, "class": kind, "transformer_kva": 100.0, **above}
        )
        for meter, (transformer, kind, _) in _METERS.items()
    ]


async def send(writer: Writer, hours: int, *, without: tuple[tuple[str, int], ...] = ()) -> None:
    """Each customer 0.5 kWh and the transformer's own meter 1.25 kWh a quarter-hour; some readings are left out."""
    sent = [
        (meter, step)
        for meter, (_, _, every) in _METERS.items()
        for step in range(1, 4 * hours + 1)
        if step % every == 0 and (meter, step) not in without
    ]
    kwh = [(1.25 if meter == "X" else 0.5) * _METERS[meter][2] for meter, _ in sent]
    times = [_WHOLE_HOUR_US + step * _QUARTER_US for _, step in sent]
    more = {"export_kwh": [0.125 if meter == "A" else None for meter, _ in sent], "power_factor": 0.8}
    await writer.write(batch([meter for meter, _ in sent], times, consumption_kwh=kwh, voltage=230.0, **more))


async def counted(url: str) -> None:
    await handed_on(url)
    async with await psycopg.AsyncConnection.connect(url) as connection:
        while await count_hours(connection):
            pass


async def test_the_meter_of_a_transformer_is_in_no_sum_over_customers(url: str, writer: Writer) -> None:
    await writer.stores[0].register(entries())
    await send(writer, 3)
    await counted(url)
    hour = _START.replace(minute=0, second=0) + timedelta(hours=2)
    found = query(
        url,
        "SELECT element, customer_class, energy_kwh FROM element_windows WHERE window_s = 3600 AND window_start = %s "
        "AND element IN ('transformer/T1', 'grid') AND (customer_class IS NULL OR customer_class = 'transformer')",
        hour,
    )
    assert sorted(found, key=str) == sorted(
        [
            ("grid", None, 6.0),
            ("grid", "transformer", 5.0),
            ("transformer/T1", None, 4.0),
            ("transformer/T1", "transformer", 5.0),
        ],
        key=str,
    )
    assert query(url, "SELECT sum(customers)::int FROM customers_served(now())") == [(3,)]
    for view in ("window_aggregates", "best_windows"):
        name = "energy_kwh" if view == "window_aggregates" else "best_kwh"
        kwh = query(url, f"SELECT sum({name}) FROM {view} WHERE window_s = 900 AND element = 'transformer/T1'")
        assert kwh == [(12.0,)]


async def test_hours_hold_the_intervals_that_end_in_them(url: str, writer: Writer) -> None:
    await writer.stores[0].register(entries())
    await send(writer, 3, without=(("A", 6),))
    await counted(url)
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO meter_intervals (meter_id, interval_s, since) SELECT meter_id, "
            "CASE meter_number WHEN 'B' THEN 1800 ELSE 900 END, '-infinity' FROM smart_meters"
        )
        connection.execute("INSERT INTO transformer_hours_due SELECT transformer_id, hour FROM transformer_hours")
    await counted(url)
    rows = query(
        url,
        "SELECT own_kwh, customers_kwh, supplied_kwh, customers, round(completeness::numeric, 3)::float8, complete "
        "FROM transformer_balance WHERE own_kwh > 0 ORDER BY hour",
    )
    assert rows == [(5.0, 3.5, 5.5, 2, 1.0, True), (5.0, 3.125, 5.375, 2, 0.833, False), (5.0, 3.5, 5.5, 2, 1.0, True)]
    await writer.write(batch(["A"], [_WHOLE_HOUR_US + 6 * _QUARTER_US], consumption_kwh=0.5, export_kwh=0.125))
    await counted(url)
    late = (
        "SELECT customers_kwh, complete, revision FROM transformer_balance "
        "JOIN transformer_hours USING (transformer_id, hour) WHERE own_kwh > 0 ORDER BY hour"
    )
    assert query(url, late)[1] == (3.5, True, 2)


async def test_load_against_rating_is_that_of_the_own_meter_where_there_is_one(url: str, writer: Writer) -> None:
    await writer.stores[0].register(entries())
    await send(writer, 2)
    await counted(url)
    found = query(
        url,
        "SELECT DISTINCT transformer, measured_by, power_factor_by, power_kw, load_kva, loading "
        "FROM transformer_loading WHERE window_start >= %s ORDER BY 1",
        _START.replace(minute=0, second=0) + timedelta(hours=1, minutes=15),
    )
    assert found == [
        ("T1", "own_meter", "own_meter", 5.0, 6.25, 0.0625),
        ("T2", "customers", "customers", 2.0, 2.5, 0.025),
    ]


async def test_phases_are_told_apart_by_what_meters_say_and_by_the_registry(url: str, writer: Writer) -> None:
    phases = {"A": "L1", "B": "L2", "C": "L2", "X": "L1L2L3"}
    await writer.stores[0].register(
        [entry.model_copy(update={"phase": phases[entry.meter_number]}) for entry in entries()]
    )
    times = [_WHOLE_HOUR_US + _QUARTER_US] * 4
    volts = {"voltage": [231.0, 229.0, 228.0, 232.0], "voltage_l2": [None, None, None, 230.0]}
    await writer.write(batch(list("ABCX"), times, consumption_kwh=1.0, **volts, voltage_l3=[None, None, None, 226.0]))
    found = query(
        url,
        "SELECT t.name, own, phase, meters, voltage FROM phase_means(%s, %s) "
        "JOIN transformers t USING (transformer_id) ORDER BY 1, 2, 3",
        _START,
        _START + timedelta(hours=5),
    )
    assert found == [
        ("T1", False, 1, 1, 231.0), ("T1", False, 2, 1, 229.0),
        ("T1", True, 1, 1, 232.0), ("T1", True, 2, 1, 230.0), ("T1", True, 3, 1, 226.0), ("T2", False, 2, 1, 228.0),
    ]  # fmt: skip


async def test_every_statement_of_the_examinations_reads_what_is_there(url: str, writer: Writer) -> None:
    await writer.stores[0].register(entries())
    await send(writer, 3)
    await counted(url)
    span = {"since": START_US / 1e6, "until": START_US / 1e6 + 86_400, "share": 0.05, "transformers": [1, 2]}
    assert query(url, sql.EXAMINED) == []
    for asked in (sql.NEWEST_QUARTER, sql.NEWEST_HOUR):
        assert query(url, asked)[0][0] is not None
    with psycopg.connect(url) as connection:
        found = {
            name: connection.execute(getattr(sql, name).encode(), span).fetchall()
            for name in ("BUSY", "LOADS", "HOURS", "PROFILES", "PHASES")
        }
        found["METERED"] = connection.execute(sql.METERED, ([1, 2],)).fetchall()
        connection.execute(sql.NOTE_EXAMINED, ("load", 5))
        connection.execute(sql.KEEP_LOSSES, (0, 9, [1], [0.1], [0.0], [1e-4], [48], [40], [0.2]))
    assert {name: len(rows) for name, rows in found.items()} == {
        "BUSY": 1, "LOADS": 24, "HOURS": 5, "PROFILES": 9, "PHASES": 0, "METERED": 2,
    }  # fmt: skip
    assert query(url, "SELECT count(*), round(avg(expected_loss_kwh)::numeric, 4) FROM transformer_balance")


async def test_a_meter_that_turns_out_to_be_the_transformers_own_is_taken_out_of_its_past(
    url: str, writer: Writer
) -> None:
    said = {entry.meter_number: entry for entry in entries()}
    before = said | {"X": said["X"].model_copy(update={"customer_class": "residential"})}
    await writer.stores[0].register(list(before.values()))
    await send(writer, 3)
    await counted(url)
    kwh = (
        "SELECT energy_kwh FROM element_windows WHERE window_s = 3600 AND window_start = %s "
        "AND element = 'transformer/T1' AND customer_class IS NULL"
    )
    hour = _START.replace(minute=0, second=0) + timedelta(hours=2)
    assert query(url, kwh, hour) == [(9.0,)]
    assert query(url, "SELECT FROM transformer_hours") == []
    await writer.stores[0].register([said["X"].model_copy(update={"valid_from": _START - timedelta(days=1)})])
    await counted(url)
    assert query(url, kwh, hour) == [(4.0,)]
    assert query(url, "SELECT own_kwh, customers_kwh FROM transformer_balance WHERE hour = %s", hour) == [(5.0, 3.5)]
