"""A connection to the database for commands that look at what the engine has stored."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row
from pydantic import BaseModel

from schemas.errors import ConfigurationError, ServiceUnavailable

M = TypeVar("M", bound=BaseModel)

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


def rows_as(url: str, query: str, parameters: Sequence[Any] | Mapping[str, Any], model: type[M]) -> list[M]:
    """Return the rows of a query, each as a model of its columns.

    Raises:
        ServiceUnavailable: as `connected`.
        ConfigurationError: as `connected`.
    """
    with connected(url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return [model.model_validate(row) for row in cursor.execute(query.encode(), parameters).fetchall()]
