-- Days ask TimescaleDB how far their aggregate has come once, not once per row: of buckets in a time zone it does not make
-- that a constant when it plans (2.24), so that a week of all meters took five seconds. The aggregates hold what was
-- refreshed, and the view adds what is newer.

-- How far an aggregate has come, by the number of its table. It does change; that it is called immutable has the planner ask
-- once and leave out the pieces that are summed up already. An older answer is as right: both parts of the view share it,
-- and TimescaleDB has plans made anew when it changes.
CREATE FUNCTION refreshed_until(aggregate integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(_timescaledb_functions.to_timestamp(_timescaledb_functions.cagg_watermark(aggregate)), '-infinity')
$$;

-- Meters whose region has a clock: whose days are told by one is then looked up in a set, which is empty where there is none.
-- To find the clock of each row cost more than the rows.
CREATE VIEW clocked_meters AS
SELECT m.meter_id, c.timezone
FROM smart_meters m
JOIN transformers t USING (transformer_id)
JOIN feeders f USING (feeder_id)
JOIN substations s USING (substation_id)
JOIN region_clocks c USING (region);

-- What a clock's days are: of those refreshed the aggregate, of later ones the readings. Who has no clock has UTC's.
CREATE FUNCTION day_totals_of(clock integer, of_timezone text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format(
        'SELECT t.*, %2$L::text AS timezone
         FROM (SELECT * FROM meter_day_totals_%1$s WHERE starts_at < refreshed_until(%4$s)
               UNION ALL
               SELECT meter_id, time_bucket(''1 day'', reading_time, %2$L) AS starts_at, %3$s
               FROM meter_readings WHERE reading_time >= refreshed_until(%4$s) GROUP BY 1, 2) t
         WHERE %5$s (SELECT FROM clocked_meters c WHERE c.meter_id = t.meter_id AND c.timezone %6$s %2$L)',
        clock, of_timezone, reading_sums(), a.mat_hypertable_id,
        CASE of_timezone WHEN 'UTC' THEN 'NOT EXISTS' ELSE 'EXISTS' END, CASE of_timezone WHEN 'UTC' THEN '<>' ELSE '=' END)
    FROM _timescaledb_catalog.continuous_agg a
    WHERE a.user_view_schema = current_schema() AND a.user_view_name = 'meter_day_totals_' || clock
$$;

CREATE FUNCTION tell_day_totals() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE (SELECT 'CREATE OR REPLACE VIEW meter_day_totals AS '
                    || string_agg(day_totals_of(clock_id, timezone), ' UNION ALL ' ORDER BY clock_id) FROM total_clocks);
END $$;

-- As before, with a view that says so.
CREATE OR REPLACE FUNCTION add_total_clock(of_timezone text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    clock integer;
BEGIN
    PERFORM pg_advisory_xact_lock(7382917);
    SELECT clock_id INTO clock FROM total_clocks WHERE timezone = of_timezone;
    IF FOUND THEN
        RETURN clock;
    END IF;
    INSERT INTO total_clocks (timezone) VALUES (of_timezone) RETURNING clock_id INTO clock;
    EXECUTE format(
        'CREATE MATERIALIZED VIEW meter_day_totals_%s WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS
         SELECT meter_id, time_bucket(''1 day'', reading_time, %L) AS starts_at, %s
         FROM meter_readings GROUP BY 1, 2 WITH NO DATA', clock, of_timezone, reading_sums());
    PERFORM tell_day_totals();
    RETURN clock;
END $$;

DO $$
DECLARE
    clock integer;
BEGIN
    FOR clock IN SELECT clock_id FROM total_clocks LOOP
        EXECUTE format('ALTER MATERIALIZED VIEW meter_day_totals_%s SET (timescaledb.materialized_only = true)', clock);
    END LOOP;
    PERFORM tell_day_totals();
END $$;

-- Which piece a reading is in is found out for each that is looked up: that costs more than asking those of the span.
ALTER FUNCTION energy_corrections(timestamptz, timestamptz) SET timescaledb.enable_chunk_append = off;

-- The newest readings of all meters, in a few kilobytes a piece: the key begins with the meter, and was read whole for them.
CREATE INDEX meter_readings_recent ON meter_readings
USING brin (reading_time) WITH (pages_per_range = 32, autosummarize = on);
