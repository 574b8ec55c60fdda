-- Settlement prices that are far from those of the other symbols of their market, by what is usual between them.
-- A symbol's usual distance from the median of its market, and how far that varies, are medians over the span that is
-- asked for, so that neither spikes of the whole market nor a lasting congestion count. `times` is the distance beyond
-- the usual one in robust standard deviations (1.4826 times the median absolute deviation), of at least 1 % of the
-- market's usual price. Fewer than three symbols have no neighbours.
CREATE FUNCTION neighbour_outliers(
    of_market text, since timestamptz, until timestamptz, at_least double precision DEFAULT 8
)
RETURNS TABLE (symbol text, starts_at timestamptz, price double precision, neighbours double precision,
               usual double precision, times double precision)
LANGUAGE sql STABLE AS $$
    WITH prices AS (
        SELECT p.symbol, p.starts_at, p.price FROM market_prices p
        WHERE p.market = of_market AND p.kind = 'settlement' AND p.price IS NOT NULL
          AND p.tick_time >= since AND p.tick_time <= until AND p.starts_at >= since AND p.starts_at < until
    ), middles AS (
        SELECT p.starts_at, percentile_cont(0.5) WITHIN GROUP (ORDER BY p.price) AS middle
        FROM prices p GROUP BY p.starts_at HAVING count(*) >= 3
    ), distances AS (
        SELECT p.symbol, p.starts_at, p.price, m.middle, p.price - m.middle AS distance
        FROM prices p JOIN middles m USING (starts_at)
    ), centres AS (
        SELECT d.symbol, percentile_cont(0.5) WITHIN GROUP (ORDER BY d.distance) AS centre
        FROM distances d GROUP BY d.symbol
    ), spreads AS (
        SELECT d.symbol, c.centre,
               1.4826 * percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(d.distance - c.centre)) AS spread
        FROM distances d JOIN centres c USING (symbol) GROUP BY d.symbol, c.centre
    ), levels AS (
        SELECT 0.01 * percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(m.middle)) AS least_spread FROM middles m
    )
    SELECT d.symbol, d.starts_at, d.price, d.middle, s.centre,
           abs(d.distance - s.centre) / greatest(s.spread, l.least_spread, 0.01)
    FROM distances d JOIN spreads s USING (symbol) CROSS JOIN levels l
    WHERE abs(d.distance - s.centre) >= at_least * greatest(s.spread, l.least_spread, 0.01)
    ORDER BY d.starts_at, d.symbol
$$;
