-- Windows of every element of the grid and every class: quarter-hours, hours and local days, with all their revisions.
-- A quarter-hour is summed up from the transformers below the element, longer windows from their quarter-hours, so that
-- a peak is what the whole element drew at one time.

CREATE TABLE element_totals (
    element_kind       text NOT NULL CHECK (element_kind IN ('transformer', 'feeder', 'substation', 'region', 'grid')),
    element            text NOT NULL,
    -- '*' is all of them.
    customer_class     text NOT NULL,
    window_s           integer NOT NULL CHECK (window_s IN (900, 3600, 86400)),
    window_start       timestamptz NOT NULL,
    window_end         timestamptz NOT NULL,
    readings           bigint NOT NULL,
    meters             bigint,
    hour_meters        bigint,
    day_meters         bigint,
    normal             bigint,
    warnings           bigint,
    anomalies          bigint,
    missing            bigint,
    rejected           bigint,
    energy_uwh         bigint NOT NULL,
    export_uwh         bigint NOT NULL,
    reactive_uvarh     bigint,
    power_factor_count bigint,
    power_factor_ppm   bigint,
    voltage_count      bigint NOT NULL,
    voltage_outside    bigint,
    voltage_sum_mv     bigint NOT NULL,
    voltage_min        double precision,
    voltage_max        double precision,
    -- Energy of the quarter-hour with the highest, and its start.
    peak_uwh           bigint NOT NULL,
    peak_at            timestamptz NOT NULL,
    revision           integer NOT NULL DEFAULT 0,
    believed_from      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (window_s, element, customer_class, window_start)
);

CREATE INDEX element_totals_start ON element_totals (window_s, window_start, element_kind);

-- What was said before and is no longer believed.
CREATE TABLE element_history (LIKE element_totals, believed_until timestamptz NOT NULL);

CREATE INDEX element_history_window ON element_history (window_s, element, customer_class, window_start);
CREATE INDEX element_history_until ON element_history (believed_until);

CREATE FUNCTION keep_belief() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO element_history SELECT OLD.*, NEW.believed_from;
    RETURN NEW;
END $$;
CREATE TRIGGER element_totals_past BEFORE UPDATE ON element_totals FOR EACH ROW EXECUTE FUNCTION keep_belief();

-- Quarter-hours whose transformers have changed, and longer windows whose quarter-hours have.
CREATE TABLE quarters_due (window_start timestamptz PRIMARY KEY);
CREATE TABLE merges_due (
    element_kind   text NOT NULL,
    element        text NOT NULL,
    customer_class text NOT NULL,
    window_s       integer NOT NULL,
    window_start   timestamptz NOT NULL,
    window_end     timestamptz NOT NULL,
    PRIMARY KEY (window_s, window_start, element, customer_class)
);

-- What was folded before there were elements.
INSERT INTO quarters_due SELECT DISTINCT window_start FROM window_totals WHERE window_s = 900;

-- How often a window of a transformer was folded after the first time.
ALTER TABLE window_totals ADD COLUMN revision integer NOT NULL DEFAULT 0;

-- What was summed up of windows of transformers and classes, folded or not.
CREATE VIEW window_parts AS SELECT * FROM window_partials
UNION ALL SELECT transformer_id, window_s, window_start, readings, energy_uwh, export_uwh, demand_peak_kw, voltage_count,
       voltage_sum_mv, voltage_min, voltage_max, restating, customer_class, meters, hour_meters, day_meters, normal, warnings,
       anomalies, missing, rejected, reactive_uvarh, demand_peak_at, power_factor_count, power_factor_ppm, voltage_outside
FROM window_totals;

-- The grid above each transformer; meters without one are under transformer 0.
CREATE VIEW transformer_elements AS
SELECT x.transformer_id, e.element_kind, e.element, coalesce(z.timezone, 'UTC') AS timezone
FROM (SELECT transformer_id, name, feeder_id FROM transformers UNION ALL SELECT 0, 'unassigned', NULL) x
LEFT JOIN feeders f USING (feeder_id)
LEFT JOIN substations s USING (substation_id)
LEFT JOIN region_clocks z USING (region)
CROSS JOIN LATERAL (VALUES
    ('transformer', 'transformer/' || x.name), ('feeder', 'feeder/' || f.name),
    ('substation', 'substation/' || s.name), ('region', 'region/' || s.region), ('grid', 'grid')
) e (element_kind, element)
WHERE e.element IS NOT NULL;

