-- Readings, what they were measured by, windows, alerts, rejects, and how far each partition has been stored.
-- Safe to apply twice. Times are timestamptz; energy is kWh unless a column says otherwise.

CREATE TYPE quality_flag AS ENUM ('normal', 'warning', 'anomaly', 'missing');

CREATE TABLE substations (
    substation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    region        text
);

CREATE TABLE feeders (
    feeder_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    substation_id bigint REFERENCES substations
);

CREATE TABLE transformers (
    transformer_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL UNIQUE,
    feeder_id      bigint REFERENCES feeders
);

CREATE TABLE smart_meters (
    meter_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter_number   text NOT NULL UNIQUE CHECK (length(meter_number) BETWEEN 1 AND 50),
    transformer_id bigint REFERENCES transformers,
    customer_class text,
    status         text NOT NULL DEFAULT 'unregistered',
    first_seen     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE meter_readings (
    meter_id         bigint NOT NULL,
    reading_time     timestamptz NOT NULL,
    consumption_kwh  double precision,
    demand_kw        double precision,
    voltage          double precision,
    current_amps     double precision,
    power_factor     double precision,
    register_kwh     double precision,
    export_kwh       double precision,
    reactive_kvarh   double precision,
    frequency_hz     double precision,
    temperature_c    double precision,
    sequence         bigint,
    source_quality   text,
    phase            text,
    quality_flag     quality_flag NOT NULL,
    anomaly_score    real,
    -- Which Kafka record it came in, and when that arrived: audit, and the proof that nothing was lost.
    source_partition integer NOT NULL,
    source_offset    bigint NOT NULL,
    arrived_at       timestamptz NOT NULL,
    PRIMARY KEY (meter_id, reading_time)
);

-- Windows of each transformer (0: meters without one), in two tables: what each delivery adds is appended to
-- window_partials, which costs a fraction of updating totals in place; once a window has closed, its partials are
-- folded into window_totals. Sums are whole numbers, so order cannot change them. Read the view, which adds both.
CREATE TABLE window_partials (
    transformer_id   bigint NOT NULL,
    window_s         integer NOT NULL,
    window_start     timestamptz NOT NULL,
    readings         bigint NOT NULL,
    energy_uwh       bigint NOT NULL,
    export_uwh       bigint NOT NULL,
    demand_peak_kw   double precision,
    voltage_count    bigint NOT NULL,
    voltage_sum_mv   bigint NOT NULL,
    voltage_min      double precision,
    voltage_max      double precision,
    restating        bigint NOT NULL
);

CREATE INDEX window_partials_window ON window_partials (window_s, window_start, transformer_id);

CREATE TABLE window_totals (
    LIKE window_partials,
    PRIMARY KEY (window_s, window_start, transformer_id)
);

CREATE VIEW window_aggregates AS
SELECT w.transformer_id,
       'transformer/' || coalesce(t.name, 'unassigned')                   AS element,
       w.window_start,
       w.window_s,
       sum(w.readings)::bigint                                             AS readings,
       sum(w.energy_uwh)::double precision / 1e9                           AS energy_kwh,
       sum(w.export_uwh)::double precision / 1e9                           AS export_kwh,
       max(w.demand_peak_kw)                                               AS demand_peak_kw,
       min(w.voltage_min)                                                  AS voltage_min,
       sum(w.voltage_sum_mv)::double precision / 1e3 / nullif(sum(w.voltage_count), 0) AS voltage_mean,
       max(w.voltage_max)                                                  AS voltage_max,
       sum(w.restating)::bigint                                            AS revision
FROM (SELECT * FROM window_totals UNION ALL SELECT * FROM window_partials) w
LEFT JOIN transformers t USING (transformer_id)
GROUP BY w.transformer_id, t.name, w.window_start, w.window_s;

CREATE TABLE alerts (
    alert_id    text PRIMARY KEY,
    kind        text NOT NULL,
    severity    text NOT NULL,
    element     text NOT NULL,
    occurred_at timestamptz NOT NULL,
    arrived_at  timestamptz NOT NULL,
    measured    double precision NOT NULL,
    expected    double precision NOT NULL,
    unit        text NOT NULL,
    score       real NOT NULL,
    message     text NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    resolved_at timestamptz
);

CREATE INDEX alerts_newest ON alerts (occurred_at DESC);

CREATE TABLE rejected_readings (
    reject_id        text PRIMARY KEY,
    reason           text NOT NULL,
    detail           text NOT NULL,
    source           text NOT NULL,
    rejected_at      timestamptz NOT NULL,
    meter_number     text,
    payload          text NOT NULL,
    payload_encoding text NOT NULL,
    payload_bytes    bigint NOT NULL
);

CREATE INDEX rejected_readings_newest ON rejected_readings (rejected_at DESC);

-- One row per partition of one life of a topic: a topic that is deleted and made again has another topic_id,
-- so that its first offsets are not mistaken for ones already stored.
CREATE TABLE stream_offsets (
    topic        text NOT NULL,
    topic_id     text NOT NULL,
    partition    integer NOT NULL,
    next_offset  bigint NOT NULL,
    watermark_us bigint NOT NULL,
    readings     bigint NOT NULL DEFAULT 0,
    stored       bigint NOT NULL DEFAULT 0,
    duplicates   bigint NOT NULL DEFAULT 0,
    rejected     bigint NOT NULL DEFAULT 0,
    lost_records bigint NOT NULL DEFAULT 0,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, topic_id, partition)
);
