-- Windows of single meters, asked of the readings; what was expected of each window, of meters and of elements; minutes of
-- every element; all that slides; transformers with a past stay.

-- How often a meter sent, since when [s]. Its phase is that of its beginning.
CREATE TABLE meter_cadences (
    meter_id   bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    interval_s integer NOT NULL CHECK (interval_s > 0),
    PRIMARY KEY (meter_id, valid_from)
);
INSERT INTO meter_cadences SELECT meter_id, since, interval_s FROM meter_intervals;

-- Which meters began (1) and ceased (-1) to be expected at a transformer (0: none), by the quarter-hour; added up by
-- transformer; and by element and class ('*' is all customers). A phase that makes no difference to quarter-hours is 0, so
-- that many meters come to few rows.
CREATE TABLE expected_spans (
    meter_id       bigint NOT NULL,
    transformer_id bigint NOT NULL,
    customer_class text NOT NULL,
    interval_s     integer NOT NULL,
    phase_s        integer NOT NULL,
    at             timestamptz NOT NULL,
    change         integer NOT NULL
);
CREATE INDEX expected_spans_meter ON expected_spans (meter_id);
CREATE TABLE expected_meters (
    transformer_id bigint NOT NULL,
    customer_class text NOT NULL,
    interval_s     integer NOT NULL,
    phase_s        integer NOT NULL,
    at             timestamptz NOT NULL,
    meters         bigint NOT NULL,
    PRIMARY KEY (transformer_id, customer_class, interval_s, phase_s, at)
);
CREATE TABLE expected_elements (
    element        text NOT NULL,
    customer_class text NOT NULL,
    interval_s     integer NOT NULL,
    phase_s        integer NOT NULL,
    at             timestamptz NOT NULL,
    meters         bigint NOT NULL,
    PRIMARY KEY (element, customer_class, interval_s, phase_s, at)
);

-- Up to which of its changes the registry was followed.
CREATE TABLE expected_progress (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL
);
INSERT INTO expected_progress (version) SELECT coalesce(max(version), 0) FROM registry_changes;

