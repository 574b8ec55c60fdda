"""Where to connect: one line per service that can be pasted into another terminal."""

import shlex

from schemas.topics import ALERTS, METERS_RAW
from sinks.redis import PREFIX
from stream.stack.endpoints import Endpoints
from stream.topics import bootstrap_servers


def lines(endpoints: Endpoints, meter: str = "METER") -> list[tuple[str, str]]:
    """Return service and command.

    The database's password is shown: it is the local stack's own, or stands in the caller's environment already.

    Args:
        endpoints: where the services are.
        meter: a meter number for the examples.
    """
    kafka = bootstrap_servers(endpoints.kafka_url)
    return [
        ("database", f"psql {shlex.quote(endpoints.database_url)}"),
        ("redis", f"redis-cli -u {endpoints.redis_url} HGETALL {shlex.quote(PREFIX + meter)}"),
        ("kafka", f"kafka-console-consumer.sh --bootstrap-server {kafka} --topic {ALERTS.name} --from-beginning"),
        ("", f"kafka-get-offsets.sh --bootstrap-server {kafka} --topic {METERS_RAW.name}"),
        ("mqtt", f"{endpoints.mqtt_url}  (publish to meters/{meter}/reading)"),
    ]
