-- Where meters stood and when; windows by class; more of what is counted in a window.

-- From when on a meter was at a transformer (0: none) and of a class; until its next row.
CREATE TABLE meter_moves (
    meter_id       bigint NOT NULL REFERENCES smart_meters,
    valid_from     timestamptz NOT NULL,
    transformer_id bigint NOT NULL,
    customer_class text NOT NULL,
    PRIMARY KEY (meter_id, valid_from)
);

CREATE INDEX meter_moves_transformer ON meter_moves (transformer_id, valid_from);

-- Nothing older is known than where a meter is now.
INSERT INTO meter_moves (meter_id, valid_from, transformer_id, customer_class)
SELECT meter_id, '-infinity', coalesce(transformer_id, 0), coalesce(customer_class, 'unclassified')
FROM smart_meters WHERE transformer_id IS NOT NULL OR customer_class IS NOT NULL OR status <> 'unregistered';

CREATE VIEW meter_places AS
SELECT meter_id, transformer_id, customer_class, valid_from,
       lead(valid_from, 1, 'infinity') OVER (PARTITION BY meter_id ORDER BY valid_from) AS valid_to
FROM meter_moves;

-- What changed in the registry, in the order of its coming; meter 0 stands for everybody. Deliveries look here.
CREATE TABLE registry_changes (
    version        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter_id       bigint NOT NULL,
    valid_from     timestamptz NOT NULL,
    valid_to       timestamptz NOT NULL,
    was_at         bigint NOT NULL,
    transformer_id bigint NOT NULL,
    customer_class text NOT NULL,
    changed_at     timestamptz NOT NULL DEFAULT now()
);

-- Readings that were stored before it was known where their meter stood: these windows are summed up again.
CREATE TABLE window_recounts (
    transformer_id bigint NOT NULL,
    since          timestamptz NOT NULL,
    until          timestamptz NOT NULL
);

-- Since when readings are all still there: what retention has dropped under settings of before. It only grows.
CREATE TABLE readings_kept (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    since timestamptz NOT NULL
);
INSERT INTO readings_kept (since) VALUES ('-infinity');

-- The same with what TimescaleDB drops by itself; a day more, since it may be dropping right now.
CREATE FUNCTION readings_kept_since() RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE dropped interval;
BEGIN
    IF to_regclass('timescaledb_information.jobs') IS NOT NULL THEN
        SELECT (j.config ->> 'drop_after')::interval - interval '1 day' INTO dropped FROM timescaledb_information.jobs j
        WHERE j.proc_name = 'policy_retention' AND j.hypertable_schema = current_schema()
          AND j.hypertable_name = 'meter_readings';
    END IF;
    RETURN (SELECT greatest(k.since, now() - dropped) FROM readings_kept k);
END $$;

-- Windows by class. Those of before were not summed by class, and null is what was not counted then.
ALTER TABLE window_partials
    ADD COLUMN customer_class     text NOT NULL DEFAULT 'unclassified',
    ADD COLUMN meters             bigint,
    ADD COLUMN hour_meters        bigint,
    ADD COLUMN day_meters         bigint,
    ADD COLUMN normal             bigint,
    ADD COLUMN warnings           bigint,
    ADD COLUMN anomalies          bigint,
    ADD COLUMN missing            bigint,
    ADD COLUMN rejected           bigint,
    ADD COLUMN reactive_uvarh     bigint,
    ADD COLUMN demand_peak_at     timestamptz,
    ADD COLUMN power_factor_count bigint,
    ADD COLUMN power_factor_ppm   bigint,
    ADD COLUMN voltage_outside    bigint;
ALTER TABLE window_totals
    ADD COLUMN customer_class     text NOT NULL DEFAULT 'unclassified',
    ADD COLUMN meters             bigint,
    ADD COLUMN hour_meters        bigint,
    ADD COLUMN day_meters         bigint,
    ADD COLUMN normal             bigint,
    ADD COLUMN warnings           bigint,
    ADD COLUMN anomalies          bigint,
    ADD COLUMN missing            bigint,
    ADD COLUMN rejected           bigint,
    ADD COLUMN reactive_uvarh     bigint,
    ADD COLUMN demand_peak_at     timestamptz,
    ADD COLUMN power_factor_count bigint,
    ADD COLUMN power_factor_ppm   bigint,
    ADD COLUMN voltage_outside    bigint,
    DROP CONSTRAINT window_totals_pkey,
    ADD PRIMARY KEY (window_s, window_start, transformer_id, customer_class);

