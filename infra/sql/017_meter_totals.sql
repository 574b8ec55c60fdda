-- Totals per meter and hour, day and month, from which panels read: whole numbers, so that neither order nor pieces show.
-- Hours are those of UTC. Days and months are local ones of the meter's region, whatever its clock is.
-- With TimescaleDB hours and days are continuous aggregates; on plain PostgreSQL all three are tables that the engine
-- fills (`catch_up_totals`). Both have the same names and columns. STORAGE.md says how either comes to be exact.

-- The clock by which the days of a region are told; without a row it is UTC.
CREATE TABLE IF NOT EXISTS region_clocks (
    region   text PRIMARY KEY,
    timezone text NOT NULL
);

CREATE VIEW meter_clocks AS
SELECT m.meter_id, coalesce(c.timezone, 'UTC') AS timezone
FROM smart_meters m
LEFT JOIN transformers t USING (transformer_id)
LEFT JOIN feeders f USING (feeder_id)
LEFT JOIN substations s USING (substation_id)
LEFT JOIN region_clocks c USING (region);

-- What is summed of readings. Energy in uWh, demand in mW, voltage in mV; 207 V and 253 V are the limits of EN 50160 at
-- 230 V. Of several peaks the earliest counts: arrays are compared element by element.
CREATE FUNCTION reading_sums() RETURNS text LANGUAGE sql IMMUTABLE AS $text$ SELECT $sums$
    count(*) AS readings,
    sum(round(consumption_kwh * 1e9)::bigint) AS energy_uwh,
    sum(round(consumption_kwh * 1e9)::bigint) FILTER (WHERE quality_flag = 'rejected') AS rejected_uwh,
    sum(round(consumption_kwh * 1e9)::bigint) FILTER (WHERE quality_flag IN ('estimated', 'edited', 'missing'))
        AS estimated_uwh,
    sum(round(export_kwh * 1e9)::bigint) AS export_uwh,
    count(demand_kw) AS demands,
    sum(round(demand_kw * 1e6)::bigint) AS demand_sum_mw,
    max(demand_kw) AS demand_peak_kw,
    timestamptz 'epoch' - (max(ARRAY[demand_kw, -extract(epoch FROM reading_time)::float8])
        FILTER (WHERE demand_kw IS NOT NULL))[2] * interval '1 second' AS demand_peak_at,
    count(voltage) AS voltages,
    sum(round(voltage * 1e3)::bigint) AS voltage_sum_mv,
    min(voltage) AS voltage_min,
    max(voltage) AS voltage_max,
    count(*) FILTER (WHERE voltage < 207 OR voltage > 253) AS voltages_outside,
    count(*) FILTER (WHERE quality_flag = 'normal') AS normal,
    count(*) FILTER (WHERE quality_flag = 'monitoring') AS monitoring,
    count(*) FILTER (WHERE quality_flag = 'warning') AS warning,
    count(*) FILTER (WHERE quality_flag = 'anomaly') AS anomaly,
    count(*) FILTER (WHERE quality_flag = 'missing') AS missing,
    count(*) FILTER (WHERE quality_flag = 'estimated') AS estimated,
    count(*) FILTER (WHERE quality_flag = 'edited') AS edited,
    count(*) FILTER (WHERE quality_flag = 'rejected') AS rejected
$sums$ $text$;

-- The same of totals: hours make a day, days make a month.
CREATE FUNCTION total_sums() RETURNS text LANGUAGE sql IMMUTABLE AS $text$ SELECT $sums$
    sum(readings)::bigint AS readings,
    sum(energy_uwh) AS energy_uwh,
    sum(rejected_uwh) AS rejected_uwh,
    sum(estimated_uwh) AS estimated_uwh,
    sum(export_uwh) AS export_uwh,
    sum(demands)::bigint AS demands,
    sum(demand_sum_mw) AS demand_sum_mw,
    max(demand_peak_kw) AS demand_peak_kw,
    timestamptz 'epoch' - (max(ARRAY[demand_peak_kw, -extract(epoch FROM demand_peak_at)::float8])
        FILTER (WHERE demand_peak_kw IS NOT NULL))[2] * interval '1 second' AS demand_peak_at,
    sum(voltages)::bigint AS voltages,
    sum(voltage_sum_mv) AS voltage_sum_mv,
    min(voltage_min) AS voltage_min,
    max(voltage_max) AS voltage_max,
    sum(voltages_outside)::bigint AS voltages_outside,
    sum(normal)::bigint AS normal,
    sum(monitoring)::bigint AS monitoring,
    sum(warning)::bigint AS warning,
    sum(anomaly)::bigint AS anomaly,
    sum(missing)::bigint AS missing,
    sum(estimated)::bigint AS estimated,
    sum(edited)::bigint AS edited,
    sum(rejected)::bigint AS rejected
$sums$ $text$;
