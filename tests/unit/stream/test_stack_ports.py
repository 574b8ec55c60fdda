"""Ports of the local stack: free, distinct, remembered."""

import json
import socket
from pathlib import Path

import pytest

from stream.stack import ports
from stream.stack.errors import StackError


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "ports.json"


def test_ports_are_distinct_and_free(memory: Path) -> None:
    assigned = ports.assign(("kafka", "mqtt", "redis"), memory)

    assert len(set(assigned.values())) == 3
    assert all(ports.is_free(port) for port in assigned.values())


def test_a_restart_gets_the_same_ports(memory: Path) -> None:
    first = ports.assign(("kafka", "mqtt"), memory)

    assert ports.assign(("kafka", "mqtt"), memory) == first


def test_a_port_that_was_taken_meanwhile_is_replaced(memory: Path) -> None:
    first = ports.assign(("kafka", "mqtt"), memory)
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", first["kafka"]))
        squatter.listen()

        second = ports.assign(("kafka", "mqtt"), memory)

    assert second["kafka"] != first["kafka"]
    assert second["mqtt"] == first["mqtt"]
    assert json.loads(memory.read_text()) == second


def test_no_port_is_one_that_outgoing_connections_get(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "first_ephemeral_port", lambda: ports.LOWEST_PORT + 300)

    chosen = {ports.choose(set()) for _ in range(50)}

    assert all(ports.LOWEST_PORT <= port < ports.LOWEST_PORT + 300 for port in chosen)


def test_no_free_port_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _port: False)

    with pytest.raises(StackError, match="no free port"):
        ports.choose(set())
