-- Load meets price: what the load of a region, a feeder or a class costs, interval by interval, at its zone's price.
-- All of it is views of what is stored, so that a late reading or a revised price restates it by itself. Money is numeric.

-- Which price a region's load is settled at, as the registry says.
CREATE TABLE region_zones (
    region text PRIMARY KEY,
    market text NOT NULL,
    symbol text NOT NULL
);

-- Load that is bought beforehand: a constant power [MW] of a region between two times.
CREATE TABLE hedges (
    hedge_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    region      text NOT NULL,
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL CHECK (ends_at > starts_at),
    quantity_mw numeric NOT NULL CHECK (quantity_mw >= 0)
);

CREATE INDEX hedges_region ON hedges (region, starts_at);

-- Settlement prices that count, by region; without a price an interval has no cost yet.
CREATE VIEW region_prices AS
SELECT z.region, p.market, p.symbol, p.starts_at, p.ends_at, m.currency, p.price::numeric AS price
FROM region_zones z
JOIN market_prices p ON (p.market, p.symbol, p.kind) = (z.market, z.symbol, 'settlement')
JOIN markets m ON m.market = z.market
WHERE p.price IS NOT NULL;

-- Energy by transformer and minute, whole micro-watt-hours, in the settlement interval of its region's market.
CREATE VIEW interval_loads AS
SELECT s.region, f.name AS feeder,
       market_bar_start(w.window_start, m.interval_s, m.timezone) AS starts_at, sum(w.energy_uwh) AS energy_uwh
FROM (SELECT transformer_id, window_s, window_start, energy_uwh FROM window_totals
      UNION ALL SELECT transformer_id, window_s, window_start, energy_uwh FROM window_partials) w
JOIN transformers t USING (transformer_id)
JOIN feeders f USING (feeder_id)
JOIN substations s USING (substation_id)
JOIN region_zones z USING (region)
JOIN markets m USING (market)
WHERE w.window_s = 60
GROUP BY 1, 2, 3;

CREATE VIEW cost_by_feeder AS
SELECT l.region, l.feeder, p.starts_at, p.ends_at, p.currency, p.price,
       l.energy_uwh::numeric / 1e12 AS energy_mwh, round(l.energy_uwh::numeric / 1e12 * p.price, 2) AS cost
FROM interval_loads l JOIN region_prices p USING (region, starts_at);

-- Rounded once, from the whole: the cents of its feeders may add up to a cent more or less.
CREATE VIEW cost_by_region AS
SELECT l.region, p.starts_at, p.ends_at, p.currency, p.price,
       sum(l.energy_uwh)::numeric / 1e12 AS energy_mwh, round(sum(l.energy_uwh)::numeric / 1e12 * p.price, 2) AS cost
FROM interval_loads l JOIN region_prices p USING (region, starts_at)
GROUP BY l.region, p.starts_at, p.ends_at, p.currency, p.price;

-- Windows know no classes: this one goes back to the readings, which are rounded as windows round them.
CREATE VIEW cost_by_class AS
SELECT s.region, m.customer_class, p.starts_at, p.ends_at, p.currency, p.price,
       sum(round(r.consumption_kwh * 1e9)::bigint) / 1e12 AS energy_mwh,
       round(sum(round(r.consumption_kwh * 1e9)::bigint) / 1e12 * p.price, 2) AS cost
FROM meter_readings r
JOIN smart_meters m USING (meter_id)
JOIN transformers t USING (transformer_id)
JOIN feeders f USING (feeder_id)
JOIN substations s USING (substation_id)
JOIN region_zones z USING (region)
JOIN markets k ON k.market = z.market
JOIN region_prices p ON p.region = s.region
 AND p.starts_at = market_bar_start(r.reading_time, k.interval_s, k.timezone)
WHERE r.consumption_kwh IS NOT NULL
GROUP BY s.region, m.customer_class, p.starts_at, p.ends_at, p.currency, p.price;

-- What is not bought beforehand is bought at the interval's price; what was bought beyond the load is sold at it.
CREATE VIEW region_exposure AS
SELECT c.region, c.starts_at, c.ends_at, c.currency, c.price, c.energy_mwh, coalesce(h.hedged_mwh, 0) AS hedged_mwh,
       round((c.energy_mwh - coalesce(h.hedged_mwh, 0)) * c.price, 2) AS unhedged_cost
FROM cost_by_region c
LEFT JOIN LATERAL (
    SELECT sum(h.quantity_mw * extract(epoch FROM least(h.ends_at, c.ends_at) - greatest(h.starts_at, c.starts_at)) / 3600)
        AS hedged_mwh
    FROM hedges h WHERE h.region = c.region AND h.starts_at < c.ends_at AND h.ends_at > c.starts_at
) h ON true;

-- How long a region's price was above a level between two times [h].
CREATE FUNCTION hours_above(of_region text, level numeric, since timestamptz, until timestamptz) RETURNS numeric
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(extract(epoch FROM ends_at - starts_at)) / 3600, 0) FROM region_prices
    WHERE region = of_region AND price > level AND starts_at >= since AND starts_at < until
$$;

-- A region's costliest intervals of one day of its market, the costliest first.
CREATE FUNCTION costliest_intervals(of_region text, of_day date, most integer) RETURNS SETOF cost_by_region
LANGUAGE sql STABLE AS $$
    SELECT c.* FROM cost_by_region c
    JOIN region_zones z USING (region) JOIN markets m USING (market)
    WHERE c.region = of_region AND (c.starts_at AT TIME ZONE m.timezone)::date = of_day
    ORDER BY c.cost DESC, c.starts_at LIMIT most
$$;
