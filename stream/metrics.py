"""Every Prometheus metric and its name: `meterstream_<component>_<what>_<unit>`, counted per batch, labels bounded."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

#: From "Kafka is next door" to "Kafka is struggling" [s].
_ACK_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class BridgeMetrics:
    """What the bridge counts.

    Args:
        registry: where `/metrics` reads it.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.messages = Counter(
            "meterstream_bridge_messages_total", "MQTT messages taken, repeats included.", ["feed"], registry=registry
        )
        self.message_bytes = Counter(
            "meterstream_bridge_payload_bytes_total", "Payload bytes of those messages.", registry=registry
        )
        self.rows = Counter(
            "meterstream_bridge_rows_total", "Readings or ticks that were readable.", ["feed"], registry=registry
        )
        self.rejected = Counter(
            "meterstream_bridge_rejected_total", "What could not be read.", ["reason"], registry=registry
        )
        self.records = Counter(
            "meterstream_bridge_kafka_records_total", "Records acknowledged by Kafka.", registry=registry
        )
        self.retries = Counter(
            "meterstream_bridge_kafka_retries_total", "Records produced again after Kafka refused.", registry=registry
        )
        self.acknowledged = Counter(
            "meterstream_bridge_acknowledged_messages_total", "MQTT messages acknowledged.", registry=registry
        )
        self.stale = Counter(
            "meterstream_bridge_stale_messages_total",
            "Messages whose connection was gone before their acknowledgement; the broker repeats them.",
            registry=registry,
        )
        self.in_flight = Gauge(
            "meterstream_bridge_in_flight_messages", "MQTT messages taken and not yet in Kafka.", registry=registry
        )
        self.in_flight_bytes = Gauge(
            "meterstream_bridge_in_flight_bytes", "Payload bytes of those messages.", registry=registry
        )
        self.kafka_ack = Histogram(
            "meterstream_bridge_kafka_ack_seconds",
            "From the arrival of a batch's first message to Kafka's last acknowledgement of the batch.",
            buckets=_ACK_BUCKETS_S,
            registry=registry,
        )
        self.connections = Counter(
            "meterstream_bridge_mqtt_connections_total", "Connections to the MQTT broker.", registry=registry
        )
