"""Where the servers of a running stack are reached."""

from dataclasses import dataclass

#: Everything listens here and nowhere else.
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Endpoints:
    """The URLs that the engine, psql, redis-cli and the Kafka tools connect to.

    Attributes:
        kafka_url: `kafka://127.0.0.1:PORT`.
        mqtt_url: `mqtt://127.0.0.1:PORT`.
        database_url: `postgresql://meterstream:PASSWORD@127.0.0.1:PORT/meterstream`, as psycopg and psql read it.
        redis_url: `redis://127.0.0.1:PORT/0`.
    """

    kafka_url: str
    mqtt_url: str
    database_url: str
    redis_url: str
