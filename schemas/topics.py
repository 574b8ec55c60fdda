"""Kafka topics and MQTT filters as plain data."""

from dataclasses import dataclass

CONTENT_TYPE = "content-type"
#: Header that names where a record's readings come from, for rules that tell sources apart.
SOURCE = "source"
JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True)
class TopicSpec:
    """One Kafka topic.

    Attributes:
        name: topic name.
        key: what the record key holds.
        retention_s: how long Kafka keeps records [s]; None means for ever (compacted).
        partitions: fixed count, or None for the engine's setting.
    """

    name: str
    key: str
    retention_s: int | None = 7 * 86_400
    partitions: int | None = None

    @property
    def config(self) -> dict[str, str]:
        """Topic settings as Kafka names them."""
        if self.retention_s is None:
            return {"cleanup.policy": "compact"}
        return {"cleanup.policy": "delete", "retention.ms": str(self.retention_s * 1000)}


METERS_RAW = TopicSpec("meters.raw", key="meter_number, or none for a batch")
METERS_CLEAN = TopicSpec("meters.clean", key="none, a batch per record")
METERS_REJECTED = TopicSpec("meters.rejected", key="reject_id", retention_s=30 * 86_400)
METERS_REGISTRY = TopicSpec("meters.registry", key="meter_number", retention_s=None)
GRID_WINDOWS = TopicSpec("grid.windows", key="element")
METERS_MISSING = TopicSpec("meters.missing", key="meter_number", retention_s=30 * 86_400)
MARKET_RAW = TopicSpec("market.raw", key="market/symbol")
MARKET_BARS = TopicSpec("market.bars", key="market/symbol")
MARKET_REJECTED = TopicSpec("market.rejected", key="reject_id", retention_s=30 * 86_400)
ALERT_SIGNS = TopicSpec("alerts.signs", key="element", retention_s=30 * 86_400)
ALERTS = TopicSpec("alerts", key="element", retention_s=30 * 86_400)
ALERTS_STATE = TopicSpec("alerts.state", key="alert_id", retention_s=None)

TOPICS = (
    METERS_RAW,
    METERS_CLEAN,
    METERS_REJECTED,
    METERS_REGISTRY,
    GRID_WINDOWS,
    METERS_MISSING,
    MARKET_RAW,
    MARKET_BARS,
    MARKET_REJECTED,
    ALERT_SIGNS,
    ALERTS,
    ALERTS_STATE,
)

#: MQTT topic filters of the feeds; the bridge subscribes to them, publishers write below them.
MQTT_READINGS = ("meters/+/reading", "concentrators/+/readings")
MQTT_TICKS = ("market/+/+/tick",)
