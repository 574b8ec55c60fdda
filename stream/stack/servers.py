"""The servers of one stack, and the endpoints that they make up."""

from collections.abc import Mapping
from dataclasses import dataclass

from stream.stack import ports
from stream.stack.endpoints import Endpoints
from stream.stack.kafka import KafkaServer
from stream.stack.layout import Layout
from stream.stack.mqtt import MqttServer
from stream.stack.postgres import PostgresServer
from stream.stack.redis import RedisServer
from stream.stack.server import Server
from stream.stack.settings import StackSettings

PORT_NAMES = ("kafka", "kafka_controller", "mqtt", "postgres", "redis")


@dataclass(frozen=True)
class Servers:
    """One of each."""

    kafka: KafkaServer
    mqtt: MqttServer
    postgres: PostgresServer
    redis: RedisServer

    @classmethod
    def build(cls, layout: Layout, settings: StackSettings) -> "Servers":
        """Give each server a free port, the remembered one if possible; starts nothing."""
        return cls.at(layout, settings, ports.assign(PORT_NAMES, layout.ports))

    @classmethod
    def at(cls, layout: Layout, settings: StackSettings, port: Mapping[str, int]) -> "Servers":
        """Describe the servers at given ports."""
        return cls(
            kafka=KafkaServer(layout, settings, port["kafka"], port["kafka_controller"]),
            mqtt=MqttServer(layout, settings, port["mqtt"]),
            postgres=PostgresServer(layout, settings, port["postgres"]),
            redis=RedisServer(layout, port["redis"]),
        )

    def all(self) -> tuple[Server, ...]:
        """Return them, those that take longest to start first."""
        return (self.kafka, self.mqtt, self.postgres, self.redis)

    def endpoints(self) -> Endpoints:
        """Return where they will be reached."""
        return Endpoints(
            kafka_url=self.kafka.url,
            mqtt_url=self.mqtt.url,
            database_url=self.postgres.url,
            redis_url=self.redis.url,
        )