-- Everything that is or was believed of closed windows, in the units that people use.
CREATE VIEW element_figures AS
SELECT element_kind, element, customer_class, window_s, window_start, window_end, revision,
       readings, meters, normal AS flagged_normal, warnings AS flagged_warning, anomalies AS flagged_anomaly,
       missing AS flagged_missing, rejected AS flagged_rejected,
       energy_uwh / 1e9::double precision AS energy_kwh, export_uwh / 1e9::double precision AS export_kwh,
       reactive_uvarh / 1e9::double precision AS reactive_kvarh,
       energy_uwh / 1e9::double precision * 3600 / extract(epoch FROM window_end - window_start)::float8 AS demand_mean_kw,
       peak_uwh / 1e9::double precision * 4 AS demand_peak_kw, peak_at AS demand_peak_at,
       energy_uwh * 900.0::double precision
           / (nullif(peak_uwh, 0) * extract(epoch FROM window_end - window_start)::float8) AS load_factor,
       power_factor_ppm / 1e6::double precision / nullif(power_factor_count, 0) AS power_factor,
       voltage_min, voltage_sum_mv / 1e3::double precision / nullif(voltage_count, 0) AS voltage_mean, voltage_max,
       voltage_outside / nullif(voltage_count, 0)::double precision AS voltage_outside_share,
       believed_from, believed_until
FROM (SELECT *, 'infinity'::timestamptz AS believed_until FROM element_totals
      UNION ALL SELECT * FROM element_history) b;

-- The same with null for all classes together. (A filter on this class is none that an index serves.)
CREATE VIEW element_beliefs AS
SELECT element_kind, element, nullif(customer_class, '*') AS customer_class, window_s, window_start, window_end, revision,
       readings, meters, flagged_normal, flagged_warning, flagged_anomaly, flagged_missing, flagged_rejected, energy_kwh,
       export_kwh, reactive_kvarh, demand_mean_kw, demand_peak_kw, demand_peak_at, load_factor, power_factor, voltage_min,
       voltage_mean, voltage_max, voltage_outside_share, believed_from, believed_until
FROM element_figures;

-- What was believed at a time, of windows that had been closed by then.
CREATE FUNCTION windows_as_of(at timestamptz) RETURNS SETOF element_beliefs LANGUAGE sql STABLE AS $$
    SELECT * FROM element_beliefs WHERE believed_from <= at AND at < believed_until
$$;

-- All windows of all elements: closed ones; of open ones, a quarter-hour by the readings that have come, an hour or a day
-- by its quarter-hours that have closed. Class null is all classes together.
CREATE VIEW element_windows AS
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
    CROSS JOIN LATERAL (VALUES (w.customer_class), ('*')) c (customer_class)
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

-- The 24 hours that end with each closed hour.
CREATE VIEW element_sliding_days AS
SELECT element_kind, element, customer_class, window_end - interval '24 hours' AS window_start, window_end,
       sum(energy_kwh) OVER day AS energy_kwh, sum(export_kwh) OVER day AS export_kwh,
       sum(energy_kwh) OVER day / 24 AS demand_mean_kw, max(demand_peak_kw) OVER day AS demand_peak_kw,
       sum(energy_kwh) OVER day / 24 / nullif(max(demand_peak_kw) OVER day, 0) AS load_factor,
       min(voltage_min) OVER day AS voltage_min, max(voltage_max) OVER day AS voltage_max,
       sum(readings) OVER day AS readings, count(*) OVER day AS hours
FROM element_beliefs WHERE window_s = 3600 AND believed_until = 'infinity'
WINDOW day AS (PARTITION BY element_kind, element, customer_class ORDER BY window_start
               RANGE BETWEEN interval '23 hours' PRECEDING AND CURRENT ROW);

-- EN 50160: of all means of ten minutes in a week, 95 % should be within a tenth of 230 V. A mean is that of a meter's
-- readings in ten minutes; a reading of a longer interval stands for its ten minutes and for no others.
CREATE FUNCTION voltage_quality(
    since timestamptz, until timestamptz, low double precision DEFAULT 207, high double precision DEFAULT 253
) RETURNS TABLE (meter_id bigint, means bigint, outside bigint, share double precision, complies boolean)
LANGUAGE sql STABLE AS $$
    SELECT m.meter_id, count(*), count(*) FILTER (WHERE m.mean < low OR m.mean > high),
           count(*) FILTER (WHERE m.mean < low OR m.mean > high) / count(*)::double precision,
           count(*) FILTER (WHERE m.mean < low OR m.mean > high) * 20 <= count(*)
    FROM (
        SELECT r.meter_id, avg(r.voltage) AS mean FROM meter_readings r
        WHERE r.reading_time >= since AND r.reading_time < until AND r.voltage IS NOT NULL
        GROUP BY r.meter_id, date_bin('10 minutes', r.reading_time, 'epoch')
    ) m GROUP BY m.meter_id
$$;
