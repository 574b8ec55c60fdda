"""The ground that everybody runs on: one stack of servers on free ports, and a database that is emptied in between."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import psycopg
import redis

from sinks.migrations import migrate
from stream.stack.endpoints import Endpoints
from stream.stack.postgres import SUPERUSER
from stream.stack.stack import LocalStack
from tests.bench.figures import Span, span_of
from tests.bench.spec import START_S, Load

#: What a run does not change.
_KEPT = (
    "smart_meters", "meter_moves", "registry_changes", "readings_kept", "transformers", "feeders", "substations",
    "schema_migrations",
)  # fmt: skip


@dataclass(frozen=True)
class Ground:
    """A running stack with an empty schema.

    Attributes:
        stack: the servers.
        endpoints: where they are.
    """

    stack: LocalStack
    endpoints: Endpoints

    @property
    def directory(self) -> Path:
        """Where the stack keeps its data, and the engine its notes."""
        return self.stack.directory

    @property
    def superuser_url(self) -> str:
        """The database as its superuser: for checkpoints between runs, never for a run."""
        parts = urlsplit(self.endpoints.database_url)
        netloc = f"{SUPERUSER}:{parts.password}@{parts.hostname}:{parts.port}"
        return urlunsplit(parts._replace(netloc=netloc))

    def server_pid(self, name: str) -> int:
        """Return the process id of one server."""
        pid = self.stack.status().server(name).pid
        if pid is None:
            raise RuntimeError(f"{name} does not run: see {self.directory}/logs")
        return pid

    def empty(self) -> None:
        """Empty every table of results and Redis, and let PostgreSQL write out what it holds, so that no run pays for
        the one before."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            results = [name for (name,) in found if name not in _KEPT]
            connection.execute(f"TRUNCATE {', '.join(results)}".encode())
            # The engine makes them as it needs them; its peers cannot.
            connection.execute(
                "SELECT add_readings_partitions(array_agg(t)) FROM generate_series(%s, now(), interval '1 month') AS t",
                (datetime.fromtimestamp(START_S, UTC),),
            )
            connection.execute("CHECKPOINT")
        with redis.Redis.from_url(self.endpoints.redis_url) as client:
            client.flushall()

    def register(self, load: Load) -> None:
        """Replace the registry by the meters and transformers of a load."""
        boxes = load.transformer_of()
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute("TRUNCATE smart_meters, transformers RESTART IDENTITY CASCADE")
            connection.execute(
                "INSERT INTO transformers (name) SELECT unnest(%s::text[])",
                ([f"T{number:05d}" for number in range(load.transformers)],),
            )
            rows = connection.execute("SELECT name, transformer_id FROM transformers ORDER BY name").fetchall()
            ids = np.array([key for _, key in rows])
            with connection.cursor().copy(
                "COPY smart_meters (meter_number, transformer_id, status) FROM STDIN"
            ) as copy:
                text = "\n".join(
                    f"{name}\t{box}\tactive"
                    for name, box in zip(load.names.to_pylist(), ids[boxes].tolist(), strict=True)
                )
                copy.write(text + "\n")
            connection.execute(
                "INSERT INTO meter_moves (meter_id, valid_from, transformer_id, customer_class) "
                "SELECT meter_id, '-infinity', transformer_id, 'unclassified' FROM smart_meters"
            )
            connection.execute("ANALYZE smart_meters, meter_moves, transformers")

    def inserted(self) -> int:
        """Return how many rows were ever inserted into the readings, uncommitted ones included: cheap to ask."""
        with psycopg.connect(self.endpoints.database_url) as connection:
            row = connection.execute(
                "SELECT sum(n_tup_ins) FROM pg_stat_user_tables WHERE relname ~ '^(meter_readings|_hyper_)'"
            ).fetchone()
        return int(row[0]) if row else 0

    def rows(self) -> int:
        """Return how many readings are stored; reads the whole table."""
        with psycopg.connect(self.endpoints.database_url) as connection:
            row = connection.execute("SELECT count(*) FROM meter_readings").fetchone()
        return int(row[0]) if row else 0

    def bytes_per_row(self) -> float:
        """Return what a stored reading takes on disk with its share of the indexes [bytes]."""
        with psycopg.connect(self.endpoints.database_url) as connection:
            row = connection.execute(
                "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('meter_readings')"
            ).fetchone()
        return float(row[0]) / max(self.rows(), 1) if row else 0.0

    def commits(self) -> list[tuple[float, int]]:
        """Return when rows were committed, by PostgreSQL's own record: time [s since 1970], rows."""
        with psycopg.connect(self.endpoints.database_url) as connection:
            return connection.execute(
                "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8, count(*) FROM meter_readings "
                "GROUP BY xmin"
            ).fetchall()

    def span(self) -> Span:
        """Return from when to when the stored readings were committed, and how many."""
        return span_of(self.commits())


@contextmanager
def ground(directory: Path) -> Iterator[Ground]:
    """Start a stack of its own, whose PostgreSQL remembers when each transaction was committed; stop it in the end."""
    stack = LocalStack(directory)
    try:
        endpoints = stack.up(attached=True)
        found = Ground(stack, endpoints)
        with psycopg.connect(found.superuser_url, autocommit=True) as connection:
            # Ten bytes per transaction: the exact time of every commit, without anybody asking meanwhile.
            connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
            connection.execute("CHECKPOINT")
        stack.kill("postgres")
        endpoints = stack.wait_healthy()
        migrate(endpoints.database_url)
        yield Ground(stack, endpoints)
    finally:
        stack.down(purge=True)
