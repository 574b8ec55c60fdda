-- What is known of transformers themselves: their rating, their own meters, what they lose, and what is wrong with them.
-- The meter of a transformer is of the class `transformer`; it measures what its customers draw once more, so it is in no
-- sum over customers. Windows of its class are kept beside those of the others.

ALTER TABLE transformers ADD COLUMN rating_kva double precision CHECK (rating_kva > 0);
ALTER TABLE smart_meters ADD COLUMN supply_phase text CHECK (supply_phase IN ('L1', 'L2', 'L3', 'L1L2L3'));

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
FROM window_parts w
LEFT JOIN transformers t USING (transformer_id)
WHERE w.customer_class <> 'transformer'
GROUP BY w.transformer_id, t.name, w.window_start, w.window_s;

CREATE OR REPLACE VIEW interval_loads AS
SELECT s.region, f.name AS feeder,
       market_bar_start(w.window_start, m.interval_s, m.timezone) AS starts_at, sum(w.energy_uwh) AS energy_uwh
FROM window_parts w
JOIN transformers t USING (transformer_id)
JOIN feeders f USING (feeder_id)
JOIN substations s USING (substation_id)
JOIN region_zones z USING (region)
JOIN markets m USING (market)
WHERE w.window_s = 60 AND w.customer_class <> 'transformer'
GROUP BY 1, 2, 3;

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
WHERE r.consumption_kwh IS NOT NULL AND m.customer_class <> 'transformer'
GROUP BY s.region, m.customer_class, p.starts_at, p.ends_at, p.currency, p.price;

CREATE OR REPLACE VIEW value_corrections AS
SELECT c.meter_id, c.reading_time, coalesce(p.transformer_id, 0) AS transformer_id, c.kind,
       c.best_uwh - c.counted_uwh AS energy_uwh, c.best_export_uwh - c.counted_export_uwh AS export_uwh,
       CASE WHEN c.kind = 'estimate' THEN c.best_uwh ELSE 0 END AS estimated_uwh,
       CASE WHEN c.kind = 'estimate' AND c.export_estimated THEN c.best_export_uwh ELSE 0 END AS estimated_export_uwh,
       coalesce(p.customer_class, 'unclassified') AS customer_class
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
    SELECT m.transformer_id, m.customer_class FROM meter_moves m WHERE m.meter_id = c.meter_id AND m.valid_from <= c.reading_time
    ORDER BY m.valid_from DESC LIMIT 1
) p ON true;

CREATE OR REPLACE VIEW best_loads AS
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
    FROM window_totals WHERE customer_class <> 'transformer'
    UNION ALL
    SELECT transformer_id, window_s, window_start, energy_uwh, export_uwh, 0, 0, 0, 0, 0 FROM window_partials
    WHERE customer_class <> 'transformer'
    UNION ALL
    SELECT c.transformer_id, l.window_s, to_timestamp(floor(extract(epoch FROM c.reading_time) / l.window_s) * l.window_s),
           0, 0, c.energy_uwh, c.export_uwh, c.estimated_uwh, c.estimated_export_uwh, (c.kind = 'estimate')::int
    FROM value_corrections c CROSS JOIN (VALUES (60), (900)) AS l (window_s)
    WHERE c.customer_class <> 'transformer'
) w
GROUP BY w.transformer_id, w.window_s, w.window_start;

