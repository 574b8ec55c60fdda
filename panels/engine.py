"""Engine: rates, lag, latency and what is refused, from Prometheus; how far the database has come, from itself."""

from panels.board import Dashboard, Look, Panel, Step

DASHBOARD = Dashboard(
    name="engine",
    title="Engine",
    about="Whether the engine keeps up. RUNBOOK.md says what to do where it does not.",
    refresh="30s",
    since="now-3h",
    variables=(),
    panels=(
        Panel(
            "Rates",
            Look.LINES,
            "Readings and ticks readable at the bridge, and accounted for by workers.",
            promql=(
                ("sum by (feed) (rate(meterstream_bridge_rows_total[5m]))", "in, {{feed}}"),
                ("meterstream:worker_readings:rate5m", "readings, worker"),
                ("meterstream:market_readings:rate5m", "ticks, worker"),
            ),
            unit="cps",
        ),
        Panel(
            "Lag",
            Look.LINES,
            "Records not yet processed, by partition.",
            promql=(
                ("sum by (partition) (meterstream_worker_lag_records)", "readings {{partition}}"),
                ("sum by (partition) (meterstream_market_lag_records)", "ticks {{partition}}"),
            ),
            least=0,
        ),
        Panel(
            "Lag in time",
            Look.LINES,
            "How long the lag takes at the present rate.",
            promql=(
                ("meterstream:worker_lag:seconds", "readings"),
                ("meterstream:market_lag:seconds", "ticks"),
            ),
            unit="s",
            steps=(Step(None, "green"), Step(60, "orange"), Step(300, "red")),
        ),
        Panel(
            "From arrival to stored",
            Look.LINES,
            "From a reading's arrival in Kafka to its commit in the database, and to its alert.",
            promql=(
                ("meterstream:worker_arrival_to_stored:p50_5m", "readings, half"),
                ("meterstream:worker_arrival_to_stored:p99_5m", "readings, 99 %"),
                ("meterstream:market_arrival_to_stored:p99_5m", "ticks, 99 %"),
                ("meterstream:alerts_arrival_to_topic:p99_5m", "to the alert on its topic, 99 %"),
            ),
            unit="s",
        ),
        Panel(
            "From event to stored",
            Look.LINES,
            "99 % are stored within this time of what they tell of; it counts how late meters and markets send, too.",
            promql=(
                ("meterstream:worker_event_to_stored:p99_5m", "readings"),
                ("meterstream:market_event_to_stored:p99_5m", "ticks"),
            ),
            unit="s",
        ),
        Panel(
            "Watermarks behind the clock",
            Look.LINES,
            "Up to which event time a partition is taken for whole: windows close by it.",
            promql=(
                ("max by (partition) (meterstream_worker_watermark_delay_seconds)", "readings {{partition}}"),
                ("max by (partition) (meterstream_market_watermark_delay_seconds)", "ticks {{partition}}"),
            ),
            unit="s",
        ),
        Panel(
            "Stages of a batch",
            Look.LINES,
            "99 % take less.",
            promql=(("meterstream:worker_stage:p99_5m", "{{stage}}"),),
            unit="s",
        ),
        Panel(
            "Readings per delivery",
            Look.LINES,
            "Mean size of a batch.",
            promql=(("meterstream:worker_batch_readings:mean5m", "readings"),),
        ),
        Panel(
            "Refused, by reason",
            Look.BARS,
            "At the bridge and by workers.",
            promql=(
                ("sum by (reason) (rate(meterstream_bridge_rejected_total[5m]))", "bridge, {{reason}}"),
                ("sum by (reason) (rate(meterstream_worker_rejected_readings_total[5m]))", "worker, {{reason}}"),
                ("sum by (reason) (rate(meterstream_market_rejected_readings_total[5m]))", "ticks, {{reason}}"),
            ),
            unit="cps",
        ),
        Panel(
            "Signs of alerts, by kind",
            Look.BARS,
            "What workers raise; the desk makes alerts of it.",
            promql=(
                ("sum by (kind) (increase(meterstream_worker_alerts_total[5m]))", "{{kind}}"),
                ("sum by (kind) (increase(meterstream_market_alerts_total[5m]))", "{{kind}}"),
            ),
        ),
        Panel(
            "Bridge",
            Look.LINES,
            "Messages taken and not yet in Kafka, and 99 % of the time until they are.",
            promql=(
                ("sum(meterstream_bridge_in_flight_messages)", "messages in flight"),
                ("meterstream:bridge_kafka_ack:p99_5m", "seconds to Kafka, 99 %"),
                ("sum(rate(meterstream_bridge_kafka_retries_total[5m]))", "retries a second"),
            ),
        ),
        Panel(
            "Alert desk and feeds",
            Look.LINES,
            "99 % of each step of the desk, and requests of feeds by what came of them.",
            promql=(
                ("meterstream:alerts_step:p99_5m", "desk, {{step}} [s]"),
                ("sum by (outcome) (rate(meterstream_feed_fetches_total[15m]))", "fetches, {{outcome}} [1/s]"),
            ),
        ),
        Panel(
            "Meters in memory",
            Look.AREAS,
            "State that workers keep, 837 bytes a meter.",
            promql=(
                ("sum by (partition) (meterstream_worker_state_meters)", "meters {{partition}}"),
                ("sum by (partition) (meterstream_market_state_meters)", "series {{partition}}"),
            ),
        ),
        Panel(
            "Drift of the model",
            Look.LINES,
            "Population stability index: 0.1 is a change, 0.25 a large one.",
            promql=(("max by (feature) (meterstream_worker_model_drift_psi)", "{{feature}}"),),
            steps=(Step(None, "green"), Step(0.1, "orange"), Step(0.25, "red")),
        ),
        Panel(
            "Channels",
            Look.LINES,
            "Notices that wait for each channel, 99 % of the time until it has one, and attempts that failed.",
            promql=(
                ("max by (channel) (meterstream_alerts_waiting_notices)", "waiting, {{channel}}"),
                ("meterstream:alerts_delivery:p99_5m", "{{channel}} [s]"),
                ("sum by (channel) (increase(meterstream_alerts_delivery_failures_total[5m]))", "failed, {{channel}}"),
                ("sum by (channel) (increase(meterstream_alerts_told_notices_total[5m]))", "told, {{channel}}"),
            ),
            width=24,
        ),
        Panel(
            "How far the database has come",
            Look.TABLE,
            "One row a partition: what was accounted for, and how old its newest event is.",
            sql="""SELECT topic, partition, next_offset AS "next offset", readings, stored, duplicates, rejected,
       lost_records AS lost, to_timestamp(seen_us / 1e6) AS watermark,
       extract(epoch FROM now()) - seen_us / 1e6 AS "behind the clock [s]", updated_at AS "last delivery"
FROM (SELECT *, CASE WHEN watermark_us > 0 THEN watermark_us END AS seen_us FROM stream_offsets) offsets
ORDER BY topic, partition""",
            width=24,
        ),
    ),
)
