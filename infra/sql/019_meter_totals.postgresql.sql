-- Totals as tables. `catch_up_totals` sums up again what new rows have touched: as often as it likes, since it always
-- comes to the same. New rows are those whose offsets lie between what `stream_offsets` says is stored and what was
-- summed up; both change in the transaction of their rows, so neither a crash nor a replay can come between.

CREATE TABLE meter_hour_totals (
    meter_id         bigint NOT NULL,
    starts_at        timestamptz NOT NULL,
    readings         bigint NOT NULL,
    energy_uwh       numeric,
    rejected_uwh     numeric,
    estimated_uwh    numeric,
    export_uwh       numeric,
    demands          bigint NOT NULL,
    demand_sum_mw    numeric,
    demand_peak_kw   double precision,
    demand_peak_at   timestamptz,
    voltages         bigint NOT NULL,
    voltage_sum_mv   numeric,
    voltage_min      double precision,
    voltage_max      double precision,
    voltages_outside bigint NOT NULL,
    normal           bigint NOT NULL,
    monitoring       bigint NOT NULL,
    warning          bigint NOT NULL,
    anomaly          bigint NOT NULL,
    missing          bigint NOT NULL,
    estimated        bigint NOT NULL,
    edited           bigint NOT NULL,
    rejected         bigint NOT NULL,
    PRIMARY KEY (meter_id, starts_at)
);
-- All meters of a span: rows come in the order of time, nearly.
CREATE INDEX meter_hour_totals_time ON meter_hour_totals USING brin (starts_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE meter_day_totals (LIKE meter_hour_totals, timezone text NOT NULL, PRIMARY KEY (meter_id, starts_at));
CREATE INDEX meter_day_totals_time ON meter_day_totals (starts_at);
CREATE TABLE meter_month_totals (LIKE meter_day_totals, PRIMARY KEY (meter_id, starts_at));
CREATE INDEX meter_month_totals_time ON meter_month_totals (starts_at);

-- By which clock a meter's days were told.
CREATE TABLE total_clocks (
    meter_id bigint PRIMARY KEY,
    timezone text NOT NULL
);

-- Up to where each partition of the readings was summed up.
CREATE TABLE total_progress (
    topic_id    text NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic_id, partition)
);

-- Days (UTC) of which everything is to be summed up again: what was there before there were totals, or came past the engine.
CREATE TABLE total_backlog (day date PRIMARY KEY);
INSERT INTO total_backlog
SELECT d::date FROM (SELECT min(reading_time AT TIME ZONE 'UTC') AS first, max(reading_time AT TIME ZONE 'UTC') AS last
                     FROM meter_readings) r,
     generate_series(date_trunc('day', first), last, interval '1 day') AS d
WHERE EXISTS (SELECT FROM meter_readings WHERE reading_time >= d AT TIME ZONE 'UTC'
              AND reading_time < (d + interval '1 day') AT TIME ZONE 'UTC');
INSERT INTO total_progress SELECT topic_id, partition, next_offset FROM stream_offsets WHERE topic = 'meters.raw';

-- Sum hours up again, and the days and months that they are in. `touched_hours` and `touched_days` hold which.
CREATE FUNCTION total_touched() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    ANALYZE touched_hours, touched_days;
    DELETE FROM meter_hour_totals t USING touched_hours k WHERE (t.meter_id, t.starts_at) = (k.meter_id, k.starts_at);
    EXECUTE format(
        'INSERT INTO meter_hour_totals SELECT k.meter_id, k.starts_at, t.* FROM touched_hours k CROSS JOIN LATERAL (
             SELECT %s FROM meter_readings r WHERE r.meter_id = k.meter_id AND r.reading_time >= k.starts_at
                 AND r.reading_time < k.starts_at + interval ''1 hour'' OFFSET 0) t WHERE t.readings > 0', reading_sums());
    DELETE FROM meter_day_totals t USING touched_days k WHERE (t.meter_id, t.starts_at) = (k.meter_id, k.starts_at);
    -- Days that begin and end with an hour of UTC are made of hours, others of readings.
    EXECUTE format(
        'INSERT INTO meter_day_totals SELECT k.meter_id, k.starts_at, t.*, k.timezone FROM touched_days k CROSS JOIN LATERAL (
             SELECT %s FROM meter_hour_totals h WHERE h.meter_id = k.meter_id AND h.starts_at >= k.starts_at
                 AND h.starts_at < k.ends_at OFFSET 0) t
         WHERE date_trunc(''hour'', k.starts_at, ''UTC'') = k.starts_at
             AND date_trunc(''hour'', k.ends_at, ''UTC'') = k.ends_at AND t.readings > 0', total_sums());
    EXECUTE format(
        'INSERT INTO meter_day_totals SELECT k.meter_id, k.starts_at, t.*, k.timezone FROM touched_days k CROSS JOIN LATERAL (
             SELECT %s FROM meter_readings r WHERE r.meter_id = k.meter_id AND r.reading_time >= k.starts_at
                 AND r.reading_time < k.ends_at OFFSET 0) t
         WHERE NOT (date_trunc(''hour'', k.starts_at, ''UTC'') = k.starts_at
             AND date_trunc(''hour'', k.ends_at, ''UTC'') = k.ends_at) AND t.readings > 0', reading_sums());
    CREATE TEMP TABLE IF NOT EXISTS touched_months (
        meter_id bigint, timezone text, starts_at timestamptz, ends_at timestamptz) ON COMMIT DELETE ROWS;
    DELETE FROM touched_months;
    INSERT INTO touched_months
    SELECT DISTINCT meter_id, timezone, date_trunc('month', starts_at, timezone),
           (date_trunc('month', starts_at AT TIME ZONE timezone) + interval '1 month') AT TIME ZONE timezone
    FROM touched_days;
    DELETE FROM meter_month_totals t USING touched_months k WHERE (t.meter_id, t.starts_at) = (k.meter_id, k.starts_at);
    EXECUTE format(
        'INSERT INTO meter_month_totals SELECT k.meter_id, k.starts_at, t.*, k.timezone FROM touched_months k CROSS JOIN LATERAL (
             SELECT %s FROM meter_day_totals d WHERE d.meter_id = k.meter_id AND d.starts_at >= k.starts_at
                 AND d.starts_at < k.ends_at OFFSET 0) t WHERE t.readings > 0', total_sums());