CREATE OR REPLACE VIEW element_windows AS
WITH open_quarters AS (
    SELECT e.element_kind, e.element, c.customer_class, w.window_start, sum(w.readings)::bigint AS readings,
           sum(w.meters)::bigint AS meters, sum(w.normal)::bigint AS normal, sum(w.warnings)::bigint AS warnings,
           sum(w.anomalies)::bigint AS anomalies, sum(w.missing)::bigint AS missing, sum(w.rejected)::bigint AS rejected,
           sum(w.energy_uwh)::double precision AS uwh, sum(w.export_uwh)::double precision AS export_uwh,
           sum(w.reactive_uvarh)::double precision AS reactive_uvarh, sum(w.power_factor_ppm)::double precision AS ppm,
           sum(w.power_factor_count) AS power_factors, min(w.voltage_min) AS voltage_min, max(w.voltage_max) AS voltage_max,
           sum(w.voltage_sum_mv)::double precision AS mv, sum(w.voltage_count) AS voltages,
           sum(w.voltage_outside)::double precision AS outside
    FROM (SELECT DISTINCT window_start FROM window_partials WHERE window_s = 900) open
    JOIN (SELECT * FROM window_partials WHERE window_s = 900) w USING (window_start)
    JOIN transformer_elements e USING (transformer_id)
    CROSS JOIN LATERAL (
        SELECT w.customer_class UNION ALL SELECT '*' WHERE w.customer_class <> 'transformer'
    ) c (customer_class)
    GROUP BY 1, 2, 3, 4
), open AS MATERIALIZED (
    SELECT * FROM merges_due d
    WHERE NOT EXISTS (SELECT FROM element_totals t WHERE t.window_s = d.window_s AND t.element = d.element
                      AND t.customer_class = d.customer_class AND t.window_start = d.window_start)
), open_merges AS (
    SELECT d.element_kind, d.element, d.customer_class, d.window_s, d.window_start, d.window_end, s.*,
           extract(epoch FROM d.window_end - d.window_start)::double precision AS seconds
    FROM open d
    -- Of the few windows that are open, each by the key of its quarter-hours.
    CROSS JOIN LATERAL (
        SELECT sum(q.readings)::bigint AS readings,
               sum(CASE WHEN d.window_s = 3600 THEN q.hour_meters
                        WHEN d.element_kind <> 'grid' OR NOT EXISTS (SELECT FROM region_clocks WHERE timezone <> 'UTC')
                        THEN q.day_meters END)::bigint AS meters,
               sum(q.normal)::bigint AS normal, sum(q.warnings)::bigint AS warnings,
               sum(q.anomalies)::bigint AS anomalies, sum(q.missing)::bigint AS missing,
               sum(q.rejected)::bigint AS rejected,
               sum(q.energy_uwh)::double precision AS uwh, sum(q.export_uwh)::double precision AS export_uwh,
               sum(q.reactive_uvarh)::double precision AS reactive_uvarh,
               max(q.peak_uwh)::double precision AS peak_uwh,
               (array_agg(q.window_start ORDER BY q.peak_uwh DESC, q.window_start))[1] AS peak_at,
               sum(q.power_factor_ppm)::double precision AS ppm, sum(q.power_factor_count) AS power_factors,
               min(q.voltage_min) AS voltage_min, max(q.voltage_max) AS voltage_max,
               sum(q.voltage_sum_mv)::double precision AS mv, sum(q.voltage_count) AS voltages,
               sum(q.voltage_outside)::double precision AS outside
        FROM element_totals q
        WHERE q.window_s = 900 AND q.element = d.element AND q.customer_class = d.customer_class
          AND q.window_start >= d.window_start AND q.window_start < d.window_end
    ) s
    WHERE s.readings IS NOT NULL
)
SELECT 'final' AS state, * FROM element_beliefs WHERE believed_until = 'infinity'
UNION ALL
SELECT 'provisional', q.element_kind, q.element, nullif(q.customer_class, '*'), 900, q.window_start,
       q.window_start + interval '15 minutes', 0, q.readings, q.meters, q.normal, q.warnings, q.anomalies, q.missing,
       q.rejected, q.uwh / 1e9, q.export_uwh / 1e9, q.reactive_uvarh / 1e9, q.uwh / 1e9 * 4, q.uwh / 1e9 * 4,
       q.window_start, CASE WHEN q.uwh <> 0 THEN 1 END, q.ppm / 1e6 / nullif(q.power_factors, 0)::double precision,
       q.voltage_min, q.mv / 1e3 / nullif(q.voltages, 0)::double precision, q.voltage_max,
       q.outside / nullif(q.voltages, 0)::double precision, NULL, NULL
FROM open_quarters q
WHERE NOT EXISTS (SELECT FROM element_totals t WHERE t.window_s = 900 AND t.element = q.element
                  AND t.customer_class = q.customer_class AND t.window_start = q.window_start)
UNION ALL
SELECT 'provisional', m.element_kind, m.element, nullif(m.customer_class, '*'), m.window_s, m.window_start, m.window_end,
       0, m.readings, m.meters, m.normal, m.warnings, m.anomalies, m.missing, m.rejected, m.uwh / 1e9, m.export_uwh / 1e9,
       m.reactive_uvarh / 1e9, m.uwh / 1e9 * 3600 / m.seconds, m.peak_uwh / 1e9 * 4, m.peak_at,
       m.uwh * 900 / (nullif(m.peak_uwh, 0) * m.seconds), m.ppm / 1e6 / nullif(m.power_factors, 0)::double precision,
       m.voltage_min, m.mv / 1e3 / nullif(m.voltages, 0)::double precision, m.voltage_max,
       m.outside / nullif(m.voltages, 0)::double precision, NULL, NULL
