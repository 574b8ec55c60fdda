"""The environment becomes one frozen tree, and a mistake in it is named."""

import pytest
from pydantic import ValidationError

from processors.judging import Judging
from schemas.errors import ConfigurationError
from stream import settings
from stream.settings import Settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings._known():
        monkeypatch.delenv(name, raising=False)


def test_nothing_needs_to_be_set() -> None:
    found = settings.load()
    assert found.mqtt_url is None
    assert found.log_level == "warning"
    assert found.metrics_host == "127.0.0.1"
    assert found.bridge.max_in_flight <= 65_535


def test_nested_values_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERSTREAM_KAFKA_URL", "kafka://k:9092")
    monkeypatch.setenv("METERSTREAM_BRIDGE__LINGER_MS", "20")
    monkeypatch.setenv("METERSTREAM_MQTT__PASSWORD", "hush")
    found = settings.load()
    assert found.kafka_url == "kafka://k:9092"
    assert found.bridge.linger_ms == 20
    assert "hush" not in repr(found)


@pytest.mark.parametrize(
    "name", ["METERSTREAM_LINGER", "METERSTREAM_BRIDGE__LINGERS_MS", "METERSTREAM_BRIDGE_LINGER_MS"]
)
def test_an_unknown_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigurationError, match=name):
        settings.load()


def test_settings_of_the_local_stack_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERSTREAM_STACK_START_TIMEOUT_S", "30")
    settings.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("METERSTREAM_BRIDGE__MAX_IN_FLIGHT", "70000"),
        ("METERSTREAM_BRIDGE__LINGER_MS", "-1"),
        ("METERSTREAM_LOG_LEVEL", "loud"),
    ],
)
def test_a_value_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        settings.load()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().log_level = "debug"  # type: ignore[misc]


def test_levels_of_scores_and_the_budget_of_alerts_reach_judgement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERSTREAM_SCORING__WARNING", "0.9")
    monkeypatch.setenv("METERSTREAM_SCORING__ALERT_BUDGET", "20")
    found = settings.load().scoring
    assert found.judging == Judging(monitoring=0.70, warning=0.9, critical=0.95, budget=20.0)


def test_levels_that_fall_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERSTREAM_SCORING__MONITORING", "0.9")
    with pytest.raises(ConfigurationError, match="must not fall"):
        settings.load()


@pytest.mark.parametrize("name", ["OVERLOAD", "IMBALANCE"])
def test_what_begins_below_its_end_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"METERSTREAM_GRID__{name}_BEGIN", "0.01")
    monkeypatch.setenv(f"METERSTREAM_GRID__{name}_END", "0.02")
    with pytest.raises(ConfigurationError, match="would never rest"):
        settings.load()


def test_settings_of_the_grid_reach_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERSTREAM_GRID__AMBIENT_C", "40")
    monkeypatch.setenv("METERSTREAM_GRID__UNACCOUNTED_SHARE", "0.1")
    monkeypatch.setenv("METERSTREAM_GRID__IMBALANCE_BEGIN", "0.03")
    grid = settings.load().grid
    assert (grid.loading.ambient_c, grid.balance.share, grid.imbalance.begin) == (40.0, 0.1, 0.03)