-- What cost per class asks: the class that a meter had when it measured.
CREATE OR REPLACE VIEW cost_by_class AS
SELECT s.region, nullif(m.customer_class, 'unclassified') AS customer_class, p.starts_at, p.ends_at, p.currency, p.price,
       sum(round(r.consumption_kwh * 1e9)::bigint) / 1e12 AS energy_mwh,
       round(sum(round(r.consumption_kwh * 1e9)::bigint) / 1e12 * p.price, 2) AS cost
FROM meter_readings r
JOIN meter_places m ON m.meter_id = r.meter_id AND r.reading_time >= m.valid_from AND r.reading_time < m.valid_to
JOIN transformers t USING (transformer_id)
JOIN feeders f USING (feeder_id)
JOIN substations s USING (substation_id)
JOIN region_zones z USING (region)
JOIN markets k ON k.market = z.market
JOIN region_prices p ON p.region = s.region
 AND p.starts_at = market_bar_start(r.reading_time, k.interval_s, k.timezone)
WHERE r.consumption_kwh IS NOT NULL
GROUP BY s.region, m.customer_class, p.starts_at, p.ends_at, p.currency, p.price;

CREATE OR REPLACE VIEW window_aggregates AS
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
       sum(w.restating)::bigint                                            AS revision,
       sum(w.meters)::bigint                                               AS meters,
       sum(w.voltage_outside)::bigint                                      AS voltage_outside,
       (array_agg(w.demand_peak_at ORDER BY w.demand_peak_kw DESC, w.demand_peak_at)
        FILTER (WHERE w.demand_peak_at IS NOT NULL))[1]                    AS demand_peak_at
FROM (SELECT * FROM window_totals UNION ALL SELECT * FROM window_partials) w
LEFT JOIN transformers t USING (transformer_id)
GROUP BY w.transformer_id, t.name, w.window_start, w.window_s;

-- As before; every column by its name, since one goes.
CREATE OR REPLACE VIEW best_values AS
SELECT r.meter_id, r.reading_time, coalesce(v.version, 0) AS version, coalesce(v.kind, 'reading') AS kind,
       CASE WHEN v.version IS NOT NULL THEN v.consumption_kwh
            WHEN r.quality_flag <> 'rejected' THEN r.consumption_kwh END AS consumption_kwh,
       coalesce(v.quality_flag, r.quality_flag) AS quality_flag,
       coalesce(v.failed_rules, r.failed_rules) AS failed_rules,
       coalesce(v.warned_rules, r.warned_rules) AS warned_rules,
       coalesce(v.rule_set, r.rule_set) AS rule_set,
       v.method, v.confidence,
       coalesce(v.nem12_quality, r.nem12_quality) AS nem12_quality,
       coalesce(v.espi_quality, r.espi_quality) AS espi_quality,
       v.author, v.reason, coalesce(v.made_at, r.arrived_at) AS made_at,
       CASE WHEN v.kind = 'reject' THEN NULL
            WHEN v.export_kwh IS NOT NULL THEN v.export_kwh
            WHEN r.quality_flag <> 'rejected' OR v.kind IN ('accept', 'edit') THEN r.export_kwh END AS export_kwh,
       CASE WHEN v.kind = 'estimate' THEN v.export_method END AS export_method,
       v.export_confidence
FROM meter_readings r
LEFT JOIN LATERAL (
    SELECT n.version, n.kind, n.consumption_kwh, n.quality_flag, n.failed_rules, n.warned_rules, n.rule_set, n.method,
           n.confidence, n.nem12_quality, n.espi_quality, n.author, n.reason, n.made_at, n.export_kwh, n.export_method,
           n.export_confidence
    FROM vee_values n
    WHERE n.meter_id = r.meter_id AND n.reading_time = r.reading_time
      AND (n.over_reading OR r.quality_flag = 'rejected'
           OR r.consumption_kwh IS NULL AND (n.consumption_kwh IS NOT NULL OR r.export_kwh IS NULL))
    ORDER BY n.version DESC LIMIT 1
) v ON true
UNION ALL
SELECT v.meter_id, v.reading_time, v.version, v.kind, v.consumption_kwh, v.quality_flag, v.failed_rules, v.warned_rules,
       v.rule_set, v.method, v.confidence, v.nem12_quality, v.espi_quality, v.author, v.reason, v.made_at,
       v.export_kwh, CASE WHEN v.kind = 'estimate' THEN v.export_method END, v.export_confidence
