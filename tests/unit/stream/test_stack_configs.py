"""What the local stack tells each server: loopback only, durable, quiet."""

import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from stream.stack import hivemq, kafka, mosquitto, postgres, redis

DATA = Path("/stack/data")


def _properties(text: str, separator: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {key.strip(): value.strip().strip("'\"") for key, _, value in (line.partition(separator) for line in lines)}


def test_kafka_is_one_node_on_loopback_that_creates_no_topic_by_accident() -> None:
    config = _properties(kafka.render_config(9092, 9093, DATA), "=")

    assert config["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert config["log.dirs"] == "/stack/data"
    assert config["auto.create.topics.enable"] == "false"
    assert {key for key, value in config.items() if key.endswith("replication.factor") and value != "1"} == set()


def test_no_identity_of_a_kafka_looks_like_an_option() -> None:
    found = [kafka.cluster_id() for _ in range(2_000)]
    assert {len(name) for name in found} == {22}
    assert not any(name.startswith("-") for name in found)


def test_postgres_listens_on_loopback_only_and_keeps_what_it_acknowledged() -> None:
    config = _properties(postgres.render_config(5432, DATA, Path("/stack/conf"), "512MB", timescale=False), "=")

    assert config["listen_addresses"] == "127.0.0.1"
    assert config["unix_socket_directories"] == ""
    assert (config["fsync"], config["synchronous_commit"]) == ("on", "on")
    assert "shared_preload_libraries" not in config


def test_postgres_loads_timescale_where_it_can() -> None:
    config = _properties(postgres.render_config(5432, DATA, Path("/stack/conf"), "512MB", timescale=True), "=")

    assert config["shared_preload_libraries"] == "timescaledb"
    assert config["timescaledb.telemetry_level"] == "off"


def test_redis_appends_every_second_on_loopback() -> None:
    config = _properties(redis.render_config(6379, DATA), " ")

    assert config["bind"] == "127.0.0.1"
    assert (config["appendonly"], config["appendfsync"]) == ("yes", "everysec")


def test_mosquitto_listens_on_loopback_and_drops_nothing() -> None:
    config = _properties(mosquitto.render_config(1883, DATA), " ")

    assert config["listener"] == "1883 127.0.0.1"
    assert config["max_queued_messages"] == "0"
    assert config["persistence"] == "true"


@pytest.mark.parametrize(("uid", "named"), [pytest.param(0, True, id="root"), pytest.param(1000, False, id="ordinary")])
def test_mosquitto_keeps_its_user_where_it_would_change_it(
    monkeypatch: pytest.MonkeyPatch, uid: int, named: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)

    assert ("user root" in mosquitto.render_config(1883, DATA)) is named


def test_hivemq_listens_on_loopback_keeps_sessions_on_disk_and_sends_no_word_home() -> None:
    config = ET.fromstring(hivemq.render_config(1883))  # noqa: S314 (our own text)

    assert config.findtext("listeners/tcp-listener/bind-address") == "127.0.0.1"
    assert config.findtext("listeners/tcp-listener/port") == "1883"
    assert config.findtext("persistence/mode") == "file"
    assert config.findtext("anonymous-usage-statistics/enabled") == "false"
    assert config.findtext("mqtt/receive-maximum/server-receive-maximum") == "1000"


def test_the_bundled_postgres_is_the_newest_in_the_wheel() -> None:
    folder = postgres.bundled_binaries()

    assert (folder / "initdb").exists()
    assert folder.parent.name == "pginstall18"
