"""How to reach the MQTT broker: its URL and what the settings add."""

import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from schemas.errors import ConfigurationError
from stream.settings import MqttSettings

_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class MqttUrl:
    """`mqtt[s]://[user:password@]host[:port]` in its parts; the password never shows in a log line."""

    host: str
    port: int
    encrypted: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Return `host:port`, fit for a log line."""
        return f"{self.host}:{self.port}"


def read_url(url: str, settings: MqttSettings) -> MqttUrl:
    """Return the parts of an MQTT URL; user and password of the settings come first.

    Raises:
        ConfigurationError: it is not such a URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"mqtt_url: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ConfigurationError(f"mqtt_url must be mqtt[s]://host[:port], its scheme is {parts.scheme!r}")
    username = settings.username or (unquote(parts.username) if parts.username else None)
    password = unquote(parts.password) if parts.password else None
    if settings.password is not None:
        password = settings.password.get_secret_value()
    return MqttUrl(parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "mqtts", username, password)


def tls_context(url: MqttUrl, settings: MqttSettings) -> ssl.SSLContext | None:
    """Return how to encrypt, None for plain TCP.

    Raises:
        ConfigurationError: TLS settings with an `mqtt://` URL, a key without its certificate, or an unreadable file.
    """
    given = [name for name in ("tls_ca", "tls_certificate", "tls_key") if getattr(settings, name) is not None]
    if not url.encrypted:
        if given:
            raise ConfigurationError(f"{given} of METERSTREAM_MQTT__ need an mqtts:// URL")
        return None
    if settings.tls_key is not None and settings.tls_certificate is None:
        raise ConfigurationError("METERSTREAM_MQTT__TLS_KEY needs METERSTREAM_MQTT__TLS_CERTIFICATE")
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca)
        if settings.tls_certificate is not None:
            context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as error:
        raise ConfigurationError(f"{given} of METERSTREAM_MQTT__: {error}") from None
    return context
