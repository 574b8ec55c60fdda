"""Upkeep: what is too old goes, what is not stays, there is always room, and the settings are what the policies say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from sinks.migrations import migrate
from sinks.upkeep import _LOCK, GRACE_DAYS, Retention, keep_up
from stream.settings import RetentionSettings

pytestmark = pytest.mark.integration

FOR_EVER = Retention(0, 0, 0, 0, 14)
YEAR = Retention(365, 365, 365, 365, 14)
ROWS = (
    "INSERT INTO meter_readings (meter_id, reading_time, quality_flag, source_partition, source_offset, arrived_at) "
    "SELECT 1, t, 'normal', 0, 0, t FROM unnest(%s::timestamptz[]) AS t"
)
TICKS = (
    "INSERT INTO market_ticks (series_id, tick_time, revision, starts_at, ends_at, quality_flag, source_partition, "
    "source_offset, arrived_at) SELECT 1, t, 0, t, t, 'normal', 0, 0, t FROM unnest(%s::timestamptz[]) AS t"
)
SIGNS = (
    "INSERT INTO alert_signs (alert_id, kind, severity, element, occurred_at, arrived_at, measured, expected, unit, "
    "score, message) SELECT t::text, '', '', '', t, t, 0, 0, '', 0, '' FROM unnest(%s::timestamptz[]) AS t"
)
REJECTED = (
    "INSERT INTO rejected_readings SELECT t::text, '', '', '', t, NULL, '', '', 0 FROM unnest(%s::timestamptz[]) AS t"
)
EXPLANATIONS = "INSERT INTO reading_explanations SELECT 1, t, '', 0, 0, '', '' FROM unnest(%s::timestamptz[]) AS t"


def days_ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def fill(connection: psycopg.Connection, times: list[datetime]) -> None:
    connection.execute("SELECT add_readings_partitions(%s)", (times,))
    for statement in (ROWS, TICKS, SIGNS, REJECTED, EXPLANATIONS):
        connection.execute(statement, (times,))


def oldest(connection: psycopg.Connection, table: str, column: str) -> datetime:
    row = connection.execute(f"SELECT min({column}) FROM {table}").fetchone()
    assert row is not None
    return row[0]


def run_policies(connection: psycopg.Connection) -> None:
    """Have TimescaleDB's drops done now; plain PostgreSQL has none."""
    if connection.execute("SELECT to_regclass('readings_partitions') IS NULL").fetchone() == (True,):
        jobs = connection.execute(
            "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention' "
            "AND hypertable_schema = current_schema()"
        ).fetchall()
        for (job,) in jobs:
            connection.execute("CALL run_job(%s)", (job,))


async def test_what_is_too_old_goes_and_what_kafka_may_still_hold_stays(empty: str) -> None:
    migrate(empty)
    # A month or a chunk goes when all of it is too old.
    kept, late, gone = days_ago(30), days_ago(365 + GRACE_DAYS - 1), days_ago(365 + GRACE_DAYS + 63)
    with psycopg.connect(empty, autocommit=True) as connection:
        fill(connection, [kept, late, gone])
        assert await keep_up(empty, YEAR)
        run_policies(connection)
        for table, column in (
            ("meter_readings", "reading_time"), ("market_ticks", "tick_time"), ("alert_signs", "occurred_at"),
            ("rejected_readings", "rejected_at"), ("reading_explanations", "reading_time"),
        ):  # fmt: skip
            assert oldest(connection, table, column) == late, table


