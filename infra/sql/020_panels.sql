-- What panels read, the same on both kinds of database: totals as figures, and questions that take a quality.
-- `best`: a person's decision, else the reading unless it was rejected, else an estimate. `actual`: what the meter itself
-- measured and no rule rejected. `all`: whatever came, as it came.

CREATE TYPE quality_filter AS ENUM ('best', 'actual', 'all');

DO $$
DECLARE level text;
BEGIN
    FOREACH level IN ARRAY ARRAY['hour', 'day', 'month'] LOOP
        EXECUTE format(
            'CREATE VIEW meter_%1$ss AS
             SELECT m.meter_number, t.meter_id, %2$s, t.readings,
                    t.energy_uwh::float8 / 1e9 AS energy_kwh,
                    (t.energy_uwh - coalesce(t.rejected_uwh, 0) - coalesce(t.estimated_uwh, 0))::float8 / 1e9 AS actual_kwh,
                    t.export_uwh::float8 / 1e9 AS export_kwh,
                    t.demand_sum_mw::float8 / 1e6 / nullif(t.demands, 0) AS demand_mean_kw,
                    t.demand_peak_kw, t.demand_peak_at,
                    t.demand_sum_mw::float8 / 1e6 / nullif(t.demands, 0) / nullif(t.demand_peak_kw, 0) AS load_factor,
                    t.voltage_min, t.voltage_sum_mv::float8 / 1e3 / nullif(t.voltages, 0) AS voltage_mean, t.voltage_max,
                    t.voltages_outside::float8 / nullif(t.voltages, 0) AS voltage_outside_share,
                    t.normal, t.monitoring, t.warning, t.anomaly, t.missing, t.estimated, t.edited, t.rejected
             FROM meter_%1$s_totals t JOIN smart_meters m USING (meter_id)',
            level,
            CASE level WHEN 'hour' THEN 't.starts_at AS hour'
                       ELSE format('(t.starts_at AT TIME ZONE t.timezone)::date AS %s, t.starts_at, t.timezone', level) END);
    END LOOP;
END $$;

-- Every meter with its newest reading.
CREATE VIEW meter_latest AS
SELECT m.meter_number, r.*
FROM smart_meters m
CROSS JOIN LATERAL (SELECT * FROM meter_readings n WHERE n.meter_id = m.meter_id ORDER BY reading_time DESC LIMIT 1) r;

-- The values of one meter in [since, until), one an interval.
CREATE FUNCTION meter_values(of_meter text, since timestamptz, until timestamptz, quality quality_filter DEFAULT 'best')
RETURNS TABLE (reading_time timestamptz, consumption_kwh double precision, demand_kw double precision,
               voltage double precision, quality_flag quality_flag, kind text)
LANGUAGE sql STABLE AS $$
    SELECT b.reading_time, b.consumption_kwh, r.demand_kw, r.voltage, b.quality_flag, b.kind
    FROM best_values b
    LEFT JOIN LATERAL (
        SELECT * FROM meter_readings n
        WHERE n.meter_id = b.meter_id AND n.reading_time = b.reading_time AND n.quality_flag <> 'rejected' OFFSET 0
    ) r ON true
    -- Asked for first, so that PostgreSQL looks the meter up by its key; a join would go through all meters.
    WHERE quality = 'best' AND b.meter_id = (SELECT m.meter_id FROM smart_meters m WHERE m.meter_number = of_meter)
      AND b.reading_time >= since AND b.reading_time < until
    UNION ALL
    SELECT r.reading_time, r.consumption_kwh, r.demand_kw, r.voltage, r.quality_flag, 'reading'
    FROM meter_readings r
    WHERE quality <> 'best' AND r.meter_id = (SELECT m.meter_id FROM smart_meters m WHERE m.meter_number = of_meter)
      AND r.reading_time >= since AND r.reading_time < until
      AND (quality = 'all' OR r.quality_flag NOT IN ('estimated', 'edited', 'missing', 'rejected'))
$$;

