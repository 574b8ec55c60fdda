-- What the engine does for the database from time to time, and how it went.
CREATE TABLE upkeep_runs (
    job       text PRIMARY KEY,
    ran_at    timestamptz NOT NULL,
    took_s    double precision NOT NULL,
    -- Empty after a run that went well.
    error     text NOT NULL,
    runs      bigint NOT NULL,
    failures  bigint NOT NULL
);

-- Indexes for questions that panels and people ask, beyond those that the engine needs itself.

-- The alerts of one element, newest first.
CREATE INDEX alerts_element ON alerts (element, occurred_at DESC);
-- What was rejected for a reason, newest first; and how much of each reason since when, from the index alone.
CREATE INDEX rejected_readings_reason ON rejected_readings (reason, rejected_at DESC);
-- What was rejected of a meter.
CREATE INDEX rejected_readings_meter ON rejected_readings (meter_number, rejected_at DESC) WHERE meter_number IS NOT NULL;
-- Estimates and decisions of a span, of all meters.
CREATE INDEX vee_values_time ON vee_values (reading_time);
-- The meters of a transformer, the transformers of a feeder, the feeders of a substation.
CREATE INDEX smart_meters_transformer ON smart_meters (transformer_id);
CREATE INDEX transformers_feeder ON transformers (feeder_id);
CREATE INDEX feeders_substation ON feeders (substation_id);
-- What one meter lacked is the primary key; what lacks in an hour of all meters is missing_data_open.