-- The first quarter-hour that begins at a time or after it.
CREATE FUNCTION next_quarter(at timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT date_bin('15 minutes', at + interval '15 minutes - 1 microsecond', 'epoch'::timestamptz)
$$;

-- How many readings a cadence puts into [since, until).
CREATE FUNCTION readings_between(interval_s integer, phase_s double precision, since timestamptz, until timestamptz)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT greatest(0, ceil((extract(epoch FROM until)::float8 - phase_s) / interval_s)
                       - ceil((extract(epoch FROM since)::float8 - phase_s) / interval_s))::bigint
$$;

-- Find out anew where some meters are expected and how often. A meter is where it stands at the begin of a quarter-hour, and
-- expected from the first whole one on in which it sends.
CREATE FUNCTION expect_meters(of_meters bigint[]) RETURNS void LANGUAGE sql AS $$
    WITH places AS (
        SELECT *, lead(valid_from, 1, 'infinity') OVER (PARTITION BY meter_id ORDER BY valid_from) AS valid_to
        FROM meter_moves WHERE meter_id = ANY(of_meters)
    ), stays AS (
        SELECT c.meter_id, coalesce(p.transformer_id, 0) AS transformer_id,
               coalesce(p.customer_class, 'unclassified') AS customer_class, c.interval_s,
               extract(epoch FROM c.valid_from)::numeric % c.interval_s AS phase,
               next_quarter(greatest(c.valid_from, p.valid_from)) AS since,
               next_quarter(least(c.valid_to, p.valid_to)) AS until
        FROM (SELECT *, lead(valid_from, 1, 'infinity') OVER (PARTITION BY meter_id ORDER BY valid_from) AS valid_to
              FROM meter_cadences WHERE meter_id = ANY(of_meters)) c
        JOIN smart_meters m USING (meter_id)
        LEFT JOIN places p ON p.meter_id = c.meter_id AND p.valid_from < c.valid_to AND p.valid_to > c.valid_from
        -- A meter that the registry has taken out is nowhere expected.
        WHERE NOT (p.transformer_id IS NOT DISTINCT FROM 0 AND m.status = 'unregistered')
    ), changes AS (
        SELECT s.meter_id, s.transformer_id, s.customer_class, s.interval_s,
               CASE WHEN 900 % s.interval_s = 0 THEN 0 WHEN s.interval_s % 900 = 0 THEN div(s.phase, 900) * 900
                    ELSE floor(s.phase) END::integer AS phase_s, e.at, e.change
        FROM stays s CROSS JOIN LATERAL (VALUES (s.since, 1), (s.until, -1)) e (at, change)
        WHERE s.since < s.until AND e.at < 'infinity'
    ), gone AS (
        DELETE FROM expected_spans WHERE meter_id = ANY(of_meters) RETURNING *
    ), come AS (
        INSERT INTO expected_spans (meter_id, transformer_id, customer_class, interval_s, phase_s, at, change)
        SELECT meter_id, transformer_id, customer_class, interval_s, phase_s, at, change FROM changes RETURNING *
    )
    INSERT INTO expected_meters AS e (transformer_id, customer_class, interval_s, phase_s, at, meters)
    SELECT transformer_id, customer_class, interval_s, phase_s, at, sum(change)
    FROM (SELECT * FROM come UNION ALL
          SELECT meter_id, transformer_id, customer_class, interval_s, phase_s, at, -change FROM gone) c
    GROUP BY transformer_id, customer_class, interval_s, phase_s, at HAVING sum(change) <> 0
    ORDER BY transformer_id, customer_class, interval_s, phase_s, at
    ON CONFLICT (transformer_id, customer_class, interval_s, phase_s, at) DO UPDATE SET meters = e.meters + excluded.meters
$$;

-- Add up again what is expected of elements, by what stands under what now; only what has changed is written.
CREATE FUNCTION expect_elements() RETURNS void LANGUAGE sql AS $$
    WITH sums AS MATERIALIZED (
        SELECT e.element, c.customer_class, m.interval_s, m.phase_s, m.at, sum(m.meters)::bigint AS meters
        FROM expected_meters m
        JOIN transformer_elements e USING (transformer_id)
        CROSS JOIN LATERAL (
            SELECT m.customer_class UNION ALL SELECT '*' WHERE m.customer_class <> 'transformer'
        ) c (customer_class)
        GROUP BY 1, 2, 3, 4, 5 HAVING sum(m.meters) <> 0
    ), gone AS (
        DELETE FROM expected_elements k WHERE NOT EXISTS (
            SELECT FROM sums s WHERE (s.element, s.customer_class, s.interval_s, s.phase_s, s.at)
                                   = (k.element, k.customer_class, k.interval_s, k.phase_s, k.at))
    )
    INSERT INTO expected_elements AS k SELECT * FROM sums
    ON CONFLICT (element, customer_class, interval_s, phase_s, at) DO UPDATE SET meters = excluded.meters
    WHERE k.meters <> excluded.meters
$$;

SELECT expect_meters(array_agg(meter_id)) FROM meter_cadences;
SELECT expect_elements();

-- Readings that were to be expected of an element and a class ('*' or null: all) in a window of whole quarter-hours, or in a
-- minute of meters that all send at least once a minute; null where no meter is expected.
CREATE FUNCTION expected_readings(of_element text, of_class text, since timestamptz, until timestamptz)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT CASE WHEN until - since >= interval '15 minutes' OR bool_and(60 % e.interval_s = 0) THEN
                   nullif(sum(e.meters * readings_between(e.interval_s, e.phase_s, greatest(e.at, since), until)), 0)::bigint
               END
        FROM expected_elements e
        WHERE e.element = of_element AND e.customer_class = coalesce(of_class, '*') AND e.at < until
    );
END $$;

-- Which share of them came; clocks that are not exact may bring one more than was expected.
CREATE FUNCTION completeness(readings bigint, expected bigint) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN expected > 0 THEN least(1.0, readings::float8 / expected) END
$$;

