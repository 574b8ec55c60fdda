"""An outbox in the database: what is due is taken, handed on, and gone once it has been, in one transaction.

Guarantee: at least once; one process at a time hands on.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import psycopg

from schemas.errors import ServiceUnavailable

T = TypeVar("T")


class Outbox(ABC, Generic[T]):
    """Finds what is due and was not handed on yet.

    Args:
        url: `postgresql://...`.
        lock: any number that nothing else locks.
    """

    def __init__(self, url: str, lock: int) -> None:
        self._url = url
        self._lock = lock
        self._connection: psycopg.AsyncConnection | None = None

    async def hand_on(self, send: Callable[[list[T]], Awaitable[None]]) -> int:
        """Hand some of what is due on; it counts as handed on once `send` has returned.

        Returns: how many; call again while there are any.

        Raises:
            ServiceUnavailable: try again later.
        """
        try:
            if self._connection is None or self._connection.closed:
                self._connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=10)
            async with self._connection.transaction():
                items = await self._due(self._connection) if await self._first(self._connection) else []
                if items:
                    await send(items)
        except psycopg.OperationalError as error:
            await self.close()
            raise ServiceUnavailable("database", error) from error
        return len(items)

    async def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await asyncio.shield(connection.close())

    @abstractmethod
    async def _due(self, connection: psycopg.AsyncConnection) -> list[T]:
        """Take some of what is due."""

    async def _first(self, connection: psycopg.AsyncConnection) -> bool:
        """Whether no other process is at it."""
        locked = await (await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (self._lock,))).fetchone()
        return bool(locked and locked[0])
