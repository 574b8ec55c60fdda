"""Fixtures that every kind of test may use."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from stream.stack.endpoints import Endpoints
from stream.stack.stack import LocalStack

# `make check` looks quickly, `make test` looks hard; a busy machine is no failure.
settings.register_profile("quick", max_examples=10, deadline=None)
settings.register_profile("thorough", max_examples=100, deadline=None)
settings.load_profile("thorough")

# Recordings are years old: what retention does is tested where it is meant.
os.environ.setdefault("METERSTREAM_RETENTION__READINGS_DAYS", "0")

# Servers that live for a minute: code compiled at once and not once more, for half of the processor time that takes.
os.environ.setdefault("METERSTREAM_STACK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


def pytest_addoption(parser: pytest.Parser) -> None:
    """What takes too long for every day."""
    parser.addoption(
        "--whole-recordings", action="store_true", help="real recordings as a whole, not their first weeks"
    )


_LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests reach this machine and no other: a test that asks a publisher by mistake fails at once."""
    connect = socket.socket.connect

    def only_here(self: socket.socket, address: Any) -> None:
        away = self.family in {socket.AF_INET, socket.AF_INET6} and not str(address[0]).startswith(_LOOPBACK)
        assert not away, f"a test tried to reach {address}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_here)


SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the checkout; without it the test is skipped."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets are not here: ../shared/data beside the checkout")
    return SHARED_DATA


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