FROM open_merges m;

CREATE OR REPLACE FUNCTION customers_served(at timestamptz) RETURNS TABLE (region text, customers bigint) LANGUAGE sql STABLE AS $$
    SELECT s.region, count(*)
    FROM meter_places p
    JOIN smart_meters m USING (meter_id)
    JOIN transformers t ON t.transformer_id = p.transformer_id
    JOIN feeders f USING (feeder_id)
    JOIN substations s USING (substation_id)
    WHERE p.valid_from <= at AND p.valid_to > at AND s.region IS NOT NULL AND m.status = 'active'
      AND p.customer_class <> 'transformer'
    GROUP BY s.region
$$;

CREATE OR REPLACE FUNCTION top_elements(
    level text, first_day date, last_day date, most integer DEFAULT 10, quality quality_filter DEFAULT 'best'
)
RETURNS TABLE (element text, meters bigint, energy_kwh double precision)
LANGUAGE sql STABLE AS $$
    SELECT level || '/' || coalesce(CASE level WHEN 'transformer' THEN t.name WHEN 'feeder' THEN f.name
               WHEN 'substation' THEN s.name WHEN 'region' THEN s.region WHEN 'class' THEN m.customer_class END, 'unassigned'),
           count(*), sum(e.energy_kwh)
    FROM (SELECT d.meter_id, sum(d.energy_kwh) AS energy_kwh FROM daily_energy(first_day, last_day, quality) d
          GROUP BY d.meter_id) e
    JOIN smart_meters m USING (meter_id)
    LEFT JOIN transformers t USING (transformer_id)
    LEFT JOIN feeders f USING (feeder_id)
    LEFT JOIN substations s USING (substation_id)
    WHERE m.customer_class IS DISTINCT FROM 'transformer'
    GROUP BY 1 HAVING sum(e.energy_kwh) IS NOT NULL ORDER BY 3 DESC, 1 LIMIT most
$$;

-- What was merged of such meters before is merged again without them.
INSERT INTO quarters_due SELECT DISTINCT window_start FROM window_totals
WHERE window_s = 900 AND customer_class = 'transformer' ON CONFLICT DO NOTHING;
DELETE FROM element_totals t
WHERE t.customer_class = '*' AND EXISTS (SELECT FROM window_totals WHERE customer_class = 'transformer')
  AND NOT EXISTS (SELECT FROM element_totals o
                  WHERE o.window_s = t.window_s AND o.element = t.element AND o.window_start = t.window_start
                    AND o.customer_class NOT IN ('*', 'transformer'));

-- What each transformer carried in each closed quarter-hour. By its own meter where it has one, whose reactive energy or
-- power factor says how many kVA the kW are; else by its customers and the mean of what power factors these have said, or
-- 0.95 where nobody has said any. Of customers without their losses, and of those only that have sent. A transformer
-- that is fed back through is loaded as well.
CREATE VIEW transformer_loading AS
SELECT t.transformer_id, t.name AS transformer, f.name AS feeder, s.region, w.window_start, t.rating_kva,
       CASE WHEN w.own THEN 'own_meter' ELSE 'customers' END AS measured_by,
       CASE WHEN w.own AND w.own_kvar > 0 THEN 'reactive_energy' WHEN w.own_factor > 0 THEN 'own_meter'
            WHEN w.factor > 0 THEN 'customers' ELSE 'assumed' END AS power_factor_by,
       l.power_kw, l.load_kva, l.load_kva / t.rating_kva AS loading, w.meters
