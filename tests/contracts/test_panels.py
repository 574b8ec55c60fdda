"""Questions that take a quality: best, actual and all, in even steps, by day, and who used most."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from sinks.migrations import migrate
from sinks.totals import catch_up

pytestmark = pytest.mark.integration

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
#: Hours after noon: energy [kWh] and flag of what came. Nothing came in hours 3 and 4, nothing ever after 6.
CAME = {0: (1.0, "normal"), 1: (50.0, "rejected"), 2: (2.0, "estimated"), 5: (4.0, "warning"), 6: (8.0, "normal")}
#: Hours after noon: kind, whether it goes before a reading, and its energy.
DECIDED = {1: ("estimate", False, 1.5), 3: ("estimate", False, 3.0), 5: ("edit", True, 5.0)}


def fill(connection: psycopg.Connection) -> None:
    connection.execute("SELECT add_readings_partitions(ARRAY[%s])", (NOON,))
    connection.execute("INSERT INTO transformers (name) VALUES ('T1')")
    connection.execute(
        "INSERT INTO smart_meters (meter_number, transformer_id) VALUES ('M1', 1), ('M2', 1), ('M3', NULL)"
    )
    for meter, times in ((1, 1.0), (2, 10.0)):
        for hours, (energy, flag) in CAME.items():
            connection.execute(
                "INSERT INTO meter_readings (meter_id, reading_time, consumption_kwh, demand_kw, voltage, "
                "quality_flag, source_partition, source_offset, arrived_at) "
                "VALUES (%s, %s, %s, %s, 230, %s, 0, 0, now())",
                (meter, NOON + hours * HOUR, energy * times, energy, flag),
            )
    for hours, (kind, over, energy) in DECIDED.items():
        connection.execute(
            "INSERT INTO vee_values (meter_id, reading_time, version, kind, over_reading, consumption_kwh, "
            "quality_flag, rule_set, method, nem12_quality, espi_quality, author, reason) "
            "VALUES (1, %s, 1, %s, %s, %s, 'estimated', 1, '', 'E', 1, 'a', 'b')",
            (NOON + hours * HOUR, kind, over, energy),
        )


@pytest.fixture
async def database(empty: str) -> Any:
    migrate(empty)
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        fill(connection)
        if connection.execute("SELECT to_regclass('total_backlog')").fetchone() != (None,):
            connection.execute("INSERT INTO total_backlog VALUES ('2026-04-01')")
        await catch_up(empty, 0)
        yield connection


def energies(
    database: psycopg.Connection, quality: str, fill: str = "none", step: str = "1 hour"
) -> list[float | None]:
    rows = database.execute(
        "SELECT energy_kwh FROM resample('M1', %s, %s, %s, %s, %s)", (NOON, NOON + 8 * HOUR, step, quality, fill)
    ).fetchall()
    return [row[0] for row in rows]


@pytest.mark.parametrize(
    ("quality", "expected"),
    [
        ("best", [1.0, 1.5, 2.0, 3.0, None, 5.0, 8.0, None]),
        ("actual", [1.0, None, None, None, None, 4.0, 8.0, None]),
        ("all", [1.0, 50.0, 2.0, None, None, 4.0, 8.0, None]),
    ],
)
def test_each_quality_has_its_values(database: psycopg.Connection, quality: str, expected: list[float | None]) -> None:
    assert energies(database, quality) == expected


def test_gaps_stay_or_are_filled_as_one_asks(database: psycopg.Connection) -> None:
    assert energies(database, "actual", "locf") == [1.0, 1.0, 1.0, 1.0, 1.0, 4.0, 8.0, 8.0]
    filled = energies(database, "actual", "interpolate")
    assert filled == pytest.approx([1.0, 1.6, 2.2, 2.8, 3.4, 4.0, 8.0, None])
    marks = database.execute(
        "SELECT filled FROM resample('M1', %s, %s, '1 hour', 'actual', 'interpolate')", (NOON, NOON + 8 * HOUR)
    ).fetchall()
    assert [mark for (mark,) in marks] == [False, True, True, True, True, False, False, False]


def test_nothing_is_filled_before_the_first_value(database: psycopg.Connection) -> None:
    rows = database.execute(
        "SELECT energy_kwh, filled FROM resample('M1', %s, %s, '1 hour', 'best', 'locf')",
        (NOON - 2 * HOUR, NOON + HOUR),
    ).fetchall()
    assert rows == [(None, False), (None, False), (1.0, False)]


def test_longer_steps_add_up(database: psycopg.Connection) -> None:
    assert energies(database, "best", step="4 hours") == [7.5, 13.0]


def test_steps_of_a_meter_without_values_are_empty(database: psycopg.Connection) -> None:
    rows = database.execute(
        "SELECT readings, energy_kwh FROM resample('M3', %s, %s, '1 hour', 'best', 'locf')", (NOON, NOON + HOUR)
    ).fetchall()
    assert rows == [(0, None)]


def test_an_unknown_quality_or_filling_is_an_error(database: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidTextRepresentation, match="quality_filter"):
        energies(database, "good")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="locf"):
        energies(database, "best", "guess")


@pytest.mark.parametrize(("quality", "first", "second"), [("best", 20.5, 150.0), ("actual", 13, 130), ("all", 65, 650)])
def test_days_hours_and_months_agree_with_the_values(
    database: psycopg.Connection, quality: str, first: float, second: float
) -> None:
    day = date(2026, 4, 1)
    daily = database.execute("SELECT * FROM daily_energy(%s, %s, %s) ORDER BY 1", (day, day, quality)).fetchall()
    assert daily == [(1, day, first), (2, day, second)]
    monthly = database.execute("SELECT * FROM monthly_energy(%s, %s, %s) ORDER BY 1", (day, day, quality)).fetchall()
    assert monthly == [(1, day, first), (2, day, second)]
    hourly = database.execute(
        "SELECT sum(energy_kwh) FROM hourly_energy(%s, %s, %s) WHERE meter_id = 1", (NOON, NOON + 8 * HOUR, quality)
    ).fetchone()
    assert hourly == (first,)
    assert sum(energy or 0 for energy in energies(database, quality)) == first


def test_who_used_most(database: psycopg.Connection) -> None:
    day = date(2026, 4, 1)
    found = database.execute("SELECT * FROM top_meters(%s, %s, 5)", (day, day)).fetchall()
    assert found == [("M2", 150.0), ("M1", 20.5)]
    assert database.execute("SELECT * FROM top_meters(%s, %s, 1, 'all')", (day, day)).fetchall() == [("M2", 650.0)]
    assert database.execute("SELECT * FROM top_elements('transformer', %s, %s)", (day, day)).fetchall() == [
        ("transformer/T1", 2, 170.5)
    ]
    assert database.execute("SELECT element FROM top_elements('feeder', %s, %s)", (day, day)).fetchall() == [
        ("feeder/unassigned",)
    ]


def test_the_newest_value_of_each_meter(database: psycopg.Connection) -> None:
    found = database.execute("SELECT meter_number, reading_time FROM meter_latest ORDER BY 1").fetchall()
    assert found == [("M1", NOON + 6 * HOUR), ("M2", NOON + 6 * HOUR)]


def test_totals_tell_the_mix_of_qualities(database: psycopg.Connection) -> None:
    found = database.execute(
        "SELECT readings, normal, warning, estimated, rejected, energy_kwh, actual_kwh FROM meter_days "
        "WHERE meter_number = 'M1'"
    ).fetchall()
    assert found == [(5, 2, 1, 1, 1, 65.0, 13.0)]


def newest(database: psycopg.Connection, meter: str, quality: str) -> list[tuple[Any, ...]]:
    return database.execute(
        "SELECT reading_time, consumption_kwh, quality_flag::text, kind FROM latest_value(%s, %s)", (meter, quality)
    ).fetchall()


def add(database: psycopg.Connection, meter: int, at: datetime, energy: float | None, flag: str) -> None:
    database.execute("SELECT add_readings_partitions(ARRAY[%s])", (at,))
    database.execute(
        "INSERT INTO meter_readings (meter_id, reading_time, consumption_kwh, demand_kw, voltage, quality_flag, "
        "source_partition, source_offset, arrived_at) VALUES (%s, %s, %s, %s, 230, %s, 0, 0, now())",
        (meter, at, energy, energy, flag),
    )


def test_the_newest_value_of_each_quality(database: psycopg.Connection) -> None:
    before = (NOON + 6 * HOUR, 8.0, "normal", "reading")
    for quality in ("best", "actual", "all"):
        assert newest(database, "M1", quality) == [before]
    add(database, 1, NOON + 7 * HOUR, 99.0, "rejected")
    assert newest(database, "M1", "best") == newest(database, "M1", "actual") == [before]
    assert newest(database, "M1", "all") == [(NOON + 7 * HOUR, 99.0, "rejected", "reading")]
    database.execute(
        "INSERT INTO vee_values (meter_id, reading_time, version, kind, over_reading, consumption_kwh, quality_flag, "
        "rule_set, method, nem12_quality, espi_quality, author, reason) "
        "VALUES (1, %s, 1, 'estimate', false, 7.0, 'estimated', 1, '', 'E', 1, 'a', 'b')",
        (NOON + 7 * HOUR,),
    )
    assert newest(database, "M1", "best") == [(NOON + 7 * HOUR, 7.0, "estimated", "estimate")]
    assert newest(database, "M1", "actual") == [before]


@pytest.mark.parametrize("days", [20, 400])
def test_a_value_of_a_quality_is_found_however_old_it_is(database: psycopg.Connection, days: int) -> None:
    add(database, 2, NOON + timedelta(days=days), 99.0, "rejected")
    assert newest(database, "M2", "actual") == [(NOON + 6 * HOUR, 80.0, "normal", "reading")]


def test_a_meter_without_values_has_no_newest_one(database: psycopg.Connection) -> None:
    assert newest(database, "M3", "all") == newest(database, "nobody", "best") == []


@pytest.fixture
def moved(database: psycopg.Connection) -> psycopg.Connection:
    """Both meters at T1; the second has been at T2 since the fourth hour."""
    database.execute("INSERT INTO transformers (name) VALUES ('T2')")
    for meter, transformer, since in ((1, 1, NOON), (2, 1, NOON), (2, 2, NOON + 4 * HOUR)):
        database.execute(
            "INSERT INTO meter_moves (meter_id, valid_from, transformer_id, customer_class) "
            "VALUES (%s, %s, %s, 'residential') ON CONFLICT (meter_id, valid_from) DO NOTHING",
            (meter, since, transformer),
        )
    return database


def loads(database: psycopg.Connection, element: str, *how: str) -> list[tuple[int, float | None]]:
    quality, fill, step = (*how, *("best", "none", "1 hour")[len(how) :])
    return database.execute(
        "SELECT meters, energy_kwh FROM resample_element(%s, %s, %s, %s, %s, %s)",
        (element, NOON, NOON + 8 * HOUR, step, quality, fill),
    ).fetchall()


@pytest.mark.parametrize(
    ("element", "quality", "expected"),
    [
        ("transformer/T1", "best", [11.0, 1.5, 22.0, 3.0, None, 5.0, 8.0, None]),
        ("transformer/T1", "actual", [11.0, 0.0, 0.0, None, None, 4.0, 8.0, None]),
        ("transformer/T1", "all", [11.0, 550.0, 22.0, None, None, 4.0, 8.0, None]),
        ("transformer/T2", "best", [None, None, None, None, None, 40.0, 80.0, None]),
        ("grid", "best", [11.0, 1.5, 22.0, 3.0, None, 45.0, 88.0, None]),
    ],
)
def test_an_element_in_even_steps_counts_meters_where_they_stood(
    moved: psycopg.Connection, element: str, quality: str, expected: list[float | None]
) -> None:
    assert [energy for _, energy in loads(moved, element, quality)] == expected


def test_steps_of_elements_are_filled_and_add_up_as_those_of_meters(moved: psycopg.Connection) -> None:
    assert loads(moved, "transformer/T1", "best", "interpolate")[3:6] == [(1, 3.0), (0, 4.0), (1, 5.0)]
    assert loads(moved, "transformer/T1", "best", "locf")[6:] == [(1, 8.0), (0, 8.0)]
    assert loads(moved, "transformer/T1", "best", "none", "4 hours") == [(2, 37.5), (1, 13.0)]


@pytest.mark.parametrize(
    ("element", "how", "says"),
    [
        ("class/residential", ("best",), "element is class/residential"),
        ("grid", ("best", "guess"), "locf"),
        ("grid", ("best", "none", "30 min"), "whole hours"),
    ],
)
def test_what_cannot_be_asked_of_an_element_is_said(
    moved: psycopg.Connection, element: str, how: tuple[str, ...], says: str
) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=says):
        loads(moved, element, *how)


def test_corrections_are_what_the_best_values_differ_by(database: psycopg.Connection) -> None:
    """Of readings good, rejected, without energy or not there, under one decision or several of every kind."""
    dice = random.Random(3)
    for hours in range(200):
        at = NOON + timedelta(days=2, hours=hours)
        if dice.random() < 0.7:
            energy = None if dice.random() < 0.3 else float(dice.randrange(1_000))
            add(database, 1, at, energy, dice.choice(["normal", "rejected", "estimated"]))
            if dice.random() < 0.5:
                database.execute(
                    "UPDATE meter_readings SET export_kwh = 1 WHERE meter_id = 1 AND reading_time = %s", (at,)
                )
        for version in range(1, dice.randrange(1, 4)):
            kind = dice.choice(["estimate", "edit", "accept", "reject", "rerun"])
            value = None if kind == "reject" or dice.random() < 0.2 else float(dice.randrange(1_000))
            database.execute(
                "INSERT INTO vee_values (meter_id, reading_time, version, kind, over_reading, consumption_kwh, "
                "quality_flag, rule_set, method, nem12_quality, espi_quality, author, reason) "
                "VALUES (1, %s, %s, %s, %s, %s, 'estimated', 1, '', 'E', 1, 'a', 'b')",
                (at, version, kind, dice.random() < 0.5, value),
            )
    wanted = database.execute(
        "SELECT b.meter_id, b.reading_time, coalesce(b.consumption_kwh, 0) - coalesce(r.consumption_kwh, 0) "
        "FROM best_values b LEFT JOIN meter_readings r ON r.meter_id = b.meter_id "
        "AND r.reading_time = b.reading_time AND r.quality_flag <> 'rejected' "
        "WHERE EXISTS (SELECT FROM vee_values v WHERE v.meter_id = b.meter_id AND v.reading_time = b.reading_time) "
        "AND b.reading_time >= %s ORDER BY 2",
        (NOON + timedelta(days=2),),
    ).fetchall()
    found = database.execute(
        "SELECT meter_id, reading_time, (correction_uwh / 1e9)::float8 FROM energy_corrections(%s, %s) ORDER BY 2",
        (NOON + timedelta(days=2), NOON + timedelta(days=12)),
    ).fetchall()
    assert len(wanted) > 100
    assert found == wanted
