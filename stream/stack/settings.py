"""The knobs of the local stack, read from METERSTREAM_STACK_*."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from stream.stack.errors import StackError

PREFIX = "METERSTREAM_STACK_"


class StackSettings(BaseSettings):
    """Which programs the stack runs and how large they may grow; the defaults need no setting at all."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    mqtt: Literal["auto", "mosquitto", "hivemq"] = Field(
        default="auto", description="MQTT broker; auto takes Mosquitto where it is installed, HiveMQ CE otherwise."
    )
    postgres_bin: Path | None = Field(
        default=None, description="Folder with initdb and postgres; the bundled PostgreSQL when unset."
    )
    postgres_shared_buffers: str = Field(default="512MB", description="PostgreSQL's shared_buffers.")
    kafka_heap: str = Field(default="512m", description="Java heap of Kafka, as -Xmx takes it.")
    mqtt_heap: str = Field(default="512m", description="Java heap of HiveMQ, as -Xmx takes it.")
    java_options: str = Field(
        default="", description="More options of both Java servers, such as -XX:TieredStopAtLevel=1: quick to start."
    )
    cache: Path | None = Field(default=None, description="Where resolved jars are kept; the user's cache when unset.")
    start_timeout_s: float = Field(default=120.0, gt=0, description="Longest wait for one server to become healthy.")


def load() -> StackSettings:
    """Read the environment.

    Raises:
        StackError: a value does not fit; it is named.
    """
    try:
        return StackSettings()
    except ValidationError as error:
        problems = (f"{PREFIX}{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors())
        raise StackError("; ".join(problems)) from None
