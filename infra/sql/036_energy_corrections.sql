-- As before, but the reading is looked up once, not three times, and where it can be: an estimate is there for one reading
-- in two hundred, and looking up the readings of a week's was half of what energy by day cost. It holds to what
-- `best_values` says: the latest version that counts, of those that count where there is a reading or none.
CREATE OR REPLACE FUNCTION energy_corrections(since timestamptz, until timestamptz)
RETURNS TABLE (meter_id bigint, reading_time timestamptz, correction_uwh numeric)
LANGUAGE plpgsql STABLE
-- Planned for the span, by which pieces are left out.
SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    RETURN QUERY
    SELECT k.meter_id, k.reading_time,
           coalesce(round(CASE WHEN v.version IS NOT NULL THEN v.consumption_kwh ELSE r.counted_kwh END * 1e9)::bigint, 0)
               - coalesce(round(r.counted_kwh * 1e9)::bigint, 0)::numeric
    FROM (SELECT DISTINCT o.meter_id, o.reading_time FROM vee_values o
          WHERE o.reading_time >= since AND o.reading_time < until) k
    LEFT JOIN LATERAL (
        SELECT m.quality_flag, m.consumption_kwh, m.export_kwh,
               CASE WHEN m.quality_flag <> 'rejected' THEN m.consumption_kwh END AS counted_kwh
        FROM meter_readings m
        WHERE m.meter_id = k.meter_id AND m.reading_time = k.reading_time
          AND m.reading_time >= since AND m.reading_time < until
        -- One by one, rather than all of the span.
        OFFSET 0
    ) r ON true
    LEFT JOIN LATERAL (
        SELECT n.version, n.consumption_kwh FROM vee_values n
        WHERE n.meter_id = k.meter_id AND n.reading_time = k.reading_time
          AND (r.quality_flag IS NULL OR n.over_reading OR r.quality_flag = 'rejected'
               OR r.consumption_kwh IS NULL AND (n.consumption_kwh IS NOT NULL OR r.export_kwh IS NULL))
        ORDER BY n.version DESC LIMIT 1
    ) v ON true;
END $$;

-- What counts of each meter by local day, both days included [uWh]: what was read, and what decisions change of it.
CREATE FUNCTION daily_parts(first_day date, last_day date, quality quality_filter)
RETURNS TABLE (meter_id bigint, day date, uwh numeric)
LANGUAGE sql STABLE AS $$
    SELECT e.meter_id, e.day, e.uwh
    FROM (
        SELECT t.meter_id, (t.starts_at AT TIME ZONE t.timezone)::date AS day,
               t.energy_uwh - CASE WHEN quality = 'all' THEN 0 ELSE coalesce(t.rejected_uwh, 0) END
                   - CASE WHEN quality = 'actual' THEN coalesce(t.estimated_uwh, 0) ELSE 0 END AS uwh
        FROM meter_day_totals t
        -- No clock is further from that of Greenwich.
        WHERE t.starts_at >= (first_day::timestamp - interval '14 hours') AT TIME ZONE 'UTC'
          AND t.starts_at <= (last_day::timestamp + interval '12 hours') AT TIME ZONE 'UTC'
        UNION ALL
        SELECT c.meter_id, (c.reading_time AT TIME ZONE z.timezone)::date, c.correction_uwh
        FROM energy_corrections((first_day::timestamp - interval '14 hours') AT TIME ZONE 'UTC',
                                (last_day::timestamp + interval '36 hours') AT TIME ZONE 'UTC') c
        JOIN meter_clocks z USING (meter_id) WHERE quality = 'best'
    ) e
    WHERE e.day BETWEEN first_day AND last_day
$$;

-- As before, of these parts.
CREATE OR REPLACE FUNCTION daily_energy(first_day date, last_day date, quality quality_filter DEFAULT 'best')
RETURNS TABLE (meter_id bigint, day date, energy_kwh double precision)
LANGUAGE sql STABLE AS $$
    SELECT p.meter_id, p.day, sum(p.uwh)::float8 / 1e9 FROM daily_parts(first_day, last_day, quality) p
    GROUP BY p.meter_id, p.day
$$;

-- As before, summed up once, not by day first.
CREATE OR REPLACE FUNCTION top_meters(first_day date, last_day date, most integer DEFAULT 10, quality quality_filter DEFAULT 'best')
RETURNS TABLE (meter_number text, energy_kwh double precision)
LANGUAGE sql STABLE AS $$
    SELECT m.meter_number, e.uwh::float8 / 1e9
    FROM (SELECT p.meter_id, sum(p.uwh) AS uwh FROM daily_parts(first_day, last_day, quality) p
          GROUP BY p.meter_id HAVING sum(p.uwh) IS NOT NULL ORDER BY 2 DESC, 1 LIMIT most) e
    JOIN smart_meters m USING (meter_id) ORDER BY e.uwh DESC, m.meter_number
$$;

-- As before, in the same way.
CREATE OR REPLACE FUNCTION top_elements(
    level text, first_day date, last_day date, most integer DEFAULT 10, quality quality_filter DEFAULT 'best'
)
RETURNS TABLE (element text, meters bigint, energy_kwh double precision)
LANGUAGE sql STABLE AS $$
    WITH movers AS MATERIALIZED (
        SELECT DISTINCT meter_id FROM meter_moves
        WHERE valid_from > first_day::timestamp AT TIME ZONE 'UTC' - interval '14 hours'
    ), used AS (
        SELECT m.meter_id, m.transformer_id, m.customer_class, d.uwh::float8 / 1e9 AS energy_kwh
        FROM (SELECT e.meter_id, sum(e.uwh) AS uwh FROM daily_parts(first_day, last_day, quality) e
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