END $$;

-- Take note of some readings' hours and local days: those of `wanted`, which selects meter_id and reading_time.
CREATE FUNCTION touch_totals(wanted text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE touched bigint;
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS touched_hours (meter_id bigint, starts_at timestamptz) ON COMMIT DELETE ROWS;
    CREATE TEMP TABLE IF NOT EXISTS touched_days (
        meter_id bigint, timezone text, starts_at timestamptz, ends_at timestamptz) ON COMMIT DELETE ROWS;
    CREATE TEMP TABLE IF NOT EXISTS touched (meter_id bigint, reading_time timestamptz) ON COMMIT DELETE ROWS;
    DELETE FROM touched;
    DELETE FROM touched_hours;
    DELETE FROM touched_days;
    EXECUTE 'INSERT INTO touched ' || wanted;
    GET DIAGNOSTICS touched = ROW_COUNT;
    INSERT INTO touched_hours SELECT DISTINCT meter_id, date_trunc('hour', reading_time, 'UTC') FROM touched;
    INSERT INTO touched_days
    SELECT meter_id, timezone, day AT TIME ZONE timezone, (day + interval '1 day') AT TIME ZONE timezone
    FROM (SELECT DISTINCT t.meter_id, c.timezone, date_trunc('day', t.reading_time AT TIME ZONE c.timezone) AS day
          FROM touched t JOIN meter_clocks c USING (meter_id)) d;
    RETURN touched;
END $$;

-- Sum up what is new; returns of how many readings, 0 when there is nothing left to do.
CREATE FUNCTION catch_up_totals(most_readings bigint DEFAULT 400000) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    touched bigint := 0;
    of_day date;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7382917) THEN
        RETURN 0;
    END IF;
    -- Meters whose clock is another one now: their days are told anew.
    CREATE TEMP TABLE IF NOT EXISTS moved (meter_id bigint, timezone text, known boolean) ON COMMIT DELETE ROWS;
    DELETE FROM moved;
    INSERT INTO moved
    SELECT c.meter_id, c.timezone, k.meter_id IS NOT NULL
    FROM meter_clocks c LEFT JOIN total_clocks k USING (meter_id)
    WHERE k.timezone IS DISTINCT FROM c.timezone ORDER BY 3 DESC, 1 LIMIT 10000;
    IF EXISTS (SELECT FROM moved WHERE known) THEN
        DELETE FROM moved WHERE NOT known OR meter_id NOT IN (SELECT meter_id FROM moved WHERE known ORDER BY 1 LIMIT 200);
        DELETE FROM meter_day_totals WHERE meter_id IN (SELECT meter_id FROM moved);
        DELETE FROM meter_month_totals WHERE meter_id IN (SELECT meter_id FROM moved);
        touched := touch_totals('SELECT r.meter_id, r.reading_time FROM meter_readings r JOIN moved USING (meter_id)');
        PERFORM total_touched();
    END IF;
    INSERT INTO total_clocks SELECT meter_id, timezone FROM moved
    ON CONFLICT (meter_id) DO UPDATE SET timezone = excluded.timezone;
    -- New rows. Another life of the topic repeats offsets: then more is summed up again than is new.
    CREATE TEMP TABLE IF NOT EXISTS news (topic_id text, partition integer, since bigint, until bigint) ON COMMIT DELETE ROWS;
    DELETE FROM news;
    INSERT INTO news
    SELECT s.topic_id, s.partition, coalesce(p.next_offset, 0),
           -- About so many readings, by how many a record of this partition usually holds.
           least(s.next_offset, coalesce(p.next_offset, 0)
               + most_readings * s.next_offset / greatest(s.readings, 1) / count(*) OVER () + 1)
    FROM stream_offsets s LEFT JOIN total_progress p USING (topic_id, partition)
    WHERE s.topic = 'meters.raw' AND s.next_offset > coalesce(p.next_offset, 0);
    IF EXISTS (SELECT FROM news) THEN
        touched := touched + 1 + touch_totals(
            'SELECT r.meter_id, r.reading_time FROM meter_readings r JOIN news n ON r.source_partition = n.partition
                 AND r.source_offset >= n.since AND r.source_offset < n.until
             WHERE r.source_offset >= (SELECT min(since) FROM news) AND r.source_offset < (SELECT max(until) FROM news)');
        PERFORM total_touched();
        INSERT INTO total_progress SELECT topic_id, partition, until FROM news
        ON CONFLICT (topic_id, partition) DO UPDATE SET next_offset = excluded.next_offset;
        RETURN touched;
    END IF;
    DELETE FROM total_backlog WHERE day = (SELECT max(day) FROM total_backlog) RETURNING day INTO of_day;
    IF of_day IS NOT NULL THEN
        touched := touched + 1 + touch_totals(format(
            'SELECT meter_id, reading_time FROM meter_readings WHERE reading_time >= %L AND reading_time < %L',
            of_day::timestamp AT TIME ZONE 'UTC', (of_day + 1)::timestamp AT TIME ZONE 'UTC'));
        PERFORM total_touched();
    END IF;
    RETURN touched;
END $$;