FROM vee_values v
WHERE NOT EXISTS (SELECT FROM meter_readings r WHERE r.meter_id = v.meter_id AND r.reading_time = v.reading_time)
  AND NOT EXISTS (SELECT FROM vee_values n WHERE n.meter_id = v.meter_id AND n.reading_time = v.reading_time
                  AND n.version > v.version);

-- As before, but the difference belongs to where the meter stood in that interval, as the reading does.
CREATE OR REPLACE VIEW value_corrections AS
SELECT c.meter_id, c.reading_time, coalesce(p.transformer_id, 0) AS transformer_id, c.kind,
       c.best_uwh - c.counted_uwh AS energy_uwh, c.best_export_uwh - c.counted_export_uwh AS export_uwh,
       CASE WHEN c.kind = 'estimate' THEN c.best_uwh ELSE 0 END AS estimated_uwh,
       CASE WHEN c.kind = 'estimate' AND c.export_estimated THEN c.best_export_uwh ELSE 0 END AS estimated_export_uwh
FROM (
    SELECT o.meter_id, o.reading_time, coalesce(v.kind, 'reading') AS kind,
           coalesce(round(CASE WHEN v.version IS NOT NULL THEN v.consumption_kwh
                               WHEN r.quality_flag <> 'rejected' THEN r.consumption_kwh END * 1e9)::bigint, 0) AS best_uwh,
           coalesce(round(r.consumption_kwh * 1e9)::bigint, 0) AS counted_uwh,
           coalesce(round(CASE WHEN v.kind = 'reject' THEN NULL
                               WHEN v.export_kwh IS NOT NULL THEN v.export_kwh
                               WHEN r.quality_flag <> 'rejected' OR v.kind IN ('accept', 'edit') THEN r.export_kwh
                          END * 1e9)::bigint, 0) AS best_export_uwh,
           coalesce(round(r.export_kwh * 1e9)::bigint, 0) AS counted_export_uwh,
           v.export_kwh IS NOT NULL AS export_estimated
    FROM vee_values o
    LEFT JOIN meter_readings r ON r.meter_id = o.meter_id AND r.reading_time = o.reading_time
    LEFT JOIN LATERAL (
        SELECT n.version, n.kind, n.consumption_kwh, n.export_kwh FROM vee_values n
        WHERE n.meter_id = o.meter_id AND n.reading_time = o.reading_time
          AND (n.over_reading OR r.meter_id IS NULL OR r.quality_flag = 'rejected'
               OR r.consumption_kwh IS NULL AND (n.consumption_kwh IS NOT NULL OR r.export_kwh IS NULL))
        ORDER BY n.version DESC LIMIT 1
    ) v ON true
    WHERE o.version = 1
    UNION ALL
    SELECT r.meter_id, r.reading_time, 'reading', 0,
           coalesce(round(r.consumption_kwh * 1e9)::bigint, 0), 0, coalesce(round(r.export_kwh * 1e9)::bigint, 0), false
    FROM meter_readings r
    WHERE (r.failed_rules <> 0 OR r.warned_rules <> 0) AND r.quality_flag = 'rejected'
      AND NOT EXISTS (SELECT FROM vee_values v WHERE v.meter_id = r.meter_id AND v.reading_time = r.reading_time)
) c
LEFT JOIN LATERAL (
    SELECT m.transformer_id FROM meter_moves m WHERE m.meter_id = c.meter_id AND m.valid_from <= c.reading_time
    ORDER BY m.valid_from DESC LIMIT 1
) p ON true;

-- Where a meter stood says its places.
ALTER TABLE vee_values DROP COLUMN transformer_id;
