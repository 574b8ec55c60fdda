"""Market: prices, bars, volatility, depth, and what the load costs."""

from panels.board import Dashboard, Look, Panel
from panels.choices import BAR, KIND, MARKET, REGION, SYMBOL

_SETTLED = "FROM market_prices WHERE market = '$market' AND kind = 'settlement' AND $__timeFilter(tick_time)"
_SERIES = "s.market = '$market' AND s.symbol = '$symbol' AND s.kind = '$kind'"

DASHBOARD = Dashboard(
    name="market",
    title="Market",
    about="Prices of one market, one symbol closely, and the cost of the load at them.",
    refresh="1m",
    since="now-24h",
    variables=(MARKET, SYMBOL, KIND, BAR, REGION),
    panels=(
        Panel(
            "Settlement prices",
            Look.LINES,
            "Per MWh, in the market's currency; the highest revision of each interval.",
            sql=f"SELECT starts_at AS time, symbol AS metric, price {_SETTLED} AND price IS NOT NULL ORDER BY 1",
        ),
        Panel(
            "Bars",
            Look.CANDLES,
            "Open, high, low, close and volume of the series chosen.",
            sql=f"""SELECT b.bar_start AS time, b.open, b.high, b.low, b.close, b.volume
FROM market_series s JOIN markets k USING (market)
CROSS JOIN LATERAL (
    SELECT DISTINCT market_bar_start(g, '$bar'::int, k.timezone) AS bar_start
    FROM generate_series($__timeFrom()::timestamptz, $__timeTo()::timestamptz + '$bar'::int * interval '1 second',
        '$bar'::int * interval '1 second') g
) n
CROSS JOIN LATERAL market_bar(s.series_id, '$bar'::int, n.bar_start) b
WHERE {_SERIES}
ORDER BY 1""",
        ),
        Panel(
            "Volatility",
            Look.LINES,
            "Standard deviation of the differences between neighbouring settlement prices, by hour. Prices cross zero, "
            "so there are no logarithms.",
            sql=f"""SELECT $__timeGroup(starts_at,'1h') AS time, symbol AS metric, stddev_samp(change) AS volatility
FROM (
    SELECT starts_at, symbol, price - lag(price) OVER (PARTITION BY symbol ORDER BY starts_at) AS change {_SETTLED}
) changes
GROUP BY 1, 2 HAVING count(change) >= 3 ORDER BY 1""",
        ),
        Panel(
            "Depth",
            Look.LINES,
            "What stands on the bid and the ask side of the series chosen, where its ticks say so.",
            sql=f"""SELECT t.tick_time AS time, t.bid_depth AS bid, t.ask_depth AS ask
FROM market_ticks t JOIN market_series s USING (series_id)
WHERE {_SERIES} AND $__timeFilter(t.tick_time) AND coalesce(t.bid_depth, t.ask_depth) IS NOT NULL
ORDER BY 1 LIMIT 10000""",
        ),
        Panel(
            "Price duration",
            Look.LINES,
            "Settlement prices of the symbol chosen, the dearest first, drawn over the time shown.",
            sql=f"""SELECT $__timeFrom()::timestamptz
       + (row_number() OVER (ORDER BY price DESC) - 1) * (sum(ends_at - starts_at) OVER () / count(*) OVER ()) AS time,
       price
{_SETTLED} AND symbol = '$symbol' AND price IS NOT NULL
ORDER BY 1""",
        ),
        Panel(
            "Far from the neighbours",
            Look.TABLE,
            "Prices of symbols that leave the others of their market.",
            sql="""SELECT starts_at AS time, symbol, price, neighbours AS "median of the market",
       usual AS "usual distance", times
FROM neighbour_outliers('$market', $__timeFrom()::timestamptz, $__timeTo()::timestamptz)
ORDER BY times DESC LIMIT 100""",
        ),
        Panel(
            "Load times price",
            Look.AREAS,
            "What the load of each interval costs at its zone's price.",
            sql="""SELECT starts_at AS time, region AS metric, cost::float8 AS cost
FROM cost_by_region
WHERE $__timeFilter(starts_at) AND ('*' IN ($region) OR region IN ($region))
ORDER BY 1""",
        ),
        Panel(
            "Bought beforehand, and not",
            Look.TABLE,
            "Energy, hedges and what is left to the interval's price, by region.",
            sql="""SELECT region, currency, sum(energy_mwh)::float8 AS "load [MWh]",
       sum(hedged_mwh)::float8 AS "hedged [MWh]",
       sum(unhedged_cost)::float8 AS "cost not hedged", max(price)::float8 AS "dearest interval"
FROM region_exposure
WHERE $__timeFilter(starts_at) AND ('*' IN ($region) OR region IN ($region))
GROUP BY 1, 2 ORDER BY 5 DESC""",
        ),
        Panel(
            "Hours above a price",
            Look.CHART,
            "How long each region's price was above 100, 300 and 1,000 per MWh.",
            sql="""SELECT z.region, hours_above(z.region, 100, f.since, f.until)::float8 AS "above 100",
       hours_above(z.region, 300, f.since, f.until)::float8 AS "above 300",
       hours_above(z.region, 1000, f.since, f.until)::float8 AS "above 1,000"
FROM region_zones z
CROSS JOIN (SELECT $__timeFrom()::timestamptz AS since, $__timeTo()::timestamptz AS until) f
WHERE '*' IN ($region) OR z.region IN ($region)
ORDER BY 1""",
            unit="h",
        ),
        Panel(
            "Unusual ticks",
            Look.TABLE,
            "Alerts of this market.",
            sql="""SELECT first_seen AS since, element, kind, severity, status, measured, expected, unit, message
FROM alerts
WHERE starts_with(element, 'market/' || '$market' || '/') AND $__timeFilter(last_seen)
ORDER BY last_seen DESC LIMIT 100""",
        ),
    ),
)