-- Up to when windows are closed: no window is that ends later, by those that are.
CREATE FUNCTION windows_closed_until() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT coalesce(greatest(
        (SELECT max(window_start) + interval '1 minute' FROM window_totals WHERE window_s = 60),
        (SELECT max(window_start) + interval '15 minutes' FROM window_totals WHERE window_s = 900),
        (SELECT window_end FROM element_totals WHERE window_s = 3600 ORDER BY window_start DESC LIMIT 1),
        (SELECT window_end FROM element_totals WHERE window_s = 86400 ORDER BY window_start DESC LIMIT 1)
    ), '-infinity')
$$;

-- The measures of one meter that count by a quality, and by when they had come ('best': as they count now).
CREATE FUNCTION meter_measures(
    of_meter bigint, since timestamptz, until timestamptz, quality quality_filter, as_of timestamptz DEFAULT 'infinity'
)
RETURNS TABLE (reading_time timestamptz, consumption_kwh double precision, export_kwh double precision,
               reactive_kvarh double precision, power_factor double precision, voltage double precision,
               quality_flag quality_flag)
LANGUAGE sql STABLE AS $$
    SELECT b.reading_time, b.consumption_kwh, b.export_kwh, r.reactive_kvarh, r.power_factor, r.voltage, b.quality_flag
    FROM best_values b
    LEFT JOIN LATERAL (
        SELECT * FROM meter_readings n
        WHERE n.meter_id = b.meter_id AND n.reading_time = b.reading_time AND n.quality_flag <> 'rejected' OFFSET 0
    ) r ON true
    WHERE quality = 'best' AND b.meter_id = of_meter AND b.reading_time >= since AND b.reading_time < until
      AND (r.meter_id IS NOT NULL OR b.consumption_kwh IS NOT NULL OR b.export_kwh IS NOT NULL)
    UNION ALL
    SELECT r.reading_time, r.consumption_kwh, r.export_kwh, r.reactive_kvarh, r.power_factor, r.voltage, r.quality_flag
    FROM meter_readings r
    WHERE quality <> 'best' AND r.meter_id = of_meter AND r.reading_time >= since AND r.reading_time < until
      AND r.arrived_at <= as_of
      AND (quality = 'all' OR r.quality_flag NOT IN ('estimated', 'edited', 'missing', 'rejected'))
$$;