-- One meter in even steps from `since` on: energy is summed, demand and voltage are means; a step without any value is null,
-- unless it is filled with the last value before it ('locf') or along a line between its neighbours ('interpolate').
-- Nothing is filled before the first value, nor interpolated after the last.
CREATE FUNCTION resample(
    of_meter text, since timestamptz, until timestamptz, step interval,
    quality quality_filter DEFAULT 'best', fill text DEFAULT 'none'
)
RETURNS TABLE (starts_at timestamptz, readings bigint, energy_kwh double precision, demand_kw double precision,
               voltage double precision, filled boolean)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF fill NOT IN ('none', 'locf', 'interpolate') THEN
        RAISE EXCEPTION 'fill is %, not none, locf or interpolate', fill USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
    WITH found AS (
        SELECT date_bin(step, v.reading_time, since) AS at, count(*) AS n, sum(v.consumption_kwh) AS energy,
               avg(v.demand_kw) AS demand, avg(v.voltage) AS volts
        FROM meter_values(of_meter, since, until, quality) v GROUP BY 1
    ), steps AS (
        SELECT g AS at, coalesce(f.n, 0) AS n, f.energy, f.demand, f.volts,
               max(g) FILTER (WHERE f.n > 0) OVER before AS from_at, min(g) FILTER (WHERE f.n > 0) OVER after AS to_at
        FROM generate_series(since, until - interval '1 microsecond', step) AS g LEFT JOIN found f ON f.at = g
        WINDOW before AS (ORDER BY g), after AS (ORDER BY g ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
    ), shares AS (
        SELECT s.*, CASE WHEN fill = 'interpolate' THEN
                   extract(epoch FROM s.at - s.from_at)::float8 / nullif(extract(epoch FROM s.to_at - s.from_at), 0)::float8
                   ELSE 0 END AS share
        FROM steps s
    )
    SELECT s.at, s.n,
           CASE WHEN s.n > 0 OR fill = 'none' THEN s.energy ELSE b.energy + s.share * (coalesce(a.energy, b.energy) - b.energy) END,
           CASE WHEN s.n > 0 OR fill = 'none' THEN s.demand ELSE b.demand + s.share * (coalesce(a.demand, b.demand) - b.demand) END,
           CASE WHEN s.n > 0 OR fill = 'none' THEN s.volts ELSE b.volts + s.share * (coalesce(a.volts, b.volts) - b.volts) END,
           s.n = 0 AND fill <> 'none' AND s.from_at IS NOT NULL AND s.share IS NOT NULL
    FROM shares s LEFT JOIN found b ON b.at = s.from_at LEFT JOIN found a ON a.at = s.to_at
    ORDER BY s.at;
END $$;

-- What decisions and estimates of a span change of what was read and not rejected [uWh], interval by interval.
CREATE FUNCTION energy_corrections(since timestamptz, until timestamptz)
RETURNS TABLE (meter_id bigint, reading_time timestamptz, correction_uwh numeric)
LANGUAGE sql STABLE AS $$
    SELECT k.meter_id, k.reading_time,
           coalesce(round(b.consumption_kwh * 1e9)::bigint, 0)
               - coalesce((SELECT round(r.consumption_kwh * 1e9)::bigint FROM meter_readings r
                           WHERE r.meter_id = k.meter_id AND r.reading_time = k.reading_time
                             AND r.quality_flag <> 'rejected'), 0)::numeric
    FROM (SELECT DISTINCT v.meter_id, v.reading_time FROM vee_values v
          WHERE v.reading_time >= since AND v.reading_time < until) k
    CROSS JOIN LATERAL (
        SELECT * FROM best_values n WHERE n.meter_id = k.meter_id AND n.reading_time = k.reading_time OFFSET 0
    ) b
$$;

-- Energy of all meters by hour in [since, until) [kWh].
CREATE FUNCTION hourly_energy(since timestamptz, until timestamptz, quality quality_filter DEFAULT 'best')
RETURNS TABLE (meter_id bigint, hour timestamptz, energy_kwh double precision)
LANGUAGE sql STABLE AS $$
    SELECT e.meter_id, e.hour, sum(e.uwh)::float8 / 1e9
    FROM (
        SELECT t.meter_id, t.starts_at AS hour,
               t.energy_uwh - CASE WHEN quality = 'all' THEN 0 ELSE coalesce(t.rejected_uwh, 0) END
                   - CASE WHEN quality = 'actual' THEN coalesce(t.estimated_uwh, 0) ELSE 0 END AS uwh
        FROM meter_hour_totals t WHERE t.starts_at >= since AND t.starts_at < until
        UNION ALL
        SELECT c.meter_id, date_trunc('hour', c.reading_time, 'UTC'), c.correction_uwh
        FROM energy_corrections(since, until) c WHERE quality = 'best'
    ) e
    GROUP BY e.meter_id, e.hour
$$;

-- Energy of all meters by local day, both days included [kWh].
CREATE FUNCTION daily_energy(first_day date, last_day date, quality quality_filter DEFAULT 'best')
RETURNS TABLE (meter_id bigint, day date, energy_kwh double precision)
LANGUAGE sql STABLE AS $$
    SELECT e.meter_id, e.day, sum(e.uwh)::float8 / 1e9
    FROM (
        SELECT t.meter_id, (t.starts_at AT TIME ZONE t.timezone)::date AS day,
               t.energy_uwh - CASE WHEN quality = 'all' THEN 0 ELSE coalesce(t.rejected_uwh, 0) END
                   - CASE WHEN quality = 'actual' THEN coalesce(t.estimated_uwh, 0) ELSE 0 END AS uwh
        FROM meter_day_totals t
        -- No clock is further from that of Greenwich.
        WHERE t.starts_at >= first_day::timestamp AT TIME ZONE 'UTC' - interval '14 hours'
          AND t.starts_at <= last_day::timestamp AT TIME ZONE 'UTC' + interval '12 hours'
        UNION ALL
        SELECT c.meter_id, (c.reading_time AT TIME ZONE z.timezone)::date, c.correction_uwh
        FROM energy_corrections(first_day::timestamp AT TIME ZONE 'UTC' - interval '14 hours',
                               last_day::timestamp AT TIME ZONE 'UTC' + interval '36 hours') c
        JOIN meter_clocks z USING (meter_id) WHERE quality = 'best'
    ) e
    WHERE e.day BETWEEN first_day AND last_day
    GROUP BY e.meter_id, e.day
$$;

-- Energy of all meters by local month, both months included [kWh]; any day of a month stands for it.
CREATE FUNCTION monthly_energy(first_month date, last_month date, quality quality_filter DEFAULT 'best')
RETURNS TABLE (meter_id bigint, month date, energy_kwh double precision)
LANGUAGE sql STABLE AS $$
    SELECT d.meter_id, date_trunc('month', d.day)::date, sum(d.energy_kwh)
    FROM daily_energy(date_trunc('month', first_month)::date,
                      (date_trunc('month', last_month) + interval '1 month - 1 day')::date, quality) d
    GROUP BY 1, 2
$$;

-- The meters that used most.
CREATE FUNCTION top_meters(first_day date, last_day date, most integer DEFAULT 10, quality quality_filter DEFAULT 'best')
RETURNS TABLE (meter_number text, energy_kwh double precision)
LANGUAGE sql STABLE AS $$
    SELECT m.meter_number, e.energy_kwh
    FROM (SELECT d.meter_id, sum(d.energy_kwh) AS energy_kwh FROM daily_energy(first_day, last_day, quality) d
          GROUP BY d.meter_id HAVING sum(d.energy_kwh) IS NOT NULL ORDER BY 2 DESC, 1 LIMIT most) e
    JOIN smart_meters m USING (meter_id) ORDER BY e.energy_kwh DESC, m.meter_number
$$;

-- The elements whose meters used most, by where meters are now: 'transformer', 'feeder', 'substation', 'region' or 'class'.
CREATE FUNCTION top_elements(
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
    GROUP BY 1 HAVING sum(e.energy_kwh) IS NOT NULL ORDER BY 3 DESC, 1 LIMIT most
$$;
