"""One backing per kind of sink; a sink without one here fails, so that none goes untested."""

from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import quote

import psycopg
import pytest

from sinks.migrations import migrate
from sinks.sink import Latest, Store
from stream.stack.endpoints import Endpoints
from tests.contracts import found
from tests.contracts.backings import (
    LatestBacking,
    MemoryBacking,
    MemoryLatestBacking,
    PostgresBacking,
    RedisBacking,
    StoreBacking,
    unique,
)

#: Class name -> fixture that gives its backing; those in memory need no server.
BACKINGS = {
    "MemoryStore": "memory_backing",
    "TimescaleStore": "postgres_backing",
    "MemoryLatest": "memory_latest_backing",
    "RedisLatest": "redis_backing",
}


def _params(classes: list[type]) -> list[object]:
    return [
        pytest.param(cls, id=cls.__name__, marks=() if "Memory" in cls.__name__ else pytest.mark.integration)
        for cls in classes
    ]


@pytest.fixture(scope="session")
def database_url(stack: Endpoints) -> Iterator[str]:
    """A migrated schema of the contracts' own, in the stack's database."""
    name = unique("contracts").strip("-").replace("-", "_")
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        url = f"{stack.database_url}?options={quote(f'-c search_path={name},public')}"
        migrate(url)
        yield url
        connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def memory_backing() -> StoreBacking:
    return MemoryBacking()


@pytest.fixture
def postgres_backing(database_url: str) -> StoreBacking:
    return PostgresBacking(database_url)


@pytest.fixture
def memory_latest_backing() -> LatestBacking:
    return MemoryLatestBacking()


@pytest.fixture
def redis_backing(stack: Endpoints) -> LatestBacking:
    return RedisBacking(stack.redis_url)


@pytest.fixture(params=_params(found.stores()))
def backing(request: pytest.FixtureRequest) -> StoreBacking:
    assert request.param.__name__ in BACKINGS, "a new store: say in tests/contracts/conftest.py what stands behind it"
    return request.getfixturevalue(BACKINGS[request.param.__name__])


@pytest.fixture
async def connect(backing: StoreBacking) -> AsyncIterator[Callable[[], Store]]:
    """Opens stores on the test's database, and closes them."""
    opened: list[Store] = []

    def another() -> Store:
        opened.append(backing.connect())
        return opened[-1]

    yield another
    for store in opened:
        await store.close()


@pytest.fixture
async def store(connect: Callable[[], Store]) -> Store:
    made = connect()
    await made.open()
    return made


@pytest.fixture(params=_params(found.latests()))
def latest_backing(request: pytest.FixtureRequest) -> LatestBacking:
    assert request.param.__name__ in BACKINGS, "a new sink: say in tests/contracts/conftest.py what stands behind it"
    return request.getfixturevalue(BACKINGS[request.param.__name__])


@pytest.fixture
async def latest(latest_backing: LatestBacking) -> AsyncIterator[Latest]:
    made = latest_backing.connect()
    await made.open()
    yield made
    await made.close()
