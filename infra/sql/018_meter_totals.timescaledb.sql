-- Totals as continuous aggregates. One has one time zone, so each clock that a region has gets one of its own for days,
-- straight from the readings: exact in zones that are half an hour off, too. All are real-time: what is newer than their
-- last refresh is summed up when somebody asks. Refreshing is a setting, so the engine keeps the policies.
-- Months are sums of days: as aggregates of aggregates they came out wrong after refreshes (TimescaleDB 2.24).

DO $$
BEGIN
    EXECUTE format(
        'CREATE MATERIALIZED VIEW meter_hour_totals WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
         SELECT meter_id, time_bucket(''1 hour'', reading_time) AS starts_at, %s
         FROM meter_readings GROUP BY 1, 2 WITH NO DATA', reading_sums());
END $$;

CREATE TABLE total_clocks (
    clock_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    timezone text NOT NULL UNIQUE
);

-- Have days by a clock; returns its number.
CREATE FUNCTION add_total_clock(of_timezone text) RETURNS integer LANGUAGE plpgsql AS $$
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
        'CREATE MATERIALIZED VIEW meter_day_totals_%s WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
         SELECT meter_id, time_bucket(''1 day'', reading_time, %L) AS starts_at, %s
         FROM meter_readings GROUP BY 1, 2 WITH NO DATA', clock, of_timezone, reading_sums());
    EXECUTE (
        SELECT 'CREATE OR REPLACE VIEW meter_day_totals AS ' || string_agg(format(
            'SELECT t.*, c.timezone FROM meter_day_totals_%s t JOIN meter_clocks c USING (meter_id) WHERE c.timezone = %L',
            clock_id, timezone), ' UNION ALL ' ORDER BY clock_id)
        FROM total_clocks
    );
    RETURN clock;
END $$;

SELECT add_total_clock('UTC');

DO $$
BEGIN
    EXECUTE format(
        'CREATE VIEW meter_month_totals AS
         SELECT meter_id, date_trunc(''month'', starts_at, timezone) AS starts_at, %s, timezone
         FROM meter_day_totals GROUP BY meter_id, date_trunc(''month'', starts_at, timezone), timezone', total_sums());
END $$;
