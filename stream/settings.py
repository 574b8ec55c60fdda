"""The one reader of the environment: `METERSTREAM_*` variables become one frozen tree of settings."""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from processors.judging import Judging
from processors.validate import Limits
from schemas.errors import ConfigurationError
from sinks.upkeep import Retention
from stream.grid_settings import GridSettings, OutageSettings
from stream.settings_group import Group
from stream.stack.settings import StackSettings

PREFIX = "METERSTREAM_"
NESTED = "__"


class MqttSettings(Group):
    """How to reach the MQTT broker beyond its URL (`mqtt://[user:password@]host:port`, `mqtts://` for TLS)."""

    username: str | None = None
    password: SecretStr | None = None
    tls_ca: Path | None = Field(default=None, description="CA bundle; with mqtts:// and none given, the system's")
    tls_certificate: Path | None = Field(default=None, description="client certificate (PEM)")
    tls_key: Path | None = Field(default=None, description="client key (PEM)")
    keepalive_s: PositiveInt = Field(default=30, description="silence after which a connection counts as lost")


class BridgeSettings(Group):
    """MQTT to Kafka."""

    client_id: str = Field(
        default="",
        description="stable per bridge, its session hangs on it; empty: host name, local_dir and a free slot",
    )
    share_group: str = "meterstream"
    source: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_.-]{0,100}$",
        description="where this broker's readings come from, for rule sets that tell sources apart; empty: not said",
    )
    session_expiry_s: PositiveInt = Field(default=7 * 86_400, description="how long the broker keeps our session")
    linger_ms: PositiveFloat = Field(default=50.0, description="longest wait for a batch to fill")
    max_batch_messages: PositiveInt = Field(default=5_000, description="a batch goes out when about this many wait")
    max_in_flight: int = Field(default=20_000, gt=0, le=65_535, description="unacknowledged MQTT messages at most")
    max_buffer_bytes: PositiveInt = Field(
        default=256 * 1024 * 1024, description="payloads held until Kafka has them [bytes]; more stay with the broker"
    )
    max_payload_bytes: PositiveInt = Field(default=1_048_576, description="a longer payload is rejected")
    stop_timeout_s: PositiveFloat = Field(default=10.0, description="how long a stop waits for Kafka")
    metrics_port: int = Field(default=0, ge=0, description="HTTP port of /metrics and /health; 0 finds a free one")


class WorkerSettings(Group):
    """Kafka to everything else."""

    app_id: str = "meterstream"
    instance_id: str = Field(default="", description="stable per worker; empty: host name, directory and slot")
    session_timeout_s: PositiveFloat = Field(
        default=12.0, description="a silent worker loses its partitions after this"
    )
    take_rows: PositiveInt = Field(default=25_000, description="about how many readings or ticks are delivered at once")
    deliveries: PositiveInt = Field(
        default=2, description="sessions with the database that readings are delivered over, each its own partitions"
    )
    take_within_ms: PositiveFloat = Field(default=50.0, description="longest wait for records")
    lateness_s: PositiveFloat = Field(default=60.0, description="a window closes this long after its end")
    voltage_low: PositiveFloat = Field(
        default=207.0, description="voltages below are counted as outside the limits [V]"
    )
    voltage_high: PositiveFloat = Field(
        default=253.0, description="voltages above are counted as outside the limits [V]"
    )
    revisions_kept_days: PositiveFloat = Field(
        default=400.0, description="how long windows are kept that are no longer believed [d]"
    )
    checkpoint_interval_s: PositiveFloat = Field(default=10.0, description="how often state is checkpointed")
    rules_file: Path | None = Field(
        default=None, description="rule set (TOML) in place of the engine's own; a change takes effect by itself"
    )
    stall_timeout_s: PositiveFloat = Field(default=120.0, description="not live when offsets stand still this long")
    metrics_port: int = Field(default=0, ge=0, description="HTTP port of /metrics and /health; 0 finds a free one")


class ScoringSettings(Group):
    """What scores stand for, and what follows from them."""

    alert_budget: PositiveFloat = Field(
        default=100.0, description="alerts per 10,000 healthy meters and day that a score of 0.85 stands for"
    )
    monitoring: float = Field(default=0.70, gt=0, le=1, description="scores from here on are counted as worth watching")
    warning: float = Field(default=0.85, gt=0, le=1, description="scores from here on are alerts")
    critical: float = Field(default=0.95, gt=0, le=1, description="scores from here on are critical alerts")

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.monitoring <= self.warning <= self.critical:
            raise ValueError("monitoring, warning and critical must not fall in this order")
        return self

    @property
    def levels(self) -> dict[str, float]:
        """Name of each level and the score where it begins, rising."""
        return {"monitoring": self.monitoring, "warning": self.warning, "critical": self.critical}

    @property
    def judging(self) -> Judging:
        """The bounds of judgement."""
        return Judging(**self.levels, budget=self.alert_budget)


class EstimateSettings(Group):
    """Estimates that the engine makes by itself; `wait_h` of the rule set says how long it waits for what may come."""

    enabled: bool = Field(
        default=True, description="whether missing and failed intervals are estimated beside the stream"
    )
    pause_s: PositiveFloat = Field(default=5.0, description="how often what has become due is looked for")


