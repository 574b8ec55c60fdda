"""What the database is and how much it holds: version, migrations, tables."""

from dataclasses import dataclass
from typing import Any

import psycopg

from sinks.migrations import PLAIN_ENDING, Migration
from sinks.migrations import status as migrations_of
from stream.database import connected
from stream.storage_status import StorageStatus, storage_status

_TABLES = """
SELECT t.relname, sum(pg_total_relation_size(c.oid))::bigint,
       sum(greatest(s.n_live_tup, c.reltuples::bigint, 0))::bigint
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
JOIN pg_class t ON t.oid = coalesce(i.inhparent, c.oid)
LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')
GROUP BY t.relname ORDER BY t.relname
"""
#: The table itself is empty there: all rows are in its chunks.
_HYPERTABLES = """
SELECT hypertable_name, hypertable_size(format('%I.%I', hypertable_schema, hypertable_name)::regclass),
       approximate_row_count(format('%I.%I', hypertable_schema, hypertable_name)::regclass)
FROM timescaledb_information.hypertables WHERE hypertable_schema = current_schema()
"""


@dataclass(frozen=True)
class TableSize:
    """One table.

    Attributes:
        name: its name.
        size_bytes: with its indexes [bytes].
        rows: an estimate, as the database keeps it.
    """

    name: str
    size_bytes: int
    rows: int


@dataclass(frozen=True)
class SchemaStatus:
    """The database as the engine sees it.

    Attributes:
        postgres: version of PostgreSQL.
        timescale: version of TimescaleDB, None on plain PostgreSQL.
        migrations: every migration file.
        tables: every table; a partition counts for its table.
        storage: how rows are kept, None in a database from before they were kept so.
    """

    postgres: str
    timescale: str | None
    migrations: list[Migration]
    tables: list[TableSize]
    storage: StorageStatus | None = None

    @property
    def product(self) -> str:
        """Name the database."""
        if self.timescale is None:
            return f"PostgreSQL {self.postgres}, plain (TimescaleDB is not installed)"
        return f"TimescaleDB {self.timescale} on PostgreSQL {self.postgres}"

    @property
    def due(self) -> list[str]:
        """Names of the migrations that are still to be applied."""
        return [migration.name for migration in self.migrations if migration.applies and not migration.applied]

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "postgresql": self.postgres,
            "timescaledb": self.timescale,
            "migrations": [
                {"name": item.name, "applied": item.applied, "applies": item.applies} for item in self.migrations
            ],
            "due": self.due,
            "tables": [{"name": t.name, "size_bytes": t.size_bytes, "rows_estimate": t.rows} for t in self.tables],
            "storage": None if self.storage is None else self.storage.as_json(),
        }


def schema_status(database_url: str) -> SchemaStatus:
    """Look at the database.

    Raises:
        ServiceUnavailable: it does not answer.
        ConfigurationError: a migration that was applied has changed since.
    """
    with connected(database_url) as connection:
        migrations = migrations_of(connection)
        timescale = _one(connection, "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
        tables = {row[0]: TableSize(*row) for row in connection.execute(_TABLES)}
        chunked = timescale is not None and not any(m.applied and m.name.endswith(PLAIN_ENDING) for m in migrations)
        if chunked:
            tables |= {row[0]: TableSize(*row) for row in connection.execute(_HYPERTABLES)}
        version = _one(connection, "SHOW server_version") or "of unknown version"
        storage = storage_status(connection, timescale=chunked)
        return SchemaStatus(
            version.split()[0], timescale if chunked else None, migrations, list(tables.values()), storage
        )


def _one(connection: psycopg.Connection, query: str) -> str | None:
    row = connection.execute(query.encode()).fetchone()
    return None if row is None else str(row[0])