FROM (
    SELECT e.element, e.window_start, bool_or(e.customer_class = 'transformer' AND e.readings > e.missing) AS own,
           sum((e.energy_uwh - e.export_uwh) * 4) FILTER (WHERE e.customer_class = 'transformer') / 1e9::float8 AS own_kw,
           sum(e.reactive_uvarh * 4) FILTER (WHERE e.customer_class = 'transformer') / 1e9::float8 AS own_kvar,
           sum(e.power_factor_ppm) FILTER (WHERE e.customer_class = 'transformer')
               / nullif(sum(e.power_factor_count) FILTER (WHERE e.customer_class = 'transformer'), 0) / 1e6::float8 AS own_factor,
           sum((e.energy_uwh - e.export_uwh) * 4) FILTER (WHERE e.customer_class = '*') / 1e9::float8 AS kw,
           sum(e.power_factor_ppm) FILTER (WHERE e.customer_class = '*')
               / nullif(sum(e.power_factor_count) FILTER (WHERE e.customer_class = '*'), 0) / 1e6::float8 AS factor,
           sum(e.meters) FILTER (WHERE e.customer_class = '*')::bigint AS meters
    FROM element_totals e
    WHERE e.window_s = 900 AND e.element_kind = 'transformer' AND e.customer_class IN ('*', 'transformer')
    GROUP BY e.element, e.window_start
) w
JOIN transformers t ON w.element = 'transformer/' || t.name
LEFT JOIN feeders f USING (feeder_id)
LEFT JOIN substations s USING (substation_id)
CROSS JOIN LATERAL (
    SELECT CASE WHEN w.own THEN w.own_kw ELSE w.kw END AS power_kw,
           CASE WHEN w.own AND w.own_kvar > 0 THEN sqrt(w.own_kw * w.own_kw + w.own_kvar * w.own_kvar)
                WHEN w.own THEN abs(w.own_kw) / coalesce(nullif(w.own_factor, 0), nullif(w.factor, 0), 0.95)
                ELSE abs(w.kw) / coalesce(nullif(w.factor, 0), 0.95) END AS load_kva
) l;

-- Energy by transformer with a meter of its own and hour, (hour, hour + 1 h] by the ends of intervals, from best values:
-- what its own meters say against what its customers' do. Intervals that are expected, and those that there are.
CREATE TABLE transformer_hours (
    transformer_id       bigint NOT NULL,
    hour                 timestamptz NOT NULL,
    own_uwh              bigint NOT NULL,
    own_export_uwh       bigint NOT NULL,
    own_expected         integer NOT NULL,
    own_received         integer NOT NULL,
    customers            integer NOT NULL,
    customers_uwh        bigint NOT NULL,
    customers_export_uwh bigint NOT NULL,
    expected             integer NOT NULL,
    received             integer NOT NULL,
    estimated            integer NOT NULL,
    revision             integer NOT NULL DEFAULT 0,
    PRIMARY KEY (transformer_id, hour)
);
CREATE INDEX transformer_hours_hour ON transformer_hours (hour);
-- Without a key: who notes an hour waits for nobody who notes or counts the same.
CREATE TABLE transformer_hours_due (
    transformer_id bigint NOT NULL,
    hour           timestamptz NOT NULL
);
CREATE INDEX transformer_hours_due_oldest ON transformer_hours_due (hour, transformer_id);

-- A window of an hour holds the ends of intervals from its start on, so that it closes the hour before.
CREATE FUNCTION hours_are_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO transformer_hours_due (transformer_id, hour)
    SELECT t.transformer_id, NEW.window_start - h.back
    FROM transformers t CROSS JOIN (VALUES (interval '0'), (interval '1 hour')) h (back)
    WHERE t.name = substr(NEW.element, 13)
      AND EXISTS (SELECT FROM meter_moves m WHERE m.transformer_id = t.transformer_id AND m.customer_class = 'transformer');
    RETURN NULL;
END $$;
CREATE TRIGGER element_totals_hours AFTER INSERT OR UPDATE ON element_totals FOR EACH ROW
    WHEN (NEW.window_s = 3600 AND NEW.element_kind = 'transformer' AND NEW.customer_class IN ('*', 'transformer'))
    EXECUTE FUNCTION hours_are_due();

CREATE FUNCTION valued_hours_are_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO transformer_hours_due (transformer_id, hour)
    SELECT DISTINCT p.transformer_id, date_trunc('hour', n.reading_time - interval '1 microsecond', 'UTC')
    FROM news n
    CROSS JOIN LATERAL (SELECT m.transformer_id FROM meter_moves m
                        WHERE m.meter_id = n.meter_id AND m.valid_from <= n.reading_time
                        ORDER BY m.valid_from DESC LIMIT 1) p
    WHERE EXISTS (SELECT FROM meter_moves m WHERE m.transformer_id = p.transformer_id AND m.customer_class = 'transformer');
    RETURN NULL;
END $$;
CREATE TRIGGER vee_values_hours AFTER INSERT ON vee_values REFERENCING NEW TABLE AS news
    FOR EACH STATEMENT EXECUTE FUNCTION valued_hours_are_due();

