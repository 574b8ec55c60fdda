-- Where meters stood and when; windows by class; more of what is counted in a window.

-- From when on a meter was at a transformer (0: none) and of a class; until its next row.
CREATE TABLE meter_moves (
    meter_id       bigint NOT NULL REFERENCES smart_meters,
    valid_from     timestamptz NOT NULL,
    transformer_id bigint NOT NULL,
    customer_class text NOT NULL,
    PRIMARY KEY (meter_id, valid_from)
);

CREATE INDEX meter_moves_transformer ON meter_moves (transformer_id, valid_from);

-- Nothing older is known than where a meter is now.
INSERT INTO meter_moves (meter_id, valid_from, transformer_id, customer_class)
SELECT meter_id, '-infinity', coalesce(transformer_id, 0), coalesce(customer_class, 'unclassified')
FROM smart_meters WHERE transformer_id IS NOT NULL OR customer_class IS NOT NULL OR status <> 'unregistered';

CREATE VIEW meter_places AS
SELECT meter_id, transformer_id, customer_class, valid_from,
       lead(valid_from, 1, 'infinity') OVER (PARTITION BY meter_id ORDER BY valid_from) AS valid_to
FROM meter_moves;

-- What changed in the registry, in the order of its coming; meter 0 stands for everybody. Deliveries look here.
CREATE TABLE registry_changes (
    version        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter_id       bigint NOT NULL,
    valid_from     timestamptz NOT NULL,
    valid_to       timestamptz NOT NULL,
    was_at         bigint NOT NULL,
    transformer_id bigint NOT NULL,
    customer_class text NOT NULL,
    changed_at     timestamptz NOT NULL DEFAULT now()
);

-- Readings that were stored before it was known where their meter stood: these windows are summed up again.
CREATE TABLE window_recounts (
    transformer_id bigint NOT NULL,
    since          timestamptz NOT NULL,
    until          timestamptz NOT NULL
);

-- The clock by which the days of a region are told; without a row it is UTC.
CREATE TABLE IF NOT EXISTS region_clocks (
    region   text PRIMARY KEY,
    timezone text NOT NULL
);

-- Windows by class. Those of before were not summed by class, and null is what was not counted then.
ALTER TABLE window_partials
    ADD COLUMN customer_class     text NOT NULL DEFAULT 'unclassified',
    ADD COLUMN meters             bigint,
    ADD COLUMN hour_meters        bigint,
    ADD COLUMN day_meters         bigint,
    ADD COLUMN normal             bigint,
    ADD COLUMN warnings           bigint,
    ADD COLUMN anomalies          bigint,
    ADD COLUMN missing            bigint,
    ADD COLUMN rejected           bigint,
    ADD COLUMN reactive_uvarh     bigint,
    ADD COLUMN demand_peak_at     timestamptz,
    ADD COLUMN power_factor_count bigint,
    ADD COLUMN power_factor_ppm   bigint,
    ADD COLUMN voltage_outside    bigint;
ALTER TABLE window_totals
    ADD COLUMN customer_class     text NOT NULL DEFAULT 'unclassified',
    ADD COLUMN meters             bigint,
    ADD COLUMN hour_meters        bigint,
    ADD COLUMN day_meters         bigint,
    ADD COLUMN normal             bigint,
    ADD COLUMN warnings           bigint,
    ADD COLUMN anomalies          bigint,
    ADD COLUMN missing            bigint,
    ADD COLUMN rejected           bigint,
    ADD COLUMN reactive_uvarh     bigint,
    ADD COLUMN demand_peak_at     timestamptz,
    ADD COLUMN power_factor_count bigint,
    ADD COLUMN power_factor_ppm   bigint,
    ADD COLUMN voltage_outside    bigint,
    DROP CONSTRAINT window_totals_pkey,
    ADD PRIMARY KEY (window_s, window_start, transformer_id, customer_class);


-- What cost per class asks: the class that a meter had when it measured.
CREATE OR REPLACE VIEW cost_by_class AS
SELECT s.region, nullif(m.customer_class, 'unclassified') AS customer_class, p.starts_at, p.ends_at, p.currency, p.price,
       sum(round(r.consumption_kwh * 1e9)::bigint) / 1e12 AS energy_mwh,
       round(sum(round(r.consumption_kwh * 1e9)::bigint) / 1e12 * p.price, 2) AS cost
FROM meter_readings r
JOIN meter_places m ON m.meter_id = r.meter_id AND r.reading_time >= m.valid_from AND r.reading_time < m.valid_to
JOIN transformers t USING (transformer_id)
JOIN feeders f USING (feeder_id)
JOIN substations s USING (substation_id)
JOIN region_zones z USING (region)
JOIN markets k ON k.market = z.market
JOIN region_prices p ON p.region = s.region
 AND p.starts_at = market_bar_start(r.reading_time, k.interval_s, k.timezone)
WHERE r.consumption_kwh IS NOT NULL
GROUP BY s.region, m.customer_class, p.starts_at, p.ends_at, p.currency, p.price;

CREATE OR REPLACE VIEW window_aggregates AS
SELECT w.transformer_id,
       'transformer/' || coalesce(t.name, 'unassigned')                   AS element,
       w.window_start,
       w.window_s,
       sum(w.readings)::bigint                                             AS readings,
       sum(w.energy_uwh)::double precision / 1e9                           AS energy_kwh,
       sum(w.export_uwh)::double precision / 1e9                           AS export_kwh,
       max(w.demand_peak_kw)                                               AS demand_peak_kw,
       min(w.voltage_min)                                                  AS voltage_min,
       sum(w.voltage_sum_mv)::double precision / 1e3 / nullif(sum(w.voltage_count), 0) AS voltage_mean,
       max(w.voltage_max)                                                  AS voltage_max,
       sum(w.restating)::bigint                                            AS revision,
       sum(w.meters)::bigint                                               AS meters,
       sum(w.voltage_outside)::bigint                                      AS voltage_outside,
       (array_agg(w.demand_peak_at ORDER BY w.demand_peak_kw DESC, w.demand_peak_at)
        FILTER (WHERE w.demand_peak_at IS NOT NULL))[1]                    AS demand_peak_at
FROM (SELECT * FROM window_totals UNION ALL SELECT * FROM window_partials) w
LEFT JOIN transformers t USING (transformer_id)
GROUP BY w.transformer_id, t.name, w.window_start, w.window_s;
