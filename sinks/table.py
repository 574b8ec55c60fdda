"""A table that rows of one kind go into, and the statements that bring them there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy.typing as npt

from schemas.delivery import StoredRows
from schemas.rejected import Reason
from sinks.copy_binary import CopyColumn

R = TypeVar("R", bound=StoredRows[Any])


@dataclass(frozen=True)
class Table(Generic[R]):
    """Where rows go; the first row of an identity stays.

    Attributes:
        name: of the table; staging stands beside it in the session.
        identity: columns that name a row; unique.
        columns: all stored columns, with their types.
        values: columns in which a repeat must not differ.
        encode: the columns of some rows, in this order.
        identities: the identity columns of some rows, as numbers.
        conflict: what is said of a row that contradicts what is stored.
    """

    name: str
    identity: tuple[str, ...]
    columns: Mapping[str, str]
    values: tuple[str, ...]
    encode: Callable[[R], list[CopyColumn]]
    identities: Callable[[R], tuple[npt.NDArray[Any], ...]]
    conflict: tuple[Reason, str]

    @property
    def _staged(self) -> str:
        return f"staged_{self.name}"

    @cached_property
    def staging(self) -> str:
        """Staging lives in the session and is emptied by each commit; it is never written to the log."""
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        return f"CREATE TEMP TABLE IF NOT EXISTS {self._staged} (position integer, {columns}) ON COMMIT DELETE ROWS"

    @cached_property
    def copy_new(self) -> str:
        """Straight into the table: twice as fast as through staging, but one row that is there already fails it all."""
        return f"COPY {self.name} ({_listed(self.columns)}) FROM STDIN (FORMAT BINARY)"

    @cached_property
    def copy_staged(self) -> str:
        """Into staging; each row is led by its position in the delivery."""
        return f"COPY {self._staged} (position, {_listed(self.columns)}) FROM STDIN (FORMAT BINARY)"

    @cached_property
    def add(self) -> str:
        """Add what is staged; answers with the rows that were not added.

        Where a row came from does not tell: a topic that is made again repeats its partitions and offsets.
        """
        identity = _listed(self.identity)
        return (
            f"WITH added AS (INSERT INTO {self.name} ({_listed(self.columns)}) "  # noqa: S608 - names are constants
            f"SELECT {_listed(self.columns)} FROM {self._staged} ON CONFLICT ({identity}) DO NOTHING "
            f"RETURNING {identity}) SELECT position FROM {self._staged} s LEFT JOIN added a USING ({identity}) "
            f"WHERE a.{self.identity[0]} IS NULL"
        )

    @cached_property
    def find_differing(self) -> str:
        """Of some positions, find those whose staged row differs from the one in the table."""
        return (
            f"SELECT s.position FROM {self._staged} s JOIN {self.name} r USING ({_listed(self.identity)}) "  # noqa: S608 - names are constants
            f"WHERE s.position = ANY(%s) "
            f"AND ({_listed(self.values, 's.')}) IS DISTINCT FROM ({_listed(self.values, 'r.')})"
        )


def _listed(names: Any, prefix: str = "") -> str:
    return ", ".join(prefix + name for name in names)
