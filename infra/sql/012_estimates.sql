-- Estimates that the engine makes by itself: what is due, energy fed in, and what is built on best values.

-- Energy fed in, where a value says something about it; and the transformer whose windows a value belongs to (0: none),
-- since moving a meter does not move its past.
ALTER TABLE vee_values
    ADD COLUMN export_kwh        double precision,
    ADD COLUMN export_method     text,
    ADD COLUMN export_confidence real,
    ADD COLUMN transformer_id    bigint NOT NULL DEFAULT 0;
ALTER TABLE vee_values DISABLE TRIGGER vee_values_stay;
UPDATE vee_values v SET transformer_id = m.transformer_id
FROM smart_meters m WHERE m.meter_id = v.meter_id AND m.transformer_id IS NOT NULL;
ALTER TABLE vee_values ENABLE TRIGGER vee_values_stay;
CREATE INDEX vee_values_first ON vee_values (reading_time, meter_id) WHERE version = 1;
-- Readings that came without any value.
CREATE INDEX meter_readings_silent ON meter_readings (reading_time, meter_id) WHERE quality_flag = 'missing';

-- Meters that may have something to estimate within (since, until], and gaps that had not ended when they were estimated.
CREATE TABLE estimates_due (
    meter_id bigint PRIMARY KEY,
    since    timestamptz NOT NULL,
    until    timestamptz NOT NULL,
    -- Grows whenever something is added, so that what is added meanwhile is not taken for done.
    changes  bigint NOT NULL DEFAULT 0
);
CREATE INDEX estimates_due_oldest ON estimates_due (since, meter_id);
CREATE TABLE estimates_open (
    meter_id bigint PRIMARY KEY,
    since    timestamptz NOT NULL,
    until    timestamptz NOT NULL
);
-- Up to when hours have been looked through for readings that fail.
CREATE TABLE estimates_progress (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    until timestamptz NOT NULL
);

-- Everything that may change an estimate says so in its own transaction.
CREATE FUNCTION missing_is_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO estimates_due AS d (meter_id, since, until)
    SELECT n.meter_id, min(n.hour), max(n.hour) + interval '1 hour' FROM news n GROUP BY n.meter_id ORDER BY n.meter_id
    ON CONFLICT (meter_id) DO UPDATE SET since = least(d.since, excluded.since),
        until = greatest(d.until, excluded.until), changes = d.changes + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER missing_data_new AFTER INSERT ON missing_data REFERENCING NEW TABLE AS news
    FOR EACH STATEMENT EXECUTE FUNCTION missing_is_due();
CREATE TRIGGER missing_data_again AFTER UPDATE ON missing_data REFERENCING NEW TABLE AS news
    FOR EACH STATEMENT EXECUTE FUNCTION missing_is_due();

CREATE FUNCTION decided_is_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO estimates_due AS d (meter_id, since, until)
    SELECT n.meter_id, min(n.reading_time) - interval '1 microsecond', max(n.reading_time) FROM news n
    WHERE n.kind IN ('reject', 'edit', 'rerun') GROUP BY n.meter_id ORDER BY n.meter_id
    ON CONFLICT (meter_id) DO UPDATE SET since = least(d.since, excluded.since),
        until = greatest(d.until, excluded.until), changes = d.changes + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER vee_values_new AFTER INSERT ON vee_values REFERENCING NEW TABLE AS news
    FOR EACH STATEMENT EXECUTE FUNCTION decided_is_due();

CREATE FUNCTION outage_is_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO estimates_due AS d (meter_id, since, until)
    SELECT m.meter_id, min(o.starts_at), max(o.ends_at)
    FROM (SELECT OLD.* UNION ALL SELECT NEW.*) o
    JOIN smart_meters m ON m.meter_number = o.meter_number
        OR m.transformer_id = (SELECT t.transformer_id FROM transformers t WHERE t.name = o.transformer)
    GROUP BY m.meter_id ORDER BY m.meter_id
    ON CONFLICT (meter_id) DO UPDATE SET since = least(d.since, excluded.since),
        until = greatest(d.until, excluded.until), changes = d.changes + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER outages_changed AFTER INSERT OR UPDATE OR DELETE ON outages
    FOR EACH ROW EXECUTE FUNCTION outage_is_due();

INSERT INTO estimates_due (meter_id, since, until)
SELECT meter_id, min(hour), max(hour) + interval '1 hour' FROM missing_data WHERE received < expected GROUP BY meter_id;

-- As before, with energy fed in: a reading's, unless it is not to be used; an estimate where there is none.
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
    SELECT * FROM vee_values n
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

-- Where the best value of an interval is not the reading that its window has counted, and by how much [uWh]. A view, so
-- that a true value which comes late restates what is built on it in the very transaction that stores it.
CREATE VIEW value_corrections AS
SELECT c.meter_id, c.reading_time, c.transformer_id, c.kind,
       c.best_uwh - c.counted_uwh AS energy_uwh, c.best_export_uwh - c.counted_export_uwh AS export_uwh,
       CASE WHEN c.kind = 'estimate' THEN c.best_uwh ELSE 0 END AS estimated_uwh,
       CASE WHEN c.kind = 'estimate' AND c.export_estimated THEN c.best_export_uwh ELSE 0 END AS estimated_export_uwh