-- One meter in any frames that begin and end with a part: a minute, or a quarter-hour, whose highest mean is the peak. Sums
-- are whole numbers, as those of elements are.
CREATE FUNCTION meter_frames(
    of_meter bigint, begins timestamptz[], ends timestamptz[], part interval, quality quality_filter, as_of timestamptz,
    low double precision, high double precision
)
RETURNS TABLE (
    window_start timestamptz, window_end timestamptz, state text, readings bigint,
    flagged_normal bigint, flagged_warning bigint, flagged_anomaly bigint, flagged_missing bigint, flagged_rejected bigint,
    energy_kwh double precision, export_kwh double precision, reactive_kvarh double precision,
    demand_mean_kw double precision, demand_peak_kw double precision, demand_peak_at timestamptz,
    load_factor double precision, power_factor double precision, voltage_min double precision,
    voltage_mean double precision, voltage_max double precision, voltage_outside_share double precision,
    expected bigint, completeness double precision
)
LANGUAGE sql STABLE ROWS 1000 AS $$
    WITH parts AS MATERIALIZED (
        SELECT date_bin(part, v.reading_time, 'epoch'::timestamptz) AS at, count(*) AS readings,
               count(*) FILTER (WHERE v.quality_flag = 'normal') AS normal,
               count(*) FILTER (WHERE v.quality_flag = 'warning') AS warning,
               count(*) FILTER (WHERE v.quality_flag = 'anomaly') AS anomaly,
               count(*) FILTER (WHERE v.quality_flag = 'missing') AS missing,
               count(*) FILTER (WHERE v.quality_flag = 'rejected') AS rejected,
               sum(round(v.consumption_kwh * 1e9)::bigint) AS uwh, sum(round(v.export_kwh * 1e9)::bigint) AS export_uwh,
               sum(round(v.reactive_kvarh * 1e9)::bigint) AS reactive_uvarh,
               sum(round(v.power_factor * 1e6)::bigint) AS ppm, count(v.power_factor) AS power_factors,
               sum(round(v.voltage * 1e3)::bigint) AS mv, count(v.voltage) AS voltages, min(v.voltage) AS lowest,
               max(v.voltage) AS highest, count(*) FILTER (WHERE v.voltage < low OR v.voltage > high) AS outside
        FROM meter_measures(of_meter, (SELECT min(b) FROM unnest(begins) b), (SELECT max(e) FROM unnest(ends) e), quality, as_of) v
        GROUP BY 1
    ), cadences AS MATERIALIZED (
        SELECT c.interval_s, (extract(epoch FROM c.valid_from)::numeric % c.interval_s)::float8 AS phase_s,
               next_quarter(c.valid_from) AS since,
               lead(next_quarter(c.valid_from), 1, 'infinity') OVER (ORDER BY c.valid_from) AS until
        FROM meter_cadences c WHERE c.meter_id = of_meter
    ), frames AS (
        SELECT f.since, f.until, extract(epoch FROM f.until - f.since)::float8 / 3600 AS hours,
               coalesce(sum(p.readings), 0)::bigint AS readings, coalesce(sum(p.normal), 0)::bigint AS normal,
               coalesce(sum(p.warning), 0)::bigint AS warning, coalesce(sum(p.anomaly), 0)::bigint AS anomaly,
               coalesce(sum(p.missing), 0)::bigint AS missing, coalesce(sum(p.rejected), 0)::bigint AS rejected,
               sum(p.uwh)::float8 AS uwh, sum(p.export_uwh)::float8 AS export_uwh,
               sum(p.reactive_uvarh)::float8 AS reactive_uvarh, max(p.uwh)::float8 AS peak_uwh,
               (array_agg(p.at ORDER BY p.uwh DESC, p.at) FILTER (WHERE p.uwh IS NOT NULL))[1] AS peak_at,
               sum(p.ppm)::float8 / nullif(sum(p.power_factors), 0)::float8 AS ppm, min(p.lowest) AS lowest,
               sum(p.mv)::float8 / nullif(sum(p.voltages), 0)::float8 AS mv, max(p.highest) AS highest,
               sum(p.outside)::float8 / nullif(sum(p.voltages), 0)::float8 AS outside
        FROM unnest(begins, ends) AS f (since, until)
        CROSS JOIN LATERAL generate_series(f.since, f.until - part, part) AS s (at)
        LEFT JOIN parts p USING (at)
        GROUP BY 1, 2
    )
    SELECT f.since, f.until, CASE WHEN f.until <= windows_closed_until() THEN 'final' ELSE 'provisional' END,
           f.readings, f.normal, f.warning, f.anomaly, f.missing, f.rejected,
           f.uwh / 1e9, f.export_uwh / 1e9, f.reactive_uvarh / 1e9, f.uwh / 1e9 / f.hours,
           f.peak_uwh / 1e9 * 3600 / extract(epoch FROM part)::float8, f.peak_at,
           f.uwh / f.hours / nullif(f.peak_uwh * 3600 / extract(epoch FROM part)::float8, 0),
           f.ppm / 1e6, f.lowest, f.mv / 1e3, f.highest, f.outside, e.expected, completeness(f.readings, e.expected)
    FROM frames f
    CROSS JOIN LATERAL (
        SELECT nullif(sum(readings_between(c.interval_s, c.phase_s, greatest(c.since, f.since), least(c.until, f.until))), 0)::bigint
            AS expected
        FROM cadences c WHERE c.since < f.until AND c.until > f.since
    ) e
    ORDER BY f.since
$$;