-- What is believed of the losses of a transformer: constants of its rating, bent by its own past as far as that is sound.
-- Of one hour in which so many kWh were supplied: no_load_kwh + share * kWh + per_kwh * kWh^2.
CREATE TABLE transformer_losses (
    transformer_id bigint PRIMARY KEY,
    no_load_kwh    double precision NOT NULL,
    share          double precision NOT NULL,
    per_kwh        double precision NOT NULL,
    -- Hours that said so, of those that were complete; and what is left of them [kWh].
    hours          integer NOT NULL,
    sound          integer NOT NULL,
    scatter_kwh    double precision NOT NULL,
    since          timestamptz NOT NULL,
    until          timestamptz NOT NULL
);

-- Hour by hour: what came in, what was accounted for, what was expected to be lost, and what is left [kWh].
CREATE VIEW transformer_balance AS
SELECT h.transformer_id, t.name AS transformer, h.hour, h.customers, b.own_kwh, b.customers_kwh, b.supplied_kwh,
       b.own_kwh - b.customers_kwh AS lost_kwh, e.expected_kwh AS expected_loss_kwh,
       b.own_kwh - b.customers_kwh - e.expected_kwh AS residual_kwh,
       h.received::float8 / nullif(h.expected, 0) AS completeness, h.estimated::float8 / nullif(h.expected, 0) AS estimated,
       h.received >= h.expected AND h.own_received >= h.own_expected AND h.own_expected > 0 AND h.expected > 0 AS complete
FROM transformer_hours h
JOIN transformers t USING (transformer_id)
LEFT JOIN transformer_losses l USING (transformer_id)
CROSS JOIN LATERAL (
    SELECT (h.own_uwh - h.own_export_uwh) / 1e9::float8 AS own_kwh,
           (h.customers_uwh - h.customers_export_uwh) / 1e9::float8 AS customers_kwh,
           -- Panels supply the neighbours, too.
           (h.own_uwh - h.own_export_uwh + h.customers_export_uwh) / 1e9::float8 AS supplied_kwh
) b
CROSS JOIN LATERAL (
    SELECT l.no_load_kwh + l.share * b.supplied_kwh + l.per_kwh * b.own_kwh * b.own_kwh AS expected_kwh
) e;

-- The same by local day, of complete hours only, with how many of the day's these were.
CREATE VIEW transformer_balance_days AS
SELECT b.transformer_id, b.transformer, (b.hour AT TIME ZONE z.timezone)::date AS day, count(*) AS complete_hours,
       sum(b.own_kwh) AS own_kwh, sum(b.customers_kwh) AS customers_kwh, sum(b.supplied_kwh) AS supplied_kwh,
       sum(b.lost_kwh) AS lost_kwh, sum(b.expected_loss_kwh) AS expected_loss_kwh, sum(b.residual_kwh) AS residual_kwh,
       sum(b.residual_kwh) / nullif(sum(b.supplied_kwh), 0) AS residual_share, avg(b.estimated) AS estimated
FROM transformer_balance b
JOIN transformer_elements z ON z.transformer_id = b.transformer_id AND z.element_kind = 'transformer'
WHERE b.complete
GROUP BY 1, 2, 3;

-- Voltage to neutral and current by phase, of each transformer and hour: of its own meter (`own`) and of its customers, of
-- these the median over meters of the mean of each; meters of which the registry says what they are connected to.
CREATE FUNCTION phase_means(since timestamptz, until timestamptz)
RETURNS TABLE (transformer_id bigint, hour timestamptz, own boolean, phase smallint, meters bigint, voltage double precision,
               current_amps double precision)
LANGUAGE sql STABLE AS $$
    SELECT v.transformer_id, v.hour, v.own, v.phase, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY v.volts),
           avg(v.amps)
    FROM (
        SELECT p.transformer_id, p.customer_class = 'transformer' AS own, r.meter_id, k.phase,
               date_trunc('hour', r.reading_time - interval '1 microsecond', 'UTC') AS hour,
               avg(k.volts) AS volts, avg(k.amps) AS amps
        FROM meter_readings r
        JOIN smart_meters m ON m.meter_id = r.meter_id AND m.supply_phase IS NOT NULL
        JOIN meter_places p ON p.meter_id = r.meter_id AND p.valid_from <= r.reading_time AND p.valid_to > r.reading_time
        CROSS JOIN LATERAL (VALUES
            (CASE m.supply_phase WHEN 'L1L2L3' THEN 1 ELSE array_position(ARRAY['L1', 'L2', 'L3'], m.supply_phase) END,
             r.voltage, r.current_amps),
            (2, r.voltage_l2, r.current_l2_amps), (3, r.voltage_l3, r.current_l3_amps)
        ) k (phase, volts, amps)
        WHERE r.reading_time > since AND r.reading_time <= until AND p.transformer_id <> 0 AND k.phase IS NOT NULL
          AND (k.volts > 0 OR k.amps IS NOT NULL) AND r.quality_flag <> 'rejected'
        GROUP BY 1, 2, 3, 4, 5
    ) v
    GROUP BY 1, 2, 3, 4
