"""Prometheus metrics and their names: `meterstream_<component>_<what>_<unit>`, counted per batch, labels bounded."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from processors.vee.catalogue import RULES
from schemas.delivery import NO_WATERMARK_US, Delivery, Rows, Stored
from schemas.layout import Mask
from schemas.quality import FLAGS
from sinks.missing_outbox import MissingOutbox
from stream.column_histogram import ColumnHistogram
from stream.traces import Spans, no_spans

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


#: From "at once" to "somebody will call" [s].
_LATENCY_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
#: Readings come when their interval is over, and some come days later [s].
_EVENT_BUCKETS_S = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1_800.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0)


class WorkerMetrics:
    """What the worker counts.

    Args:
        registry: where `/metrics` reads it.
        part: of the names, `worker` for readings and `market` for ticks.
        levels: name of each level of scores and where it begins, rising; none are counted without.
        clock: the time now [s since 1970].
        span: opens a span of a trace; anybody who counts may ask for it.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        part: str = "worker",
        levels: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.time,
        span: Spans = no_spans,
    ) -> None:
        self.span = span
        self._levels = levels or {}
        self._clock = clock
        self._partitions = set[int]()
        prefix = f"meterstream_{part}"

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"{prefix}_{name}_total", text, labels, registry=registry)

        self.records = counter("records", "Kafka records taken.")
        self.readings = counter("readings", "Readings or ticks accounted for.")
        self.stored = counter("stored_readings", "Readings or ticks stored as new rows.", ("flag",))
        self.rules = counter("rule_findings", "Stored readings that a rule warned of or failed.", ("rule", "result"))
        self.duplicates = counter("duplicate_readings", "Readings or ticks that were stored already.")
        self.rejected = counter("rejected_readings", "What could not be taken.", ("reason",))
        self.scored = counter("scored_readings", "Readings or ticks whose score reached a level.", ("level",))
        self.alerts = counter("alerts", "Alerts produced.", ("kind",))
        self.lost = counter("lost_records", "Records that Kafka had dropped before they were stored.")
        self.latest = counter("latest_values", "Newest values offered to Redis.")
        self.lag = Gauge(f"{prefix}_lag_records", "Records not yet processed.", ["partition"], registry=registry)
        self.meters = Gauge(
            f"{prefix}_state_meters", "Meters or market series in memory.", ["partition"], registry=registry
        )
        self.model = Gauge(
            f"{prefix}_model_serving",
            "1 for the models that score readings, the champion and the candidate in its shadow.",
            ["model", "role"],
            registry=registry,
        )
        self.drift = Gauge(
            f"{prefix}_model_drift_psi",
            "How far a feature, or the score, has moved away from the champion's training (PSI), last span.",
            ["feature"],
            registry=registry,
        )
        self.missing_intervals = Gauge(
            f"{prefix}_missing_intervals", "Readings expected within the last day and not stored.", registry=registry
        )
        self.missing_meters = Gauge(f"{prefix}_missing_meters", "Meters that they are missing of.", registry=registry)
        self.estimates = counter("estimates", "Values of missing or failed intervals estimated.")
        self.models_refused = counter("models_refused", "Models that could not be used, by name.", ("model",))
        self.batch = Histogram(
            f"{prefix}_batch_readings",
            "Readings or ticks per delivery.",
            buckets=(1, 10, 100, 1_000, 5_000, 10_000, 20_000, 50_000, 100_000),
            registry=registry,
        )
        self.seconds = Histogram(
            f"{prefix}_stage_seconds",
            "Time of each stage of a batch.",
            ["stage"],
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.arrival_latency = ColumnHistogram(
            f"{prefix}_arrival_to_stored_seconds",
            "From a reading's or tick's arrival in Kafka to its commit in the database.",
            _LATENCY_BUCKETS_S,
            registry,
        )
        self.event_latency = ColumnHistogram(
            f"{prefix}_event_to_stored_seconds",
            "From a reading's or tick's own time to its commit in the database.",
            _EVENT_BUCKETS_S,
            registry,
        )
        self.watermark_delay = Gauge(
            f"{prefix}_watermark_delay_seconds",
            "How far the event time up to which a partition is taken for whole is behind the clock.",
            ["partition"],
            registry=registry,
        )

    def waiting(self, records: Mapping[int, int]) -> None:
        """Show how many records of each partition wait, and nothing of partitions that have moved away."""
        for gone in self._partitions - records.keys():
            for gauge in (self.lag, self.meters, self.watermark_delay):
                with suppress(KeyError):
                    gauge.remove(gone)
        self._partitions = set(records)
        for partition, count in records.items():
            self.lag.labels(partition).set(count)

    def watch_missing(self, outbox: MissingOutbox) -> None:
        """Show what an outbox of missing data finds; 0 in a worker while another one looks."""
        self.missing_intervals.set_function(lambda: outbox.intervals)
        self.missing_meters.set_function(lambda: outbox.meters)

    def delivered(self, delivery: Delivery[Any], stored: Stored) -> None:
        """Count a delivery that the database has."""
        self.readings.inc(sum(step.readings for step in delivery.progress))
        self.lost.inc(sum(step.lost_records for step in delivery.progress))
        present = np.count_nonzero(~stored.fresh) - np.count_nonzero(stored.conflicting)
        self.duplicates.inc(int(present))
        counts = np.bincount(delivery.rows.flag[stored.fresh], minlength=len(FLAGS))
        for flag, count in zip(FLAGS, counts.tolist(), strict=True):
            self.stored.labels(flag).inc(count)
        reached = np.digitize(delivery.rows.score[stored.fresh], list(self._levels.values()))
        unscored = np.isnan(delivery.rows.score[stored.fresh])
        for place, level in enumerate(self._levels, start=1):
            self.scored.labels(level).inc(int(np.count_nonzero((reached == place) & ~unscored)))
        if isinstance(delivery.rows, Rows):
            self._findings(delivery.rows, stored.fresh)
        for alert in delivery.alerts:
            self.alerts.labels(alert.kind).inc()
        self.batch.observe(len(delivery.rows))
        self._latencies(delivery)

    def _latencies(self, delivery: Delivery[Any]) -> None:
        now_us = self._clock() * 1e6
        for histogram, since_us in (
            (self.arrival_latency, delivery.rows.arrived_us),
            (self.event_latency, delivery.rows.batch.time_us),
        ):
            # Other machines' clocks may be ahead of this one's.
            histogram.observe(np.maximum(now_us - since_us, 0.0) / 1e6)
        for step in delivery.progress:
            if step.watermark_us > NO_WATERMARK_US:
                behind = partial(self._behind_s, step.watermark_us)
                self.watermark_delay.labels(step.partition).set_function(behind)

    def _behind_s(self, watermark_us: int) -> float:
        return self._clock() - watermark_us / 1e6

    def _findings(self, rows: Rows, fresh: Mask) -> None:
        for result, masks in (("fail", rows.failed), ("warn", rows.warned)):
            found = masks[fresh & (masks != 0)]  # most readings pass every rule
            for rule in RULES if len(found) else ():
                self.rules.labels(rule.id, result).inc(int(((found >> rule.bit) & 1).sum()))


class DeskMetrics:
    """What an alert desk counts.

    Args:
        registry: where `/metrics` reads it.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.signs = Counter("meterstream_alerts_signs_total", "Signs taken.", registry=registry)
        self.events = Counter("meterstream_alerts_events_total", "Changes of alerts in Kafka.", registry=registry)
        self.lateness = ColumnHistogram(
            "meterstream_alerts_arrival_to_topic_seconds",
            "From the arrival in Kafka of a reading that gave a sign until what the sign changed is on `alerts`.",
            _LATENCY_BUCKETS_S,
            registry,
        )
        self.seconds = Histogram(
            "meterstream_alerts_step_seconds",
            "Time of each step of the desk.",
            ["step"],
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )


class CourierMetrics:
    """What the desk's couriers count, by channel.

    Args:
        registry: where `/metrics` reads it.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.notices = Counter(
            "meterstream_alerts_told_notices_total", "Notices that a channel took.", ["channel"], registry=registry
        )
        self.failures = Counter(
            "meterstream_alerts_delivery_failures_total",
            "Attempts that failed: the channel was away, or refused a notice for good.",
            ["channel", "cause"],
            registry=registry,
        )
        self.waiting = Gauge(
            "meterstream_alerts_waiting_notices", "Notices that are due and not told.", ["channel"], registry=registry
        )
        self.open = Gauge(
            "meterstream_alerts_circuit_open", "1 while a channel is left alone.", ["channel"], registry=registry
        )
        self.seconds = Histogram(
            "meterstream_alerts_delivery_seconds",
            "From a change's record to its channel's word, the oldest of a digest; without channels that collect.",
            ["channel"],
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )

    def told(self, channel: str, count: int, late_s: float | None) -> None:
        """Count what a channel took, and how late [s]; None where that is not asked."""
        self.notices.labels(channel).inc(count)
        if late_s is not None:
            self.seconds.labels(channel).observe(late_s)
