-- Ticks become a hypertable, and old chunks of readings and ticks can be compressed: by column, one meter (or series) to
-- a segment, in the order of time. STORAGE.md has what other choices came to. When chunks are compressed and dropped is
-- a setting, so the engine keeps the policies.

-- A month of ticks: half a million series-hours of five minutes are 6 million rows.
SELECT create_hypertable('market_ticks', 'tick_time', chunk_time_interval => interval '1 month',
                         create_default_indexes => false, if_not_exists => true, migrate_data => true);

-- A hypertable makes its chunks by itself; plain PostgreSQL has to be told.
CREATE FUNCTION add_readings_partitions(instants timestamptz[]) RETURNS integer LANGUAGE sql AS 'SELECT 0';

ALTER TABLE meter_readings SET (
    timescaledb.compress, timescaledb.compress_segmentby = 'meter_id', timescaledb.compress_orderby = 'reading_time'
);
ALTER TABLE market_ticks SET (
    timescaledb.compress, timescaledb.compress_segmentby = 'series_id', timescaledb.compress_orderby = 'tick_time, revision'
);