async def test_silences_go_when_they_are_over_and_never_what_returns(empty: str) -> None:
    migrate(empty)
    old, older = days_ago(365 + GRACE_DAYS + 1), days_ago(365 + GRACE_DAYS + 9)
    silences = {
        "over": (older, old, None, None, None),
        "over lately": (older, days_ago(30), None, None, None),
        "weekly": (older, older + timedelta(hours=1), 7, None, None),
        "weekly until long ago": (older, older + timedelta(hours=1), 7, old, None),
        "weekly until lately": (older, older + timedelta(hours=1), 7, days_ago(30), None),
        "taken back": (older, older + timedelta(hours=1), 7, None, old),
    }
    with psycopg.connect(empty, autocommit=True) as connection:
        for name, said in silences.items():
            connection.execute(
                "INSERT INTO alert_silences (element, begins_at, ends_at, every_days, until, withdrawn_at, "
                "withdrawn_by, by, reason) VALUES (%(n)s, %(b)s, %(e)s, %(d)s, %(u)s, %(w)s, "
                "CASE WHEN %(w)s::timestamptz IS NOT NULL THEN 'ada' END, 'ada', '')",
                dict(zip("nbeduw", (name, *said), strict=True)),
            )
        assert "deleted 3 rows of alert_silences" in await keep_up(empty, YEAR)
        left = {name for (name,) in connection.execute("SELECT element FROM alert_silences")}
        assert left == {"over lately", "weekly", "weekly until lately"}


async def test_for_ever_drops_nothing(empty: str) -> None:
    migrate(empty)
    with psycopg.connect(empty, autocommit=True) as connection:
        fill(connection, [days_ago(8_000)])
        await keep_up(empty, YEAR)
        await keep_up(empty, FOR_EVER)
        fill(connection, [days_ago(7_000)])
        await keep_up(empty, FOR_EVER)
        run_policies(connection)
        assert oldest(connection, "meter_readings", "reading_time") < days_ago(6_999)


async def test_what_was_dropped_stays_known_when_the_setting_changes(empty: str) -> None:
    migrate(empty)
    since = "SELECT readings_kept_since() BETWEEN %s AND %s"
    with psycopg.connect(empty, autocommit=True) as connection:
        fill(connection, [days_ago(8_000), days_ago(1)])
        await keep_up(empty, YEAR)
        run_policies(connection)
        await keep_up(empty, FOR_EVER)
        ages = days_ago(365 + GRACE_DAYS + 0.1), days_ago(365 + GRACE_DAYS - 1.1)
        assert connection.execute(since, ages).fetchone() == (True,)
        await keep_up(empty, replace(YEAR, readings_days=700))
        assert connection.execute(since, ages).fetchone() == (True,)


async def test_the_second_time_there_is_nothing_to_do(empty: str) -> None:
    migrate(empty)
    assert await keep_up(empty, YEAR)
    assert await keep_up(empty, YEAR) == []


@pytest.mark.usefixtures("only_plain")
async def test_there_is_room_before_readings_come(empty: str) -> None:
    migrate(empty)
    assert await keep_up(empty, YEAR) == ["made 3 partitions"]
    with psycopg.connect(empty) as connection:
        connection.execute(ROWS, ([days_ago(0), days_ago(-30)],))


@pytest.mark.usefixtures("only_plain")
async def test_a_partition_in_use_is_dropped_another_time(empty: str) -> None:
    migrate(empty)
    with psycopg.connect(empty, autocommit=True) as connection:
        fill(connection, [days_ago(800)])
        with psycopg.connect(empty) as reader:
            reader.execute("SELECT count(*) FROM meter_readings")
            assert any("in use" in done for done in await keep_up(empty, YEAR))
        assert any("dropped" in done for done in await keep_up(empty, YEAR))


async def test_one_process_at_a_time(empty: str) -> None:
    migrate(empty)
    with psycopg.connect(empty, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        assert await keep_up(empty, YEAR) == []


@pytest.mark.timescale
@pytest.mark.usefixtures("only_timescale")
async def test_policies_follow_the_settings(empty: str) -> None:
    migrate(empty)
    first = await keep_up(empty, YEAR)
    assert f"meter_readings: drop_after is {365 + GRACE_DAYS} days now" in first
    assert "meter_readings: compress_after is 14 days now" in first
    assert await keep_up(empty, FOR_EVER) == [
        "meter_readings: drop_after is never now", "market_ticks: drop_after is never now",
    ]  # fmt: skip


def test_24_months_are_kept_unless_somebody_says_otherwise() -> None:
    default = RetentionSettings()
    assert default.kept.readings_days == 731
    assert default.limits.retention_s == 731 * 86_400
    assert RetentionSettings(readings_days=0).limits.retention_s == float("inf")