FROM (
    SELECT o.meter_id, o.reading_time, o.transformer_id, coalesce(v.kind, 'reading') AS kind,
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
        SELECT * FROM vee_values n
        WHERE n.meter_id = o.meter_id AND n.reading_time = o.reading_time
          AND (n.over_reading OR r.meter_id IS NULL OR r.quality_flag = 'rejected'
               OR r.consumption_kwh IS NULL AND (n.consumption_kwh IS NOT NULL OR r.export_kwh IS NULL))
        ORDER BY n.version DESC LIMIT 1
    ) v ON true
    WHERE o.version = 1
    UNION ALL
    SELECT r.meter_id, r.reading_time, coalesce(m.transformer_id, 0), 'reading', 0,
           coalesce(round(r.consumption_kwh * 1e9)::bigint, 0), 0, coalesce(round(r.export_kwh * 1e9)::bigint, 0), false
    FROM meter_readings r JOIN smart_meters m USING (meter_id)
    WHERE (r.failed_rules <> 0 OR r.warned_rules <> 0) AND r.quality_flag = 'rejected'
      AND NOT EXISTS (SELECT FROM vee_values v WHERE v.meter_id = r.meter_id AND v.reading_time = r.reading_time)
) c;

-- Windows of each transformer from what was measured and from best values, whole micro-watt-hours: `measured` counts
-- readings as they came, `best` the best values, and `estimated` is how much of these is estimated.
CREATE VIEW best_loads AS
SELECT w.transformer_id, w.window_s, w.window_start,
       sum(w.energy_uwh)::bigint                AS measured_uwh,
       sum(w.energy_uwh + w.more_uwh)::bigint   AS best_uwh,
       sum(w.estimated_uwh)::bigint             AS estimated_uwh,
       sum(w.export_uwh)::bigint                AS measured_export_uwh,
       sum(w.export_uwh + w.more_export_uwh)::bigint AS best_export_uwh,
       sum(w.estimated_export_uwh)::bigint      AS estimated_export_uwh,
       sum(w.estimates)::bigint                 AS estimates
FROM (
    SELECT transformer_id, window_s, window_start, energy_uwh, export_uwh, 0 AS more_uwh, 0 AS more_export_uwh,
           0 AS estimated_uwh, 0 AS estimated_export_uwh, 0 AS estimates
    FROM window_totals
    UNION ALL
    SELECT transformer_id, window_s, window_start, energy_uwh, export_uwh, 0, 0, 0, 0, 0 FROM window_partials
    UNION ALL
    SELECT c.transformer_id, l.window_s, to_timestamp(floor(extract(epoch FROM c.reading_time) / l.window_s) * l.window_s),
           0, 0, c.energy_uwh, c.export_uwh, c.estimated_uwh, c.estimated_export_uwh, (c.kind = 'estimate')::int
    FROM value_corrections c CROSS JOIN (VALUES (60), (900)) AS l (window_s)
) w
GROUP BY w.transformer_id, w.window_s, w.window_start;

CREATE VIEW best_windows AS
SELECT 'transformer/' || coalesce(t.name, 'unassigned') AS element, w.window_start, w.window_s,
       w.measured_uwh / 1e9::float8 AS measured_kwh, w.best_uwh / 1e9::float8 AS best_kwh,
       w.estimated_uwh / 1e9::float8 AS estimated_kwh,
       w.measured_export_uwh / 1e9::float8 AS measured_export_kwh, w.best_export_uwh / 1e9::float8 AS best_export_kwh,
       w.estimated_export_uwh / 1e9::float8 AS estimated_export_kwh, w.estimates
FROM best_loads w LEFT JOIN transformers t USING (transformer_id);

-- Load in the settlement interval of its region's market, by quality: `measured`, readings as they came; `best`, best
-- values; `actual`, best values without estimates.
CREATE VIEW quality_loads AS
SELECT l.region, l.feeder, l.starts_at, q.quality, q.energy_uwh
FROM (
    SELECT s.region, f.name AS feeder, market_bar_start(w.window_start, m.interval_s, m.timezone) AS starts_at,
           sum(w.measured_uwh) AS measured_uwh, sum(w.best_uwh) AS best_uwh, sum(w.estimated_uwh) AS estimated_uwh
    FROM best_loads w
    JOIN transformers t USING (transformer_id)
    JOIN feeders f USING (feeder_id)
    JOIN substations s USING (substation_id)
    JOIN region_zones z USING (region)
    JOIN markets m USING (market)
    WHERE w.window_s = 60
    GROUP BY 1, 2, 3
) l
CROSS JOIN LATERAL (VALUES ('measured', l.measured_uwh), ('best', l.best_uwh), ('actual', l.best_uwh - l.estimated_uwh))
    AS q (quality, energy_uwh);

CREATE VIEW feeder_cost_by_quality AS
SELECT l.quality, l.region, l.feeder, p.starts_at, p.ends_at, p.currency, p.price,
       l.energy_uwh::numeric / 1e12 AS energy_mwh, round(l.energy_uwh::numeric / 1e12 * p.price, 2) AS cost
FROM quality_loads l JOIN region_prices p USING (region, starts_at);

-- Rounded once, from the whole.
CREATE VIEW region_cost_by_quality AS
SELECT l.quality, l.region, p.starts_at, p.ends_at, p.currency, p.price,
       sum(l.energy_uwh)::numeric / 1e12 AS energy_mwh, round(sum(l.energy_uwh)::numeric / 1e12 * p.price, 2) AS cost
FROM quality_loads l JOIN region_prices p USING (region, starts_at)
GROUP BY l.quality, l.region, p.starts_at, p.ends_at, p.currency, p.price;
