"""Migrations: applied once each, whoever starts first, and a file that was changed afterwards is refused."""

import threading
from pathlib import Path

import psycopg
import pytest

from schemas.errors import ConfigurationError, ServiceUnavailable
from sinks import migrations
from sinks.migrations import DIRECTORY, has_timescale, migrate, status

pytestmark = pytest.mark.integration


def files() -> list[Path]:
    return sorted(DIRECTORY.glob("*.sql"))


def plain_files() -> list[str]:
    """Those for every database."""
    return [path.name for path in files() if path.name.count(".") == 1]


def test_every_file_is_applied_once_and_the_second_time_there_is_nothing_to_do(empty: str) -> None:
    first = migrate(empty)
    assert set(plain_files()) <= set(first)
    assert first == sorted(first)
    assert migrate(empty) == []
    with psycopg.connect(empty, autocommit=True) as connection:
        assert all(file.applied for file in status(connection) if file.applies)


def test_data_survive_a_second_time(empty: str) -> None:
    migrate(empty)
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("INSERT INTO smart_meters (meter_number) VALUES ('M1')")
        migrate(empty)
        assert connection.execute("SELECT meter_number FROM smart_meters").fetchall() == [("M1",)]


def test_rows_from_before_the_rules_stay_and_no_rule_has_looked_at_them(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        for file in status(connection):
            if file.applies and file.name < "006":
                migrations._apply(connection, file)
        connection.execute("INSERT INTO smart_meters (meter_number) VALUES ('M1')")
        connection.execute(
            "INSERT INTO meter_readings (meter_id, reading_time, consumption_kwh, quality_flag, source_partition, "
            "source_offset, arrived_at) SELECT meter_id, now(), 1, 'warning', 0, 0, now() FROM smart_meters"
        )
        assert migrate(empty)[0] == "006_vee.sql"
        found = connection.execute(
            "SELECT consumption_kwh, quality_flag, failed_rules, warned_rules, rule_set, nem12_quality, espi_quality "
            "FROM meter_readings"
        ).fetchall()
    assert found == [(1.0, "warning", 0, 0, 0, "A", 1)]


def test_windows_and_places_of_before_classes_stay_what_they_were(empty: str) -> None:
    window = "'2026-01-01T00:00Z', 3, 7000000000, 0, 4.5, 3, 690000, 229, 231, 1"
    told = (
        "SELECT element, readings, energy_kwh, demand_peak_kw, voltage_mean, revision FROM window_aggregates ORDER BY 1"
    )
    with psycopg.connect(empty, autocommit=True) as connection:
        for file in status(connection):
            if file.applies and file.name < "023":
                migrations._apply(connection, file)
        connection.execute("INSERT INTO transformers (name) VALUES ('T1')")
        connection.execute(
            "INSERT INTO smart_meters (meter_number, transformer_id, customer_class, status) "
            "VALUES ('M1', 1, 'residential', 'active'), ('M2', NULL, NULL, 'unregistered')"
        )
        connection.execute(f"INSERT INTO window_totals VALUES (1, 900, {window})")
        connection.execute(f"INSERT INTO window_partials VALUES (1, 900, {window}), (0, 60, {window})")
        before = connection.execute(told).fetchall()
        assert "023_places.sql" in migrate(empty)
        assert connection.execute(told).fetchall() == before
        assert before == [("transformer/T1", 6, 14.0, 4.5, 230.0, 2), ("transformer/unassigned", 3, 7.0, 4.5, 230.0, 1)]
        places = "SELECT transformer_id, customer_class, valid_from::text, valid_to::text FROM meter_places"
        assert connection.execute(places).fetchall() == [(1, "residential", "-infinity", "infinity")]


def test_two_that_start_at_once_apply_everything_once(empty: str) -> None:
    applied: list[list[str]] = []
    threads = [threading.Thread(target=lambda: applied.append(migrate(empty))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(names) for names in applied)[:3] == [0, 0, 0]
    assert len(applied) == 4


def test_a_file_that_was_changed_after_it_was_applied_is_refused(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty)
    for path in DIRECTORY.glob("*.sql"):
        (tmp_path / path.name).write_text(path.read_text())
    monkeypatch.setattr(migrations, "DIRECTORY", tmp_path)
    assert migrate(empty) == []
    changed = tmp_path / plain_files()[0]
    changed.write_text(changed.read_text() + "-- a word more\n")
    with pytest.raises(ConfigurationError, match=changed.name):
        migrate(empty)


def test_a_file_that_fails_leaves_nothing_of_itself(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "DIRECTORY", tmp_path)
    (tmp_path / "001_good.sql").write_text("CREATE TABLE good (x int);")
    (tmp_path / "002_bad.sql").write_text("CREATE TABLE half (x int); SELECT 1/0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty)
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT to_regclass('good') IS NOT NULL, to_regclass('half') IS NULL").fetchone() == (
            True,
            True,
        )
    (tmp_path / "002_bad.sql").write_text("CREATE TABLE half (x int);")
    assert migrate(empty) == ["002_bad.sql"]


def test_a_database_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(ServiceUnavailable):
        migrate("postgresql://nobody@127.0.0.1:1/nothing")


def test_without_timescale_plain_tables_serve(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        if has_timescale(connection):
            pytest.skip("this PostgreSQL has TimescaleDB")
        assert not any(file.applies for file in status(connection) if ".timescaledb." in file.name)


def test_a_database_that_began_plain_stays_so_when_timescale_appears(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        monkeypatch.setattr(migrations, "has_timescale", lambda _: False)
        migrate(empty)
        monkeypatch.setattr(migrations, "has_timescale", lambda _: True)
        assert not any(file.applies for file in status(connection) if ".timescaledb." in file.name)
    assert migrate(empty) == []


def test_a_database_of_timescale_is_not_taken_for_a_plain_one(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        status(connection)
        connection.execute("INSERT INTO schema_migrations VALUES ('002_hypertable.timescaledb.sql', '')")
        monkeypatch.setattr(migrations, "has_timescale", lambda _: False)
        with pytest.raises(ConfigurationError, match="TimescaleDB"):
            status(connection)


@pytest.mark.timescale
def test_with_timescale_readings_are_a_hypertable(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        if not has_timescale(connection):
            pytest.skip("no TimescaleDB here: METERSTREAM_STACK_POSTGRES_BIN can name a PostgreSQL that has it")
        migrate(empty)
        found = connection.execute(
            "SELECT count(*) FROM timescaledb_information.hypertables "
            "WHERE hypertable_name = 'meter_readings' AND hypertable_schema = current_schema()"
        ).fetchone()
    assert found == (1,)


def test_an_extension_that_ends_the_session_does_not_end_the_migration(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As TimescaleDB does where it is installed and not preloaded.
    monkeypatch.setattr(migrations, "_FIND_TIMESCALE", "SELECT NULL::text")
    monkeypatch.setattr(migrations, "_CREATE_TIMESCALE", "SELECT pg_terminate_backend(pg_backend_pid())")
    assert migrate(empty) == [path.name for path in files() if ".timescaledb." not in path.name]