$$;

-- Hours of it, kept as they close, and how far the phases are apart: the largest distance from the mean of the three over
-- that mean (IEEE Std 141, phase voltage unbalance rate), of voltages to neutral and of currents.
CREATE TABLE phase_hours (
    transformer_id bigint NOT NULL,
    hour           timestamptz NOT NULL,
    own            boolean NOT NULL,
    phase          smallint NOT NULL CHECK (phase BETWEEN 1 AND 3),
    meters         bigint NOT NULL,
    voltage        double precision,
    current_amps   double precision,
    PRIMARY KEY (transformer_id, hour, own, phase)
);
CREATE INDEX phase_hours_hour ON phase_hours (hour);
CREATE VIEW phase_imbalance AS
SELECT p.transformer_id, t.name AS transformer, p.hour, CASE WHEN p.own THEN 'own_meter' ELSE 'customers' END AS measured_by,
       min(p.meters) AS meters, p.voltages, p.currents,
       CASE WHEN count(p.volts) = 3 THEN max(abs(p.volts - p.mean_volts)) / nullif(max(p.mean_volts), 0) END AS voltage_imbalance,
       CASE WHEN count(p.amps) = 3 THEN max(abs(p.amps - p.mean_amps)) / nullif(max(p.mean_amps), 0) END AS current_imbalance
FROM (
    SELECT h.transformer_id, h.hour, h.own, h.meters, h.voltage AS volts, h.current_amps AS amps,
           avg(h.voltage) OVER w AS mean_volts, avg(h.current_amps) OVER w AS mean_amps,
           array_agg(h.voltage) OVER w AS voltages, array_agg(h.current_amps) OVER w AS currents
    FROM phase_hours h
    WINDOW w AS (PARTITION BY h.transformer_id, h.hour, h.own ORDER BY h.phase
                 ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
) p
JOIN transformers t USING (transformer_id)
GROUP BY p.transformer_id, t.name, p.hour, p.own, p.voltages, p.currents;

-- What is or was wrong with elements of the grid beyond outages: overload, energy that is missing, meters that stand
-- elsewhere, phases out of balance. Found anew whenever what shows it changes; what turned out to be nothing stays,
-- withdrawn.
CREATE TABLE grid_conditions (
    condition_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text NOT NULL,
    element      text NOT NULL,
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    severity     text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    measured     double precision NOT NULL,
    expected     double precision NOT NULL,
    -- Two standard deviations of what was measured, where that is known.
    uncertainty  double precision,
    unit         text NOT NULL,
    -- Which meter or element explains it best, how sure that is, and what else there is to say.
    suspect      text,
    confidence   double precision,
    detail       text NOT NULL,
    found_at     timestamptz NOT NULL,
    revision     bigint NOT NULL DEFAULT 0,
    withdrawn    boolean NOT NULL DEFAULT false,
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX grid_conditions_element ON grid_conditions (element, kind, started_at);
CREATE INDEX grid_conditions_kind ON grid_conditions (kind, coalesce(ended_at, 'infinity')) WHERE NOT withdrawn;
CREATE INDEX grid_conditions_started ON grid_conditions (started_at) WHERE NOT withdrawn;

-- Up to when each kind of examination has looked.
CREATE TABLE grid_examined (
    examination text PRIMARY KEY,
    until       timestamptz NOT NULL
);

-- What the desk asks whether it is over: conditions, and outages; seen_at is when there was something of it yet.
CREATE VIEW standing_conditions AS
SELECT 'outage' AS kind, element, dark_by AS seen_at, ended_at, withdrawn FROM grid_outages
UNION ALL
SELECT kind, element, coalesce(ended_at, 'infinity'), ended_at, withdrawn FROM grid_conditions;
