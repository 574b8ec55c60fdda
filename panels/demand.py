"""Demand: load by region and class, its shape, and energy by quality; a week before stands where a forecast would."""

from panels.board import Dashboard, Look, Panel
from panels.choices import CLASS, FEEDER, METERS, OF_CLASS, QUALITY, REGION, REGIONS, WINDOW

_REGIONS = f"element_kind = 'region' AND {OF_CLASS} AND element IN ({REGIONS})"

DASHBOARD = Dashboard(
    name="demand",
    title="Demand",
    about="How much is drawn, by whom and when.",
    refresh="15m",
    since="now-7d",
    variables=(REGION, FEEDER, CLASS, QUALITY, WINDOW),
    panels=(
        Panel(
            "Load by region",
            Look.AREAS,
            "Mean power of each window.",
            sql=f"""SELECT window_start AS time, substr(element, 8) AS metric, demand_mean_kw AS load
FROM element_windows
WHERE {_REGIONS} AND window_s = '$window'::int AND $__timeFilter(window_start)
ORDER BY 1""",
            unit="kwatt",
            least=0,
        ),
        Panel(
            "Load and a week before",
            Look.LINES,
            "Of the regions chosen. The same time a week before is the plainest forecast there is; a better one has to "
            "beat it.",
            sql=f"""SELECT time, metric, sum(load) AS load FROM (
    SELECT window_start AS time, 'load' AS metric, demand_mean_kw AS load FROM element_windows
    WHERE {_REGIONS} AND window_s = '$window'::int AND $__timeFilter(window_start)
    UNION ALL
    SELECT window_start + interval '7 days', 'a week before', demand_mean_kw FROM element_windows
    WHERE {_REGIONS} AND window_s = '$window'::int
      AND window_start >= $__timeFrom()::timestamptz - interval '7 days'
      AND window_start <= $__timeTo()::timestamptz - interval '7 days'
) both_weeks GROUP BY 1, 2 ORDER BY 1""",
            unit="kwatt",
            least=0,
        ),
        Panel(
            "Load by class",
            Look.AREAS,
            "Mean power of each window of the whole grid.",
            sql="""SELECT window_start AS time, customer_class AS metric, demand_mean_kw AS load
FROM element_windows
WHERE element = 'grid' AND customer_class IS NOT NULL AND window_s = '$window'::int AND $__timeFilter(window_start)
ORDER BY 1""",
            unit="kwatt",
            least=0,
        ),
        Panel(
            "Energy by day, of the quality chosen",
            Look.BARS,
            "Best values count estimates and decisions; as measured leaves out what was estimated, edited or rejected.",
            sql=f"""SELECT e.day::timestamp AT TIME ZONE 'UTC' AS time, sum(e.energy_kwh) AS energy
FROM daily_energy($__timeFrom()::timestamptz::date, $__timeTo()::timestamptz::date, '$quality') e
JOIN {METERS} USING (meter_id)
GROUP BY 1 ORDER BY 1""",
            unit="kwatth",
        ),
        Panel(
            "Shape of the day",
            Look.CHART,
            "Mean power of the regions chosen by hour of the day (UTC), workdays and weekends apart.",
            sql=f"""SELECT lpad(hour::text, 2, '0') || ':00' AS hour, avg(load) FILTER (WHERE day < 6) AS workdays,
       avg(load) FILTER (WHERE day >= 6) AS weekends
FROM (
    SELECT extract(hour FROM window_start AT TIME ZONE 'UTC')::int AS hour,
           extract(isodow FROM window_start AT TIME ZONE 'UTC') AS day, sum(demand_mean_kw) AS load
    FROM element_windows
    WHERE {_REGIONS} AND window_s = 3600 AND state = 'final' AND $__timeFilter(window_start)
    GROUP BY window_start
) hours GROUP BY 1 ORDER BY 1""",
            unit="kwatt",
        ),
        Panel(
            "Peaks by region",
            Look.TABLE,
            "The highest quarter-hour of each local day of the region, and how even the day was.",
            sql=f"""SELECT substr(element, 8) AS region, window_start AS day, demand_peak_kw AS "peak [kW]",
       demand_peak_at AS at, load_factor AS "load factor", energy_kwh AS "energy [kWh]", state, revision
FROM element_windows
WHERE {_REGIONS} AND window_s = 86400 AND $__timeFilter(window_start)
ORDER BY 2 DESC, 1""",
        ),
        Panel(
            "Who draws most",
            Look.CHART,
            "Feeders by energy of the quality chosen, by where their meters are now.",
            sql="""SELECT substr(element, 8) AS feeder, energy_kwh AS energy
FROM top_elements('feeder', $__timeFrom()::timestamptz::date, $__timeTo()::timestamptz::date, 15, '$quality')""",
            unit="kwatth",
        ),
        Panel(
            "Fed in by region",
            Look.LINES,
            "Mean power fed back of each window.",
            sql=f"""SELECT window_start AS time, substr(element, 8) AS metric,
       export_kwh * 3600 / extract(epoch FROM window_end - window_start)::float8 AS fed_in
FROM element_windows
WHERE {_REGIONS} AND window_s = '$window'::int AND $__timeFilter(window_start)
ORDER BY 1""",
            unit="kwatt",
        ),
    ),
)