-- Windows of one meter that begin before `until` and end after `since`: of a minute, a quarter-hour, an hour or a local day
-- of its region. `as_of` asks what was known then, of `all` or `actual` readings.
CREATE FUNCTION meter_windows(
    of_meter text, since timestamptz, until timestamptz, width interval DEFAULT '15 minutes',
    quality quality_filter DEFAULT 'best', as_of timestamptz DEFAULT 'infinity',
    low double precision DEFAULT 207, high double precision DEFAULT 253
)
RETURNS TABLE (
    window_start timestamptz, window_end timestamptz, state text, readings bigint,
    flagged_normal bigint, flagged_warning bigint, flagged_anomaly bigint, flagged_missing bigint, flagged_rejected bigint,
    energy_kwh double precision, export_kwh double precision, reactive_kvarh double precision,
    demand_mean_kw double precision, demand_peak_kw double precision, demand_peak_at timestamptz,
    load_factor double precision, power_factor double precision, voltage_min double precision,
    voltage_mean double precision, voltage_max double precision, voltage_outside_share double precision,
    expected bigint, completeness double precision
)
LANGUAGE plpgsql STABLE ROWS 1000 AS $$
DECLARE
    asked bigint := (SELECT m.meter_id FROM smart_meters m WHERE m.meter_number = of_meter);
    clock text := (SELECT c.timezone FROM meter_clocks c WHERE c.meter_id = asked);
    begins timestamptz[];
    ends timestamptz[];
BEGIN
    IF width NOT IN (interval '1 minute', interval '15 minutes', interval '1 hour', interval '1 day') THEN
        RAISE EXCEPTION 'width is %, not 1 minute, 15 minutes, 1 hour or 1 day', width USING ERRCODE = 'invalid_parameter_value';
    ELSIF quality = 'best' AND as_of < 'infinity' THEN
        RAISE EXCEPTION 'what was best at an earlier time is not kept; ask for all or actual'
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF width = interval '1 day' THEN
        SELECT array_agg(d AT TIME ZONE clock), array_agg((d + interval '1 day') AT TIME ZONE clock) INTO begins, ends
        FROM generate_series(date_trunc('day', since AT TIME ZONE clock),
                             (until - interval '1 microsecond') AT TIME ZONE clock, interval '1 day') d;
    ELSE
        SELECT array_agg(s), array_agg(s + width) INTO begins, ends
        FROM generate_series(date_bin(width, since, 'epoch'::timestamptz), until - interval '1 microsecond', width) s;
    END IF;
    RETURN QUERY SELECT * FROM meter_frames(asked, begins, ends, least(width, interval '15 minutes'), quality, as_of, low, high);
END $$;

-- The 24 hours of one meter that end with each hour, of those that end after `since` and by `until`.
CREATE FUNCTION meter_sliding_days(
    of_meter text, since timestamptz, until timestamptz, quality quality_filter DEFAULT 'best',
    low double precision DEFAULT 207, high double precision DEFAULT 253
)
RETURNS TABLE (
    window_start timestamptz, window_end timestamptz, state text, readings bigint,
    flagged_normal bigint, flagged_warning bigint, flagged_anomaly bigint, flagged_missing bigint, flagged_rejected bigint,
    energy_kwh double precision, export_kwh double precision, reactive_kvarh double precision,
    demand_mean_kw double precision, demand_peak_kw double precision, demand_peak_at timestamptz,
    load_factor double precision, power_factor double precision, voltage_min double precision,
    voltage_mean double precision, voltage_max double precision, voltage_outside_share double precision,
    expected bigint, completeness double precision
)
LANGUAGE sql STABLE ROWS 100 AS $$
    SELECT f.* FROM (
        SELECT array_agg(e - interval '24 hours') AS begins, array_agg(e) AS ends
        FROM generate_series(date_trunc('hour', since, 'UTC') + interval '1 hour', until, interval '1 hour') e
    ) h
    CROSS JOIN LATERAL meter_frames((SELECT m.meter_id FROM smart_meters m WHERE m.meter_number = of_meter),
                                    h.begins, h.ends, '15 minutes', quality, 'infinity', low, high) f
$$;

