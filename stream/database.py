"""A connection to the database for commands that look at what the engine has stored."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from schemas.errors import ConfigurationError, ServiceUnavailable

_CONNECT_TIMEOUT_S = 10


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """Give a connection, each statement its own transaction unless one is opened.

    Raises:
        ServiceUnavailable: the database does not answer, or the connection was lost.
        ConfigurationError: the database has not been migrated.
    """
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise ServiceUnavailable("database", str(error).strip()) from error
    except psycopg.errors.UndefinedTable as error:
        raise ConfigurationError(
            f"the database lacks the engine's tables ({error.diag.message_primary}): run `meterstream db migrate`"
        ) from error
