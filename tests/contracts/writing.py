"""What contracts do with a database of their own: write as workers would, and ask."""

from typing import Any

import psycopg

from schemas.delivery import Delivery, Progress
from schemas.readings import ReadingBatch
from schemas.topics import METERS_RAW
from sinks.timescale import TimescaleStore
from tests.builders import START_US, rows
from tests.contracts.test_any_store import nothing


def query(url: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Return what a statement finds, times in UTC."""
    with psycopg.connect(url) as connection:
        connection.execute("SET timezone = 'UTC'")
        return connection.execute(statement.encode(), parameters).fetchall()


class Writer:
    """Workers that take turns: each has its own store, and a memory of what it wrote."""

    def __init__(self, url: str, workers: int = 2) -> None:
        self.stores = [TimescaleStore(url, lateness_s=60.0) for _ in range(workers)]
        self.offset = 0
        self.mark_us = START_US + 10**6 * 86_400 * 30

    async def write(self, of: ReadingBatch, worker: int = 0) -> None:
        store = self.stores[worker]
        await store.position(METERS_RAW.name, "life", 0, 0)
        meter_id, _ = await store.resolve(of.meter_number.to_pylist())
        progress = Progress(0, self.offset, self.offset + 1, self.mark_us, len(of), 0)
        await store.write(
            Delivery(METERS_RAW.name, "life", rows(of, meter_id.tolist(), offset=self.offset), [], [progress]), nothing
        )
        self.offset += 1

    async def close(self) -> None:
        for store in self.stores:
            await store.close()