-- What was expected, beside what is and was believed; worked out only where somebody asks for it.
CREATE OR REPLACE VIEW element_beliefs AS
SELECT element_kind, element, nullif(customer_class, '*') AS customer_class, window_s, window_start, window_end, revision,
       readings, meters, flagged_normal, flagged_warning, flagged_anomaly, flagged_missing, flagged_rejected, energy_kwh,
       export_kwh, reactive_kvarh, demand_mean_kw, demand_peak_kw, demand_peak_at, load_factor, power_factor, voltage_min,
       voltage_mean, voltage_max, voltage_outside_share, believed_from, believed_until,
       expected_readings(element, customer_class, window_start, window_end) AS expected,
       completeness(readings, expected_readings(element, customer_class, window_start, window_end)) AS completeness
FROM element_figures;

ALTER VIEW element_windows RENAME TO element_windows_measured;
CREATE VIEW element_windows AS
SELECT w.*, expected_readings(w.element, w.customer_class, w.window_start, w.window_end) AS expected,
       completeness(w.readings, expected_readings(w.element, w.customer_class, w.window_start, w.window_end)) AS completeness
FROM element_windows_measured w;

-- The transformers below an element now, such as `feeder/F1`.
CREATE FUNCTION transformers_below(of_element text) RETURNS SETOF bigint LANGUAGE plpgsql STABLE ROWS 100 AS $$
DECLARE
    kind text := split_part(of_element, '/', 1);
    named text := substr(of_element, strpos(of_element, '/') + 1);
BEGIN
    CASE kind
        WHEN 'transformer' THEN
            RETURN QUERY SELECT transformer_id FROM transformers WHERE name = named;
        WHEN 'feeder' THEN
            RETURN QUERY SELECT t.transformer_id FROM feeders f JOIN transformers t USING (feeder_id) WHERE f.name = named;
        WHEN 'substation' THEN
            RETURN QUERY SELECT t.transformer_id FROM substations s JOIN feeders f USING (substation_id)
                         JOIN transformers t USING (feeder_id) WHERE s.name = named;
        WHEN 'region' THEN
            RETURN QUERY SELECT t.transformer_id FROM substations s JOIN feeders f USING (substation_id)
                         JOIN transformers t USING (feeder_id) WHERE s.region = named;
        ELSE
            RETURN QUERY SELECT transformer_id FROM transformers;
    END CASE;
    IF of_element IN ('grid', 'transformer/unassigned') THEN
        RETURN NEXT 0;
    END IF;
END $$;

-- Minutes of any element, of which transformers' are kept; class null is all customers together.
CREATE FUNCTION element_minutes(of_element text, since timestamptz, until timestamptz) RETURNS SETOF element_windows
LANGUAGE sql STABLE ROWS 1000 AS $$
    WITH minutes AS (
        SELECT w.window_start, c.customer_class, sum(w.restating)::integer AS revision, sum(w.readings)::bigint AS readings,
               sum(w.meters)::bigint AS meters, sum(w.normal)::bigint AS normal, sum(w.warnings)::bigint AS warnings,
               sum(w.anomalies)::bigint AS anomalies, sum(w.missing)::bigint AS missing, sum(w.rejected)::bigint AS rejected,
               sum(w.energy_uwh)::float8 / 1e9 AS energy_kwh, sum(w.export_uwh)::float8 / 1e9 AS export_kwh,
               sum(w.reactive_uvarh)::float8 / 1e9 AS reactive_kvarh,
               sum(w.power_factor_ppm)::float8 / 1e6 / nullif(sum(w.power_factor_count), 0)::float8 AS power_factor,
               min(w.voltage_min) AS lowest,
               sum(w.voltage_sum_mv)::float8 / 1e3 / nullif(sum(w.voltage_count), 0)::float8 AS voltage_mean,
               max(w.voltage_max) AS highest,
               sum(w.voltage_outside)::float8 / nullif(sum(w.voltage_count), 0)::float8 AS outside
        FROM window_parts w
        CROSS JOIN LATERAL (
            SELECT w.customer_class UNION ALL SELECT NULL WHERE w.customer_class <> 'transformer'
        ) c (customer_class)
        WHERE w.window_s = 60 AND w.window_start >= since AND w.window_start < until
          AND w.transformer_id IN (SELECT transformers_below(of_element))
        GROUP BY w.window_start, c.customer_class
        HAVING sum(w.readings) > 0
    )
    SELECT CASE WHEN m.window_start + interval '1 minute' <= windows_closed_until() THEN 'final' ELSE 'provisional' END,
           split_part(of_element, '/', 1), of_element, m.customer_class, 60, m.window_start,
           m.window_start + interval '1 minute', m.revision, m.readings, m.meters, m.normal, m.warnings, m.anomalies,
           m.missing, m.rejected, m.energy_kwh, m.export_kwh, m.reactive_kvarh, m.energy_kwh * 60, m.energy_kwh * 60,
           m.window_start, CASE WHEN m.energy_kwh <> 0 THEN 1.0::float8 END, m.power_factor, m.lowest, m.voltage_mean,
           m.highest, m.outside, NULL::timestamptz, NULL::timestamptz,
           e.expected, completeness(m.readings, e.expected)
    FROM minutes m
    CROSS JOIN LATERAL (
        SELECT expected_readings(of_element, m.customer_class, m.window_start, m.window_start + interval '1 minute') AS expected
    ) e