class RetentionSettings(Group):
    """How long rows are kept; 0 is for ever. What is dropped is a week older still: Kafka may still have its record."""

    readings_days: NonNegativeInt = Field(
        default=731, description="readings [d]; one that is older when it arrives is rejected; 731: 24 months"
    )
    ticks_days: NonNegativeInt = Field(default=0, description="market ticks [d]")
    alerts_days: NonNegativeInt = Field(
        default=0, description="signs, alerts that have ended, silences that are over [d]"
    )
    rejected_days: NonNegativeInt = Field(default=0, description="what was rejected [d]")
    compress_after_days: PositiveInt = Field(
        default=14,
        description="with TimescaleDB: chunks of readings and ticks are compressed this long after their end [d]",
    )

    @property
    def kept(self) -> Retention:
        """How long rows are kept."""
        return Retention(**{name: getattr(self, name) for name in Retention.__dataclass_fields__})

    @property
    def limits(self) -> Limits:
        """What a reading may hold."""
        return Limits(retention_s=self.readings_days * 86_400.0) if self.readings_days else Limits()


class FeedSettings(Group):
    """Published market files."""

    dir: Path | None = Field(default=None, description="what was fetched and published; empty: `feeds` under local_dir")
    user_agent: str = Field(
        default="meterstream", min_length=1, description="who publishers see; add an address where they can reach you"
    )
    pause_s: PositiveFloat = Field(default=1.0, description="least time between two requests to one host")
    timeout_s: PositiveFloat = Field(default=60.0, description="longest silence of a publisher")
    backoff_s: PositiveFloat = Field(default=5.0, description="first wait after a failure; doubles up to 15 minutes")
    metrics_port: int = Field(default=0, ge=0, description="HTTP port of /metrics and /health; 0 finds a free one")


class ModelSettings(Group):
    """Models that score readings; where there is none, each meter's own past is all that scores."""

    dir: Path | None = Field(default=None, description="folder of the registry; empty: `models` under local_dir")
    name: str = Field(default="forest", description="model whose champion scores readings")
    market_name: str = Field(default="market", description="model whose champion scores ticks")
    refresh_s: PositiveFloat = Field(default=5.0, description="how often a worker looks for other models")
    alert_budget: PositiveFloat = Field(
        default=20.0,
        description="alerts per 10,000 healthy meters and day that a model's 0.85 adds to those of the past",
    )
    drift_days: PositiveFloat = Field(default=7.0, description="drift is told once in so much event time [d]")


class AlertSettings(Group):
    """What becomes of alerts."""

    routes_file: Path | None = Field(default=None, description="channels and routes (TOML); without it nobody is told")
    rules_file: Path | None = Field(default=None, description="rules of alerts (TOML) in place of the engine's own")
    metrics_port: int = Field(default=0, ge=0, description="HTTP port of /metrics and /health; 0 finds a free one")


class TraceSettings(Group):
    """Spans for an OpenTelemetry collector; needs `pip install 'meterstream[traces]'`."""

    endpoint: str = Field(default="", description="OTLP over HTTP, http://host:4318/v1/traces; empty: no traces")
    share: float = Field(default=1.0, ge=0, le=1, description="share of the portions taken that is traced")


class Settings(BaseSettings):
    """Everything that can be set; nested ones as `METERSTREAM_BRIDGE__LINGER_MS=20`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=NESTED, extra="forbid", frozen=True, env_ignore_empty=True
    )

    kafka_url: str | None = Field(default=None, description="kafka://host:port[,host:port]")
    mqtt_url: str | None = Field(default=None, description="mqtt://host:port or mqtts://host:port")
    database_url: str | None = Field(default=None, description="postgresql://user:password@host:port/name")
    redis_url: str | None = Field(default=None, description="redis://host:port/0")
    local_dir: Path = Field(default=Path(".local"), description="data of the local stack")
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    metrics_host: str = Field(default="127.0.0.1", description="address that /metrics and /health listen on")
    partitions: PositiveInt = Field(default=8, description="partitions of each topic, when the engine creates it")
    replication: PositiveInt = Field(default=1, description="replicas of each topic, when the engine creates it")
    redis_expiry_s: PositiveInt = Field(default=3_600, description="how long a latest value lives in Redis")
    markets_file: Path | None = Field(default=None, description="market definitions (TOML) beside and before ours")
    mqtt: MqttSettings = MqttSettings()
    bridge: BridgeSettings = BridgeSettings()
    worker: WorkerSettings = WorkerSettings()
    scoring: ScoringSettings = ScoringSettings()
    estimates: EstimateSettings = EstimateSettings()
    outages: OutageSettings = OutageSettings()
    grid: GridSettings = GridSettings()
    retention: RetentionSettings = RetentionSettings()
    feed: FeedSettings = FeedSettings()
    models: ModelSettings = ModelSettings()
    alerts: AlertSettings = AlertSettings()
    traces: TraceSettings = TraceSettings()

    @property
    def feeds_dir(self) -> Path:
        """Folder of what feeds have fetched."""
        return self.feed.dir or self.local_dir / "feeds"

    @property
    def models_dir(self) -> Path:
        """Folder of the model registry."""
        return self.models.dir or self.local_dir / "models"


def load() -> Settings:
    """Read the environment once.

    Raises:
        ConfigurationError: an unknown METERSTREAM_ variable, or a value that does not fit; both are named.
    """
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in _known())
    if unknown:
        raise ConfigurationError(f"unknown settings {unknown}; known ones are {sorted(_known())}")
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(
            f"{PREFIX}{NESTED.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigurationError(problems) from None


def _known() -> set[str]:
    """Return the name of every variable that means something, those of the local stack included."""
    names = {f"{PREFIX}stack_{name}".upper() for name in StackSettings.model_fields}
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Group):
            names |= {f"{PREFIX}{name}{NESTED}{inner}".upper() for inner in kind.model_fields}
        else:
            names.add(f"{PREFIX}{name}".upper())
    return names
