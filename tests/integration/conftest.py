"""One attached local stack for the whole test session."""

from collections.abc import Iterator

import pytest

from stream.stack.endpoints import Endpoints
from stream.stack.stack import LocalStack


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The running stack itself, for tests that kill or hold one of its servers (and bring it back)."""
    running = LocalStack(tmp_path_factory.mktemp("stack"))
    try:
        running.up(attached=True)
        yield running
    finally:
        running.down(purge=True)


@pytest.fixture(scope="session")
def stack(local_stack: LocalStack) -> Endpoints:
    """Where the servers of the session's stack are reached."""
    endpoints = local_stack.endpoints()
    assert endpoints is not None
    return endpoints


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack of the module's own, whose topics and tables hold nothing else."""
    running = LocalStack(tmp_path_factory.mktemp("own"))
    try:
        running.up(attached=True)
        yield running
    finally:
        running.down(purge=True)