$$;

-- The 24 hours that end with each closed hour. Of equal peaks the earliest counts; meters are the most of one of the hours.
CREATE OR REPLACE VIEW element_sliding_days AS
SELECT element_kind, element, nullif(customer_class, '*') AS customer_class,
       window_end - interval '24 hours' AS window_start, window_end,
       (sum(energy_uwh) OVER day)::float8 / 1e9 AS energy_kwh, (sum(export_uwh) OVER day)::float8 / 1e9 AS export_kwh,
       (sum(energy_uwh) OVER day)::float8 / 24e9 AS demand_mean_kw,
       (max(peak_uwh) OVER day)::float8 * 4 / 1e9 AS demand_peak_kw,
       (sum(energy_uwh) OVER day)::float8 / nullif(96 * max(peak_uwh) OVER day, 0)::float8 AS load_factor,
       min(voltage_min) OVER day AS voltage_min, max(voltage_max) OVER day AS voltage_max,
       (sum(readings) OVER day) AS readings, count(*) OVER day AS hours,
       timestamptz 'epoch' - (max(ARRAY[peak_uwh::numeric, -extract(epoch FROM peak_at)]) OVER day)[2] * interval '1 second'
           AS demand_peak_at,
       (sum(reactive_uvarh) OVER day)::float8 / 1e9 AS reactive_kvarh,
       (sum(power_factor_ppm) OVER day)::float8 / 1e6 / nullif(sum(power_factor_count) OVER day, 0)::float8 AS power_factor,
       (sum(voltage_sum_mv) OVER day)::float8 / 1e3 / nullif(sum(voltage_count) OVER day, 0)::float8 AS voltage_mean,
       (sum(voltage_outside) OVER day)::float8 / nullif(sum(voltage_count) OVER day, 0)::float8 AS voltage_outside_share,
       max(meters) OVER day AS meters, (sum(normal) OVER day)::bigint AS flagged_normal,
       (sum(warnings) OVER day)::bigint AS flagged_warning, (sum(anomalies) OVER day)::bigint AS flagged_anomaly,
       (sum(missing) OVER day)::bigint AS flagged_missing, (sum(rejected) OVER day)::bigint AS flagged_rejected,
       expected_readings(element, customer_class, window_end - interval '24 hours', window_end) AS expected,
       completeness((sum(readings) OVER day)::bigint,
                    expected_readings(element, customer_class, window_end - interval '24 hours', window_end)) AS completeness
FROM element_totals WHERE window_s = 3600
WINDOW day AS (PARTITION BY element_kind, element, customer_class ORDER BY window_start
               RANGE BETWEEN interval '23 hours' PRECEDING AND CURRENT ROW);

