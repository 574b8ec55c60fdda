"""The database schema: numbered SQL files applied in order, each once, whoever starts first.

What a database is, TimescaleDB or plain PostgreSQL, is decided when it is migrated first, and stays.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from schemas.errors import ConfigurationError, ServiceUnavailable

DIRECTORY = Path(__file__).resolve().parent.parent / "infra" / "sql"
#: Files with this ending are for databases that have the TimescaleDB extension, and for those that do not.
TIMESCALE_ENDING, PLAIN_ENDING = ".timescaledb.sql", ".postgresql.sql"
#: Compression and continuous aggregates are not in the build under the Apache license that some distributions ship.
_IS_COMPLETE = "SELECT current_setting('timescaledb.license', true) = 'timescale'"
_FIND_TIMESCALE = "SELECT installed_version FROM pg_available_extensions WHERE name = 'timescaledb'"
_CREATE_TIMESCALE = "CREATE EXTENSION IF NOT EXISTS timescaledb"
#: Any number that nothing else locks: serialises engines that start at the same time.
_LOCK = 7_382_911


@dataclass(frozen=True)
class Migration:
    """One numbered file.

    Attributes:
        name: file name.
        sql: its text.
        applied: whether the database has it.
        applies: whether it is meant for this database.
    """

    name: str
    sql: str
    applied: bool
    applies: bool

    @property
    def checksum(self) -> str:
        """Digest of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrate(database_url: str) -> list[str]:
    """Bring a database to the newest schema.

    Returns: names of the files that were applied now, in order; none when there was nothing to do.

    Raises:
        ServiceUnavailable: the database does not answer.
        ConfigurationError: a file that was applied has changed since.
    """
    try:
        with psycopg.connect(database_url, autocommit=True, connect_timeout=10) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            return [_apply(connection, migration) for migration in status(connection) if _due(migration)]
    except psycopg.OperationalError as error:
        raise ServiceUnavailable("database", error) from error


def has_timescale(connection: psycopg.Connection) -> bool:
    """Say whether all of TimescaleDB is there, creating the extension in this database where it is installed."""
    row = connection.execute(_FIND_TIMESCALE).fetchone()
    if row is None:
        return False
    if row[0] is None:
        info = connection.info
        try:
            # Where it is not preloaded, TimescaleDB ends the session that asks for it: let another one ask.
            with psycopg.connect(info.dsn, password=info.password, autocommit=True, connect_timeout=10) as other:
                other.execute(_CREATE_TIMESCALE)
        except psycopg.Error:
            # Installed on the machine but not preloaded, or this role may not create it: plain PostgreSQL serves.
            return False
    complete = connection.execute(_IS_COMPLETE).fetchone()
    return bool(complete and complete[0])


def status(connection: psycopg.Connection) -> list[Migration]:
    """Return every file in order, with whether this database has it.

    Raises:
        ConfigurationError: a file that was applied has changed since, or TimescaleDB has gone.
    """
    # Not IF NOT EXISTS: a role that may not make tables may not ask that way either.
    if connection.execute("SELECT to_regclass('schema_migrations') IS NULL").fetchone() == (True,):
        connection.execute(
            "CREATE TABLE schema_migrations "
            "(name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
    rows: list[tuple[str, str]] = connection.execute("SELECT name, checksum FROM schema_migrations").fetchall()
    applied = dict(rows)
    timescale = _is_timescale(connection, applied)
    migrations = [
        Migration(path.name, path.read_text(), path.name in applied, _is_for(path.name, timescale=timescale))
        for path in sorted(DIRECTORY.glob("*.sql"))
    ]
    for migration in migrations:
        if migration.applied and applied[migration.name] != migration.checksum:
            raise ConfigurationError(
                f"{migration.name} was changed after this database had applied it; put the change into a new file"
            )
    return migrations


def _is_timescale(connection: psycopg.Connection, applied: Iterable[str]) -> bool:
    """Say what a database is; one that began as plain PostgreSQL is so for good."""
    names = list(applied)
    if any(name.endswith(PLAIN_ENDING) for name in names):
        return False
    found = has_timescale(connection)
    if not found and any(name.endswith(TIMESCALE_ENDING) for name in names):
        raise ConfigurationError(
            "this database was made with TimescaleDB, which is not there or not in its community edition "
            "(timescaledb.license must be timescale)"
        )
    return found


def _is_for(name: str, *, timescale: bool) -> bool:
    return not name.endswith(PLAIN_ENDING if timescale else TIMESCALE_ENDING)


def _due(migration: Migration) -> bool:
    return migration.applies and not migration.applied


def _apply(connection: psycopg.Connection, migration: Migration) -> str:
    with connection.transaction():
        connection.execute(migration.sql.encode())
        connection.execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES (%s, %s)", (migration.name, migration.checksum)
        )
    return migration.name
