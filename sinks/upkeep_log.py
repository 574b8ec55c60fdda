"""What the engine did for the database, and how it went: one row per job."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from schemas.errors import ConfigurationError, ServiceUnavailable

_NOTE = """
INSERT INTO upkeep_runs AS r (job, ran_at, took_s, error, runs, failures) VALUES (%s, now(), %s, %s, 1, %s)
ON CONFLICT (job) DO UPDATE SET ran_at = now(), took_s = excluded.took_s, error = excluded.error, runs = r.runs + 1,
    failures = r.failures + excluded.failures
"""


@asynccontextmanager
async def noted(url: str, job: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """Give a connection for one run of a job, and note how it went.

    Raises:
        ServiceUnavailable: the database went away; nothing is noted.
        ConfigurationError: this role may not do it.
    """
    began_s = time.monotonic()
    try:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=10) as connection:
            try:
                yield connection
            except psycopg.OperationalError:
                raise
            except psycopg.Error as error:
                await connection.execute(_NOTE, (job, time.monotonic() - began_s, str(error).strip(), 1))
                raise
            await connection.execute(_NOTE, (job, time.monotonic() - began_s, "", 0))
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"{job}: {error.diag.message_primary}; have the owner of the tables run `meterstream db maintain`"
        ) from error
    except psycopg.OperationalError as error:
        raise ServiceUnavailable("database", error) from error
