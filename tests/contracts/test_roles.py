"""Roles: each may do what it is for, and nothing else."""

from collections.abc import Iterator
from urllib.parse import quote

import psycopg
import pytest

from schemas.errors import ConfigurationError
from sinks.migrations import migrate, status
from sinks.timescale import TimescaleStore
from sinks.totals import catch_up
from sinks.upkeep import Retention, keep_up
from tests.builders import START_US, batch
from tests.contracts.backings import unique
from tests.contracts.test_any_store import Feed

pytestmark = pytest.mark.integration

ROLES = ("meterstream_engine", "meterstream_reader", "meterstream_grafana", "meterstream_admin")
DENIED = psycopg.errors.InsufficientPrivilege


@pytest.fixture
def granted(empty: str) -> Iterator[str]:
    """A migrated schema, whose owner may take on each role."""
    migrate(empty)
    with psycopg.connect(empty, autocommit=True) as connection:
        found = [name for (name,) in connection.execute("SELECT rolname FROM pg_roles").fetchall()]
        if not set(ROLES) <= set(found):
            pytest.skip("the owner of this database may not create roles")
        for role in ROLES:
            connection.execute(f"GRANT {role} TO CURRENT_USER")
        yield empty
        for role in ROLES:
            connection.execute(f"DROP OWNED BY {role}")


def connect(url: str, role: str) -> psycopg.Connection:
    connection = psycopg.connect(url, autocommit=True)
    connection.execute(f"SET ROLE {role}")
    return connection


def as_role(url: str, role: str) -> str:
    return f"{url}{quote(f' -c role={role}')}"


async def test_the_engine_needs_no_more_than_its_role(granted: str) -> None:
    url = as_role(granted, "meterstream_engine")
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("meterstream_engine",)
        assert all(file.applied for file in status(connection) if file.applies)
    assert migrate(url) == []
    feed = Feed(TimescaleStore(url, lateness_s=60.0), unique("topic"), unique("m"))
    await feed.start()
    assert (await feed.write(batch(feed.meter(), START_US, consumption_kwh=1.0))).fresh.all()
    await feed.store.close()


@pytest.mark.usefixtures("only_plain")
async def test_the_engine_sums_up_and_leaves_dropping_to_the_owner(granted: str) -> None:
    url = as_role(granted, "meterstream_engine")
    assert await catch_up(url, 0) == []
    with psycopg.connect(granted, autocommit=True) as connection:
        connection.execute("SELECT add_readings_partitions(ARRAY[timestamptz '2020-01-01'])")
    with pytest.raises(ConfigurationError, match="db maintain"):
        await keep_up(url, Retention(365, 0, 0, 0, 14))


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE alerts", "TRUNCATE meter_readings", "CREATE TABLE mine (x int)", "DELETE FROM schema_migrations",
     "UPDATE vee_values SET reason = 'x'", "DELETE FROM vee_values"],
)  # fmt: skip
def test_the_engine_may_not(granted: str, statement: str) -> None:
    with connect(granted, "meterstream_engine") as connection, pytest.raises(DENIED):
        connection.execute(statement)


@pytest.mark.parametrize("role", ["meterstream_reader", "meterstream_grafana"])
def test_who_reads_reads_everything_that_panels_show_and_changes_nothing(granted: str, role: str) -> None:
    with connect(granted, role) as connection:
        for view in ("meter_hours", "meter_days", "meter_months", "meter_latest", "alerts", "missing_intervals",
                     "window_aggregates", "market_bars", "best_hours", "meter_readings"):  # fmt: skip
            connection.execute(f"SELECT * FROM {view} LIMIT 1")
        connection.execute("SELECT * FROM resample('M1', now() - interval '1 day', now(), '1 hour')")
        connection.execute("SELECT * FROM top_meters(current_date, current_date)")
        for statement in ("DELETE FROM alerts", "UPDATE alerts SET message = ''",
                          "INSERT INTO region_clocks VALUES ('', '')", "CREATE TABLE mine (x int)"):  # fmt: skip
            with pytest.raises(DENIED):
                connection.execute(statement)


def test_payloads_of_rejects_are_for_people_not_for_panels(granted: str) -> None:
    with connect(granted, "meterstream_grafana") as connection:
        connection.execute("SELECT reason, count(*) FROM rejected_readings GROUP BY 1")
        with pytest.raises(DENIED):
            connection.execute("SELECT payload FROM rejected_readings")
    with connect(granted, "meterstream_reader") as connection:
        connection.execute("SELECT payload FROM rejected_readings")


def test_the_admin_may_correct_and_make_tables(granted: str) -> None:
    with connect(granted, "meterstream_admin") as connection:
        connection.execute("INSERT INTO region_clocks VALUES ('R', 'Europe/Madrid')")
        connection.execute("TRUNCATE alert_signs")
        connection.execute("CREATE TABLE mine (x int)")
        connection.execute("DROP TABLE mine")


def test_tables_of_later_migrations_are_granted_too(granted: str) -> None:
    with psycopg.connect(granted, autocommit=True) as connection:
        connection.execute("CREATE TABLE later (x int)")
    with connect(granted, "meterstream_engine") as connection:
        connection.execute("INSERT INTO later VALUES (1)")
    with connect(granted, "meterstream_reader") as connection:
        assert connection.execute("SELECT x FROM later").fetchall() == [(1,)]
