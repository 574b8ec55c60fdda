-- Market ticks as they came, every revision of them; bars; and what the engine knows of the markets themselves.
-- Times are timestamptz. Figures are stored as they came (a double keeps the 15 digits of any published price) and are
-- made numeric where money is summed.

CREATE TABLE markets (
    market     text PRIMARY KEY,
    currency   text NOT NULL,
    timezone   text NOT NULL,
    interval_s integer NOT NULL
);

-- A kind of tick of one symbol; the kind is empty where the source does not say.
CREATE TABLE market_series (
    series_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    market     text NOT NULL,
    symbol     text NOT NULL,
    kind       text NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now(),
    UNIQUE (market, symbol, kind)
);

-- starts_at to ends_at is the interval that a tick speaks of, by its market's label; a trade's or quote's moment is both.
CREATE TABLE market_ticks (
    series_id        bigint NOT NULL,
    tick_time        timestamptz NOT NULL,
    revision         bigint NOT NULL,
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL,
    price            double precision,
    quantity         double precision,
    bid              double precision,
    ask              double precision,
    bid_quantity     double precision,
    ask_quantity     double precision,
    bid_depth        double precision,
    ask_depth        double precision,
    energy_price     double precision,
    congestion_price double precision,
    loss_price       double precision,
    interval_s       bigint,
    currency         text,
    quality_flag     quality_flag NOT NULL,
    anomaly_score    real,
    source_partition integer NOT NULL,
    source_offset    bigint NOT NULL,
    arrived_at       timestamptz NOT NULL,
    PRIMARY KEY (series_id, tick_time, revision)
);

-- The revision that counts: the highest of an interval. The revisions of a trade's moment are different trades.
CREATE VIEW market_prices AS
SELECT s.market, s.symbol, s.kind, t.*
FROM market_ticks t JOIN market_series s USING (series_id)
WHERE s.kind = 'trade' OR NOT EXISTS (
    SELECT FROM market_ticks n
    WHERE n.series_id = t.series_id AND n.tick_time = t.tick_time AND n.revision > t.revision
);

-- What each delivery adds to each minute of a series, appended. Money and volumes are whole millionths, so that order
-- cannot change them. Where partials of a minute would overlap in time, or a revision takes a price back, the minute is
-- summed up again from its ticks in the same transaction.
CREATE TABLE market_bar_partials (
    series_id  bigint NOT NULL,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    ticks      bigint NOT NULL,
    first_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    open       double precision NOT NULL,
    high       double precision NOT NULL,
    low        double precision NOT NULL,
    close      double precision NOT NULL,
    volume_u   bigint NOT NULL,
    notional_u bigint NOT NULL,
    held       double precision NOT NULL
);

CREATE INDEX market_bar_partials_minute ON market_bar_partials (series_id, starts_at);

-- Bars that have news since they were last published.
CREATE TABLE market_bars_due (
    series_id bigint NOT NULL,
    bar_s     integer NOT NULL,
    starts_at timestamptz NOT NULL,
    PRIMARY KEY (series_id, bar_s, starts_at)
);

-- The bar of a length that holds an instant: whole multiples since 1970 (UTC); 86400 is the market's own day, its session.
CREATE FUNCTION market_bar_start(at timestamptz, bar_s integer, timezone text) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN bar_s = 86400 THEN date_trunc('day', at, timezone)
                ELSE to_timestamp(floor(extract(epoch FROM at) / bar_s) * bar_s) END
$$;

CREATE FUNCTION market_bar_end(starts_at timestamptz, bar_s integer, timezone text) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN bar_s = 86400 THEN ((starts_at AT TIME ZONE timezone) + interval '1 day') AT TIME ZONE timezone
                ELSE starts_at + bar_s * interval '1 second' END
$$;

-- One bar, from the minutes in it. A price holds until the next tick, across minutes too, and from the last tick to the
-- end of the bar.
CREATE FUNCTION market_bar(series bigint, length_s integer, start timestamptz)
RETURNS TABLE (series_id bigint, market text, symbol text, kind text, bar_s integer, bar_start timestamptz,
               bar_end timestamptz, ticks bigint, open double precision, high double precision, low double precision,
               close double precision, volume double precision, vwap double precision, twap double precision)
LANGUAGE sql STABLE AS $$
    SELECT series, s.market, s.symbol, s.kind, length_s, start, b.ends_at, sum(p.ticks)::bigint,
           (array_agg(p.open ORDER BY p.first_at, p.last_at))[1], max(p.high), min(p.low),
           (array_agg(p.close ORDER BY p.last_at DESC, p.first_at DESC))[1],
           sum(p.volume_u)::double precision / 1e6,
           sum(p.notional_u)::double precision / nullif(sum(p.volume_u), 0),
           sum(p.held + p.close * extract(epoch FROM coalesce(p.next_at, b.ends_at) - p.last_at)::double precision)
               / extract(epoch FROM b.ends_at - min(p.first_at))::double precision
    FROM market_series s
    JOIN markets m USING (market)
    CROSS JOIN LATERAL (SELECT market_bar_end(start, length_s, m.timezone) AS ends_at) b
    CROSS JOIN LATERAL (
        SELECT q.*, lead(q.first_at) OVER (ORDER BY q.first_at, q.last_at) AS next_at
        FROM market_bar_partials q
        WHERE q.series_id = series AND q.starts_at >= start AND q.starts_at < b.ends_at
    ) p
    WHERE s.series_id = series
    GROUP BY s.market, s.symbol, s.kind, b.ends_at
$$;

CREATE VIEW market_bars AS
SELECT b.*
FROM (
    SELECT DISTINCT p.series_id, l.bar_s, market_bar_start(p.starts_at, l.bar_s, m.timezone) AS bar_start
    FROM market_bar_partials p JOIN market_series USING (series_id) JOIN markets m USING (market)
    CROSS JOIN (VALUES (60), (300), (900), (3600), (86400)) AS l (bar_s)
) k
CROSS JOIN LATERAL market_bar(k.series_id, k.bar_s, k.bar_start) b;
