"""Where services are: settings first, the local stack for the rest, an error that says what to do."""

from pathlib import Path

import pytest

from schemas.errors import ConfigurationError
from stream.endpoints import resolve
from stream.settings import Settings
from stream.stack.endpoints import Endpoints
from stream.stack.stack import LocalStack

LOCAL = Endpoints("kafka://127.0.0.1:1", "mqtt://127.0.0.1:2", "postgresql://127.0.0.1:3/x", "redis://127.0.0.1:4/0")


def test_the_local_stack_fills_in_what_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalStack, "endpoints", lambda _self: LOCAL)
    found = resolve(Settings(local_dir=tmp_path, mqtt_url="mqtts://far:8883"))
    assert found == Endpoints(LOCAL.kafka_url, "mqtts://far:8883", LOCAL.database_url, LOCAL.redis_url)


def test_without_the_stack_the_missing_ones_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(Settings(local_dir=tmp_path, mqtt_url="mqtts://far:8883"), needs=("kafka_url", "mqtt_url"))
    message = str(caught.value)
    assert "METERSTREAM_KAFKA_URL" in message
    assert "meterstream stack up" in message
    assert "METERSTREAM_MQTT_URL" not in message


def test_what_is_not_needed_may_be_missing(tmp_path: Path) -> None:
    settings = Settings(local_dir=tmp_path, mqtt_url="mqtts://far:8883", kafka_url="kafka://far:9092")
    found = resolve(settings, needs=("kafka_url", "mqtt_url"))
    assert (found.kafka_url, found.database_url) == ("kafka://far:9092", "")
