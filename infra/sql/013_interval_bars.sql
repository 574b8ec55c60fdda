-- Bars of what names an interval are read from the ticks themselves: one tick is one interval, and a partial beside it
-- would only repeat it. Partials stay for trades and quotes, of which a minute can hold any number.

DELETE FROM market_bar_partials p USING market_series s
WHERE s.series_id = p.series_id AND s.kind NOT IN ('trade', 'quote');

-- What a bar of a series between two times is made of. An interval's tick_time is one of its ends: it has at most an
-- hour, or is a local day, whose end is the end of the session that begins between the two times.
CREATE FUNCTION market_bar_pieces(series bigint, since timestamptz, until timestamptz, timezone text)
RETURNS TABLE (ticks bigint, first_at timestamptz, last_at timestamptz, open double precision, high double precision,
               low double precision, close double precision, volume_u bigint, notional_u bigint, held double precision)
LANGUAGE sql STABLE AS $$
    SELECT p.ticks, p.first_at, p.last_at, p.open, p.high, p.low, p.close, p.volume_u, p.notional_u, p.held
    FROM market_bar_partials p
    WHERE p.series_id = series AND p.starts_at >= since AND p.starts_at < until
    UNION ALL
    SELECT 1, t.starts_at, t.starts_at, v.price, v.price, v.price, v.price,
           round(coalesce(t.quantity, 0) * 1e6)::bigint, round(coalesce(v.price * t.quantity, 0) * 1e6)::bigint, 0
    FROM (
        SELECT * FROM market_ticks
        WHERE series_id = series AND tick_time >= since AND tick_time <= until + interval '1 hour'
        UNION ALL
        SELECT * FROM market_ticks
        WHERE series_id = series AND tick_time > until + interval '1 hour'
          AND tick_time = market_bar_end(market_bar_start(until - interval '1 microsecond', 86400, timezone), 86400, timezone)
    ) t
    CROSS JOIN LATERAL (SELECT coalesce(t.price, (t.bid + t.ask) / 2) AS price) v
    WHERE t.starts_at >= since AND t.starts_at < until AND t.ends_at > t.starts_at AND v.price IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM market_ticks n
          WHERE n.series_id = series AND n.tick_time = t.tick_time AND n.revision > t.revision
      )
$$;

-- As before, of the pieces; those of one instant count in the order of their prices.
CREATE OR REPLACE FUNCTION market_bar(series bigint, length_s integer, start timestamptz)
RETURNS TABLE (series_id bigint, market text, symbol text, kind text, bar_s integer, bar_start timestamptz,
               bar_end timestamptz, ticks bigint, open double precision, high double precision, low double precision,
               close double precision, volume double precision, vwap double precision, twap double precision)
LANGUAGE sql STABLE AS $$
    SELECT series, s.market, s.symbol, s.kind, length_s, start, b.ends_at, sum(p.ticks)::bigint,
           (array_agg(p.open ORDER BY p.first_at, p.last_at, p.open))[1], max(p.high), min(p.low),
           (array_agg(p.close ORDER BY p.last_at DESC, p.first_at DESC, p.close DESC))[1],
           sum(p.volume_u)::double precision / 1e6,
           sum(p.notional_u)::double precision / nullif(sum(p.volume_u), 0),
           sum(p.held + p.close * extract(epoch FROM coalesce(p.next_at, b.ends_at) - p.last_at)::double precision)
               / extract(epoch FROM b.ends_at - min(p.first_at))::double precision
    FROM market_series s
    JOIN markets m USING (market)
    CROSS JOIN LATERAL (SELECT market_bar_end(start, length_s, m.timezone) AS ends_at) b
    CROSS JOIN LATERAL (
        SELECT q.*, lead(q.first_at) OVER (ORDER BY q.first_at, q.last_at, q.open) AS next_at
        FROM market_bar_pieces(series, start, b.ends_at, m.timezone) q
    ) p
    WHERE s.series_id = series
    GROUP BY s.market, s.symbol, s.kind, b.ends_at
$$;

CREATE OR REPLACE VIEW market_bars AS
SELECT b.*
FROM (
    SELECT DISTINCT p.series_id, l.bar_s, market_bar_start(p.starts_at, l.bar_s, m.timezone) AS bar_start
    FROM (
        SELECT series_id, starts_at FROM market_bar_partials
        UNION ALL
        SELECT series_id, starts_at FROM market_ticks
        WHERE ends_at > starts_at AND coalesce(price, (bid + ask) / 2) IS NOT NULL
    ) p JOIN market_series USING (series_id) JOIN markets m USING (market)
    CROSS JOIN (VALUES (60), (300), (900), (3600), (86400)) AS l (bar_s)
) k
CROSS JOIN LATERAL market_bar(k.series_id, k.bar_s, k.bar_start) b;

-- Bars that have news since they were last published: one row for all series of a partition that share a bar, so that a
-- delivery notes as many rows as it has bars, whatever number of series. Only one worker writes those of a partition.
ALTER TABLE market_bars_due RENAME TO market_bars_due_before;

CREATE TABLE market_bars_due (
    source_partition integer NOT NULL,
    bar_s            integer NOT NULL,
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL,
    series           bigint[] NOT NULL,
    CONSTRAINT market_bars_due_bar PRIMARY KEY (source_partition, bar_s, starts_at, ends_at)
);

-- Compressing the numbers takes 3 ms a bar of 1,000 series, and they do not stay long.
ALTER TABLE market_bars_due ALTER COLUMN series SET STORAGE EXTERNAL;

INSERT INTO market_bars_due
SELECT 0, d.bar_s, d.starts_at, market_bar_end(d.starts_at, d.bar_s, m.timezone), array_agg(d.series_id)
FROM market_bars_due_before d JOIN market_series USING (series_id) JOIN markets m USING (market)
GROUP BY 1, 2, 3, 4;

DROP TABLE market_bars_due_before;
