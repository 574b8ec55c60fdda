"""The parts of a bridge live and end together."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ServiceUnavailable
from stream.bridge import run as module
from stream.bridge.client import Client
from stream.bridge.mqtt import Subscriber
from stream.bridge.run import Bridge
from stream.settings import BridgeSettings, Settings
from stream.stack.endpoints import Endpoints


class QuietKafka:
    """A producer that has nothing to do."""

    def __init__(self, *_: Any) -> None:
        self._closed = threading.Event()

    def run(self) -> None:
        self._closed.wait()

    def close(self) -> None:
        self._closed.set()


def refuse(*_: Any) -> None:
    raise ConnectionRefusedError("refused")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Bridge]:
    monkeypatch.setattr(module, "Kafka", QuietKafka)
    monkeypatch.setattr(module, "_WATCH_S", 0.01)
    monkeypatch.setattr(module, "ensure_topics", lambda *_: None)
    monkeypatch.setattr(module, "partition_count", lambda *_: 8)
    monkeypatch.setattr(Client, "open", refuse)
    settings = Settings(local_dir=tmp_path, bridge=BridgeSettings(stop_timeout_s=0.2))
    endpoints = Endpoints("kafka://127.0.0.1:1", "mqtt://127.0.0.1:1", "", "")
    return lambda: Bridge(settings, endpoints, "bridge-1")


def wait_for(condition: Callable[[], bool]) -> None:
    waited = threading.Event()
    for _ in range(500):
        if condition():
            return
        waited.wait(0.01)
    pytest.fail("it did not come true")


def test_a_stop_that_was_asked_for_is_a_success(make: Callable[[], Bridge]) -> None:
    bridge = make()
    threading.Timer(0.1, bridge.stop).start()
    assert bridge.run() == 0
    assert not bridge.health().live


def test_a_part_that_ends_by_itself_ends_the_bridge_with_an_error(
    make: Callable[[], Bridge], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(subscriber: Subscriber) -> None:
        subscriber._woken.close()
        subscriber._waker.close()

    monkeypatch.setattr(Subscriber, "run", die)
    assert make().run() == 1


def test_health_names_what_is_waited_for(make: Callable[[], Bridge], monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any) -> None:
        raise ServiceUnavailable("kafka", "no route")

    monkeypatch.setattr(module, "ensure_topics", absent)
    bridge = make()
    running = threading.Thread(target=bridge.run)
    running.start()
    wait_for(lambda: len(bridge.health().facts["waiting_for"]) == 2)
    health = bridge.health()
    bridge.stop()
    running.join()
    assert (health.live, health.ready) == (True, False)
    assert health.facts["waiting_for"] == {"mqtt": "refused", "kafka": "no route"}