-- EN 50160 by element: of how many meters 95 % of the means of ten minutes were within the limits.
CREATE FUNCTION element_voltage_quality(
    level text, since timestamptz, until timestamptz, low double precision DEFAULT 207, high double precision DEFAULT 253
) RETURNS TABLE (element text, meters bigint, complying bigint, means bigint, outside bigint, share double precision)
LANGUAGE sql STABLE AS $$
    SELECT e.element, count(*), count(*) FILTER (WHERE q.complies), sum(q.means)::bigint, sum(q.outside)::bigint,
           sum(q.outside)::float8 / sum(q.means)::float8
    FROM voltage_quality(since, until, low, high) q
    JOIN smart_meters m USING (meter_id)
    JOIN transformer_elements e ON e.transformer_id = coalesce(m.transformer_id, 0)
    WHERE e.element_kind = level AND m.customer_class IS DISTINCT FROM 'transformer'
    GROUP BY e.element ORDER BY e.element
$$;

-- As before, but what a meter used counts where it stood then: of meters that have moved since, it is asked of the readings.
CREATE OR REPLACE FUNCTION top_elements(
    level text, first_day date, last_day date, most integer DEFAULT 10, quality quality_filter DEFAULT 'best'
)
RETURNS TABLE (element text, meters bigint, energy_kwh double precision)
LANGUAGE sql STABLE AS $$
    WITH movers AS MATERIALIZED (
        SELECT DISTINCT meter_id FROM meter_moves
        WHERE valid_from > first_day::timestamp AT TIME ZONE 'UTC' - interval '14 hours'
    ), used AS (
        SELECT m.meter_id, m.transformer_id, m.customer_class, d.energy_kwh
        FROM (SELECT e.meter_id, sum(e.energy_kwh) AS energy_kwh FROM daily_energy(first_day, last_day, quality) e
              GROUP BY e.meter_id) d
        JOIN smart_meters m USING (meter_id)
        WHERE NOT EXISTS (SELECT FROM movers k WHERE k.meter_id = m.meter_id)
        UNION ALL
        SELECT p.meter_id, p.transformer_id, nullif(p.customer_class, 'unclassified'), (
            SELECT sum(round(v.consumption_kwh * 1e9)::bigint)::float8 / 1e9
            FROM meter_measures(p.meter_id, greatest(p.valid_from, d.since), least(p.valid_to, d.until), quality) v
        )
        FROM meter_places p JOIN movers USING (meter_id) JOIN meter_clocks c USING (meter_id)
        CROSS JOIN LATERAL (VALUES (first_day::timestamp AT TIME ZONE c.timezone,
                                    (last_day + 1)::timestamp AT TIME ZONE c.timezone)) d (since, until)
        WHERE p.valid_from < d.until AND p.valid_to > d.since
    )
    SELECT level || '/' || coalesce(CASE level WHEN 'transformer' THEN t.name WHEN 'feeder' THEN f.name
               WHEN 'substation' THEN s.name WHEN 'region' THEN s.region WHEN 'class' THEN u.customer_class END, 'unassigned'),
           count(DISTINCT u.meter_id), sum(u.energy_kwh)
    FROM used u
    LEFT JOIN transformers t USING (transformer_id)
    LEFT JOIN feeders f USING (feeder_id)
    LEFT JOIN substations s USING (substation_id)
    WHERE u.energy_kwh IS NOT NULL AND u.customer_class IS DISTINCT FROM 'transformer'
    GROUP BY 1 ORDER BY 3 DESC, 1 LIMIT most
$$;

-- A transformer that readings were counted for stays, as one that meters stand at does: without it windows of its past would
-- be of nothing, and late readings of it would be in no element.

CREATE FUNCTION keep_past_transformers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM meter_moves WHERE transformer_id = OLD.transformer_id) THEN
        RAISE EXCEPTION 'transformer % has a past: meters stood there', OLD.name USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER transformers_past BEFORE DELETE ON transformers FOR EACH ROW EXECUTE FUNCTION keep_past_transformers();
