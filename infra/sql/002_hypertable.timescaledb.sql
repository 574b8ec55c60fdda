-- Readings become a hypertable. Chunks of a week: 6.7 million rows at 10 thousand meters every 15 minutes.
SELECT create_hypertable('meter_readings', 'reading_time', chunk_time_interval => interval '7 days',
                         create_default_indexes => false, if_not_exists => true, migrate_data => true);
