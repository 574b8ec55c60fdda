-- Without TimescaleDB readings are native partitions, a calendar month (UTC) each: 29 million rows at 10 thousand meters
-- every 15 minutes, about 25 of them within a retention of 24 months, which a query over all of it can still be planned
-- over. The engine makes them ahead and drops them; there is no default partition, since one that holds rows would have
-- to be searched whenever a month is added. Readings from before stay where they are, as one partition of their own.

-- Views hold on to a table and not to its name: they are taken down and put up again as they were.
CREATE TEMP TABLE views_on_readings ON COMMIT DROP AS
WITH RECURSIVE above AS (
    SELECT r.ev_class AS view, 1 AS depth
    FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = 'meter_readings'::regclass
    UNION
    SELECT r.ev_class, a.depth + 1
    FROM above a
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.view AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite r ON r.oid = d.objid
    WHERE r.ev_class <> a.view
)
SELECT relname AS name, max(depth) AS depth, pg_get_viewdef(view) AS query
FROM above JOIN pg_class c ON c.oid = view GROUP BY relname, view;

DO $$
DECLARE v record;
BEGIN
    FOR v IN SELECT * FROM views_on_readings ORDER BY depth DESC LOOP
        EXECUTE format('DROP VIEW %I', v.name);
    END LOOP;
END $$;

ALTER TABLE meter_readings RENAME TO meter_readings_before;
ALTER INDEX meter_readings_pkey RENAME TO meter_readings_before_pkey;
ALTER INDEX meter_readings_findings RENAME TO meter_readings_before_findings;
ALTER INDEX meter_readings_silent RENAME TO meter_readings_before_silent;

CREATE TABLE meter_readings (
    LIKE meter_readings_before INCLUDING DEFAULTS,
    PRIMARY KEY (meter_id, reading_time)
) PARTITION BY RANGE (reading_time);

CREATE INDEX meter_readings_findings ON meter_readings (reading_time, meter_id)
    WHERE failed_rules <> 0 OR warned_rules <> 0;
CREATE INDEX meter_readings_silent ON meter_readings (reading_time, meter_id) WHERE quality_flag = 'missing';
-- Which rows are new since the totals were made: rows come in the order of their offsets, so this costs next to nothing.
CREATE INDEX meter_readings_source ON meter_readings
    USING brin (source_offset) WITH (pages_per_range = 64, autosummarize = on);

-- Partitions and what they hold: [starts_at, ends_at).
CREATE VIEW readings_partitions AS
SELECT c.oid, c.relname AS name,
       (regexp_match(b.bounds, 'FROM \(''([^'']+)''\)'))[1]::timestamptz AS starts_at,
       (regexp_match(b.bounds, 'TO \(''([^'']+)''\)'))[1]::timestamptz AS ends_at
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS bounds) b
WHERE i.inhparent = 'meter_readings'::regclass;

-- Make the partitions of some instants, where there are none; returns how many were made. A table that is made by itself
-- and then attached holds up neither readers nor writers. It runs as the owner of the tables, which the engine need not be.
CREATE FUNCTION add_readings_partitions(instants timestamptz[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    month timestamp;
    made integer := 0;
    name text;
BEGIN
    PERFORM pg_advisory_xact_lock(7382916);
    FOR month IN SELECT DISTINCT date_trunc('month', i AT TIME ZONE 'UTC') FROM unnest(instants) AS i ORDER BY 1 LOOP
        CONTINUE WHEN EXISTS (SELECT FROM readings_partitions p WHERE p.starts_at <= month AT TIME ZONE 'UTC'
                              AND p.ends_at > month AT TIME ZONE 'UTC');
        name := 'meter_readings_' || to_char(month, 'YYYY_MM');
        EXECUTE format('CREATE TABLE %I (LIKE meter_readings INCLUDING DEFAULTS INCLUDING INDEXES)', name);
        EXECUTE format('ALTER TABLE meter_readings ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
                       month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

DO $$
DECLARE
    earliest timestamp;
    latest timestamp;
    v record;
BEGIN
    SELECT date_trunc('month', min(reading_time) AT TIME ZONE 'UTC'), date_trunc('month', max(reading_time) AT TIME ZONE 'UTC')
    INTO earliest, latest FROM meter_readings_before;
    IF earliest IS NULL THEN
        DROP TABLE meter_readings_before;
    ELSE
        CREATE INDEX meter_readings_before_source ON meter_readings_before
            USING brin (source_offset) WITH (pages_per_range = 64, autosummarize = on);
        EXECUTE format('ALTER TABLE meter_readings ATTACH PARTITION meter_readings_before FOR VALUES FROM (%L) TO (%L)',
                       earliest AT TIME ZONE 'UTC', (latest + interval '1 month') AT TIME ZONE 'UTC');
    END IF;
    FOR v IN SELECT * FROM views_on_readings ORDER BY depth LOOP
        EXECUTE format('CREATE VIEW %I AS %s', v.name, v.query);
    END LOOP;
END $$;
