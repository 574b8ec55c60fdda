"""How the broker's URL and the settings become one way to connect."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.errors import ConfigurationError
from stream.bridge.url import MqttUrl, read_url, tls_context
from stream.settings import MqttSettings

PLAIN = MqttSettings()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", MqttUrl("broker", 1883, encrypted=False)),
        ("mqtt://broker:1884/", MqttUrl("broker", 1884, encrypted=False)),
        ("mqtts://broker", MqttUrl("broker", 8883, encrypted=True)),
        ("mqtt://[::1]:1883", MqttUrl("::1", 1883, encrypted=False)),
        ("mqtt://a%40b:p%2Fw@broker", MqttUrl("broker", 1883, encrypted=False, username="a@b", password="p/w")),  # noqa: S106 (a test)
    ],
)
def test_a_url_is_read(url: str, expected: MqttUrl) -> None:
    assert read_url(url, PLAIN) == expected


def test_settings_come_before_the_url() -> None:
    settings = MqttSettings(username="me", password=SecretStr("mine"))
    found = read_url("mqtt://other:theirs@broker", settings)
    assert (found.username, found.password) == ("me", "mine")


@pytest.mark.parametrize(
    "url", ["http://broker:1883", "broker:1883", "mqtt://", "mqtt://broker:port", "mqtt://b:99999"]
)
def test_another_url_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="mqtt"):
        read_url(url, PLAIN)


def test_an_encrypted_url_trusts_the_system_and_checks_the_host() -> None:
    context = tls_context(read_url("mqtts://broker", PLAIN), PLAIN)
    assert context is not None
    assert context.check_hostname
    assert tls_context(read_url("mqtt://broker", PLAIN), PLAIN) is None


@pytest.mark.parametrize(
    ("url", "settings", "says"),
    [
        ("mqtt://broker", MqttSettings(tls_ca=Path("ca.pem")), "mqtts://"),
        ("mqtts://broker", MqttSettings(tls_key=Path("key.pem")), "TLS_CERTIFICATE"),
        ("mqtts://broker", MqttSettings(tls_ca=Path("no-such.pem")), "tls_ca"),
        ("mqtts://broker", MqttSettings(tls_certificate=Path("no-such.pem")), "tls_certificate"),
    ],
)
def test_tls_settings_that_cannot_work_are_named(url: str, settings: MqttSettings, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        tls_context(read_url(url, settings), settings)
