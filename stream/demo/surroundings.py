"""What a demo finds where it begins: the broker's address, earlier demos, recorded data, and which programs run."""

import platform
from importlib.metadata import version
from pathlib import Path

from simulators.mqtt import Address
from stream.bridge.url import read_url, tls_context
from stream.database import connected
from stream.schema_status import schema_status
from stream.settings import Settings
from stream.stack.endpoints import Endpoints
from stream.stack.stack import LocalStack

#: Data sets that may lie beside the checkout.
SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
_HOUSEHOLD = "uci_household/*.csv*"
_EARLIER = "SELECT count(*) FROM smart_meters WHERE meter_number ~ '^(R[0-9]+-)?M00000000$'"


def address_of(settings: Settings, mqtt_url: str) -> Address:
    """Return the broker's address, with what the settings say about it."""
    url = read_url(mqtt_url, settings.mqtt)
    return Address(url.host, url.port, url.username, url.password, tls_context(url, settings.mqtt))


def prefix_after(database_url: str) -> str:
    """Return what to put before meter numbers, so that this fleet's meters are none of an earlier one's.

    A second fleet of the same meters would repeat the times of the first one: nothing new would be stored.
    """
    with connected(database_url) as connection:
        row = connection.execute(_EARLIER).fetchone()
    earlier = row[0] if row else 0
    return f"R{earlier + 1}-" if earlier else ""


def household(data: Path | None) -> Path | None:
    """Return the recorded household in a folder of data sets, None where it is not there."""
    return next(iter(sorted((data or SHARED_DATA).glob(_HOUSEHOLD))), None)


def versions(settings: Settings, endpoints: Endpoints) -> dict[str, str | None]:
    """Return what took part; None where it does not say."""
    servers = {server.name: server.product for server in LocalStack(settings.local_dir).status().servers}
    database = schema_status(endpoints.database_url)
    return {
        "meterstream": version("meterstream"),
        "python": platform.python_version(),
        "kafka": servers.get("kafka"),
        "mqtt": servers.get("mqtt"),
        "redis": servers.get("redis"),
        "postgresql": database.postgres,
        "timescaledb": database.timescale,
    }
