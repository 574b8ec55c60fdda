"""Gives every sink that is found what stands behind it; one without fails, so that none goes untested."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from sinks.migrations import has_timescale, migrate
from sinks.sink import Latest, Store
from stream.stack.endpoints import Endpoints
from tests.contracts import found
from tests.contracts.backings import IN_MEMORY, ON_SERVERS, LatestBacking, Servers, StoreBacking, unique
from tests.contracts.writing import Writer


def _params(classes: list[type]) -> list[object]:
    return [
        pytest.param(cls, id=cls.__name__, marks=() if cls.__name__ in IN_MEMORY else pytest.mark.integration)
        for cls in classes
    ]


def _backing(request: pytest.FixtureRequest) -> Any:
    name = request.param.__name__
    if name in IN_MEMORY:
        return IN_MEMORY[name]()
    assert name in ON_SERVERS, "a new sink: say in tests/contracts/backings.py what stands behind it"
    return ON_SERVERS[name](request.getfixturevalue("servers"))


@pytest.fixture(scope="session")
def database_url(stack: Endpoints) -> Iterator[str]:
    """A migrated schema of the contracts' own, in the stack's database."""
    name = unique("contracts").strip("-").replace("-", "_")
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    url = f"{stack.database_url}?options={quote(f'-c search_path={name},public')}"
    migrate(url)
    yield url
    # A new connection: other tests of the session may have killed the server meanwhile.
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def empty(stack: Endpoints) -> Iterator[str]:
    """An empty schema in the stack's database."""
    name = unique("empty").strip("-").replace("-", "_")
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        yield f"{stack.database_url}?options={quote(f'-c search_path={name},public')}"
        connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def url(empty: str) -> str:
    """A migrated schema of the test's own, for what looks at everything that the database knows."""
    migrate(empty)
    return empty


@pytest.fixture
async def writer(url: str) -> AsyncIterator[Writer]:
    """Workers that write to it."""
    made = Writer(url)
    yield made
    await made.close()


@pytest.fixture
def only_plain(empty: str) -> None:
    """Skips where the database has TimescaleDB."""
    with psycopg.connect(empty, autocommit=True) as connection:
        if has_timescale(connection):
            pytest.skip("this PostgreSQL has TimescaleDB")


@pytest.fixture
def only_timescale(empty: str) -> None:
    """Skips where the database has no TimescaleDB."""
    with psycopg.connect(empty, autocommit=True) as connection:
        if not has_timescale(connection):
            pytest.skip("no TimescaleDB here: METERSTREAM_STACK_POSTGRES_BIN can name a PostgreSQL that has it")


@pytest.fixture(scope="session")
def servers(stack: Endpoints, database_url: str) -> Servers:
    return Servers(database_url, stack.redis_url)


@pytest.fixture(params=_params(found.stores()))
def backing(request: pytest.FixtureRequest) -> StoreBacking:
    return _backing(request)


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
    return _backing(request)


@pytest.fixture
async def latest(latest_backing: LatestBacking) -> AsyncIterator[Latest]:
    made = latest_backing.connect()
    await made.open()
    yield made
    await made.close()
