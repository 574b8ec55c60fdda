"""What a database needs from time to time: room for readings to come, and what is too old dropped.

With TimescaleDB the database does it itself, by policies that are kept as the settings say; without, we do.
Guarantee: a reading that was taken in stays for as long as readings are kept, and a week more: as long as Kafka has the
record that brought it, so that `meterstream reconcile` can hold the two against each other.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql

from schemas.topics import METERS_RAW
from sinks.meter_book import PLACES_LOCK
from sinks.upkeep_log import noted

#: Any number that nothing else locks: one process at a time.
_LOCK = 7_382_917
#: Months made ahead: a worker that finds one missing makes it, too, but only when it has rows for it.
_AHEAD = 2
#: Dropping a partition waits for whoever reads the table, and everybody then waits for us: rather another time.
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '3s'"
#: How long Kafka has what was taken in [d].
GRACE_DAYS = (METERS_RAW.retention_s or 0) // 86_400
_ROWS_AT_ONCE = 20_000
_READINGS = "meter_readings"

_IS_PLAIN = "SELECT to_regclass('readings_partitions') IS NOT NULL"
_AHEAD_OF_NOW = """
SELECT add_readings_partitions(array_agg(date_trunc('month', now()) + n * interval '1 month'))
FROM generate_series(0, %s) AS n
"""
_TOO_OLD = "SELECT name FROM readings_partitions WHERE ends_at <= now() - make_interval(days => %s) ORDER BY starts_at"
# Nobody counts windows again meanwhile, from readings that are gone then.
_HOLD = f"SELECT pg_advisory_xact_lock({PLACES_LOCK})"
_DROPPED = "UPDATE readings_kept SET since = greatest(since, now() - %s::interval)"
# When a silence is over; one that returns for ever is not until it is taken back.
_SILENCE_OVER = sql.SQL(
    "CASE WHEN withdrawn_at IS NOT NULL THEN withdrawn_at WHEN every_days IS NULL THEN ends_at "
    "ELSE until + (ends_at - begins_at) END"
)
_POLICY = """
SELECT config ->> %s FROM timescaledb_information.jobs
WHERE proc_name = %s AND hypertable_schema = current_schema() AND hypertable_name = %s
"""


@dataclass(frozen=True)
class Retention:
    """How long rows are kept [d]; 0 is for ever.

    Attributes:
        readings_days: readings.
        ticks_days: market ticks.
        alerts_days: alerts that have ended, with their history, signs, and silences that are over.
        rejected_days: what was rejected.
        compress_after_days: age from which chunks are compressed, with TimescaleDB.
    """

    readings_days: int
    ticks_days: int
    alerts_days: int
    rejected_days: int
    compress_after_days: int


@dataclass(frozen=True)
class Policy:
    """What TimescaleDB does by itself with the chunks of one table.

    Attributes:
        proc: name of the job.
        setting: of its configuration: the age of a chunk that it is due at.
        add: statement that adds it.
        remove: statement that takes it away.
    """

    proc: str
    setting: str
    add: str
    remove: str


_DROP = Policy(
    "policy_retention",
    "drop_after",
    "SELECT add_retention_policy(%s, drop_after => make_interval(days => %s))",
    "SELECT remove_retention_policy(%s, if_exists => true)",
)
_COMPRESS = Policy(
    "policy_compression",
    "compress_after",
    "SELECT add_compression_policy(%s, compress_after => make_interval(days => %s))",
    "SELECT remove_compression_policy(%s, if_exists => true)",
)


async def keep_up(url: str, retention: Retention) -> list[str]:
    """Do what is due; nothing while another process is at it.

    Returns: what was done, in words.

    Raises:
        ServiceUnavailable: try again later; what was done stays done.
        ConfigurationError: this role may not do it.
    """
    async with noted(url, "upkeep") as connection:
        if not await _one(connection, "SELECT pg_try_advisory_lock(%s)", _LOCK):
            return []
        if await _one(connection, _IS_PLAIN):
            done = await _partitions(connection, retention.readings_days)
            done += await _delete(connection, "market_ticks", "tick_time", retention.ticks_days)
        else:
            done = await _policies(connection, retention)
        done += await _delete(connection, "reading_explanations", "reading_time", retention.readings_days)
        done += await _delete(connection, "alert_signs", "occurred_at", retention.alerts_days)
        # What stands has not ended, however old it is.
        done += await _delete(connection, "alerts", "ended_at", retention.alerts_days)
        done += await _delete(connection, "alert_silences", _SILENCE_OVER, retention.alerts_days)
        return done + await _delete(connection, "rejected_readings", "rejected_at", retention.rejected_days)


async def _partitions(connection: psycopg.AsyncConnection, days: int) -> list[str]:
    """Make partitions ahead, and drop those that hold nothing but what is too old."""
    made = await _one(connection, _AHEAD_OF_NOW, _AHEAD)
    done = [f"made {made} partitions"] if made else []
    old = await (await connection.execute(_TOO_OLD, (days + GRACE_DAYS,))).fetchall() if days else []
    if old:
        await _note_dropped(connection, f"{days + GRACE_DAYS} days")
    for (name,) in old:
        try:
            async with connection.transaction():
                await connection.execute(_LOCK_TIMEOUT)
                await connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
        except psycopg.errors.LockNotAvailable:
            done.append(f"{name} is too old, but in use: next time")
        else:
            done.append(f"dropped {name}")
    return done


async def _policies(connection: psycopg.AsyncConnection, retention: Retention) -> list[str]:
    """Have TimescaleDB drop and compress as the settings say."""
    kept = {_READINGS: retention.readings_days, "market_ticks": retention.ticks_days}
    done = list[str]()
    for table, days in kept.items():
        done += await _set(connection, table, _DROP, days + GRACE_DAYS if days else 0)
        done += await _set(connection, table, _COMPRESS, retention.compress_after_days)
    return done


async def _set(connection: psycopg.AsyncConnection, table: str, policy: Policy, days: int) -> list[str]:
    found = await _one(connection, _POLICY, policy.setting, policy.proc, table)
    wanted = f"{days} days" if days else None
    if found == wanted:
        return []
    if isinstance(found, str) and policy is _DROP and table == _READINGS:
        await _note_dropped(connection, found)
    async with connection.transaction():
        if found is not None:
            await connection.execute(policy.remove.encode(), (table,))
        if wanted is not None:
            await connection.execute(policy.add.encode(), (table, days))
    return [f"{table}: {policy.setting} is {wanted or 'never'} now"]


async def _note_dropped(connection: psycopg.AsyncConnection, age: str) -> None:
    """Keep in mind that readings of this age are gone, before they are: settings may change, that does not."""
    async with connection.transaction():
        await connection.execute(_HOLD.encode())
        await connection.execute(_DROPPED, (age,))


async def _delete(connection: psycopg.AsyncConnection, table: str, age: str | sql.SQL, days: int) -> list[str]:
    """Delete rows that are too old by a column or an expression, some at a time, so that nobody waits for long."""
    if not days:
        return []
    statement = sql.SQL(
        "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {age} < %s LIMIT {most}))"
    ).format(
        table=sql.Identifier(table),
        age=sql.Identifier(age) if isinstance(age, str) else age,
        most=sql.Literal(_ROWS_AT_ONCE),
    )
    before, total = datetime.now(UTC) - timedelta(days=days + GRACE_DAYS), 0
    while (count := (await connection.execute(statement, (before,))).rowcount) > 0:
        total += count
    return [f"deleted {total} rows of {table}"] if total else []


async def _one(connection: psycopg.AsyncConnection, statement: str, *parameters: object) -> object:
    row = await (await connection.execute(statement.encode(), parameters)).fetchone()
    return row[0] if row else None
