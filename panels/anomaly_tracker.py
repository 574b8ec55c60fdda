"""Anomaly Tracker: readings worth watching, why, and one meter beside what was expected of it."""

from panels.board import Dashboard, Look, Panel, Step
from panels.choices import CLASS, FEEDER, METER, METERS, QUALITY, REGION

_FOUND = f"FROM explained_readings e JOIN {METERS} USING (meter_number) WHERE $__timeFilter(e.reading_time)"

DASHBOARD = Dashboard(
    name="anomaly-tracker",
    title="Anomaly Tracker",
    about="What looks unusual, where, and what made it so.",
    refresh="30s",
    since="now-24h",
    variables=(REGION, FEEDER, CLASS, METER, QUALITY),
    panels=(
        Panel(
            "Readings worth watching by kind",
            Look.BARS,
            "What they look like.",
            sql=f"""SELECT $__timeGroup(e.reading_time,$__interval) AS time, e.kind AS metric, count(*) AS readings
{_FOUND}
GROUP BY 1, 2 ORDER BY 1""",
        ),
        Panel(
            "Scores",
            Look.POINTS,
            "The newest 2,000 readings worth watching: 0.70 is worth a look, 0.85 an anomaly.",
            sql=f"""SELECT * FROM (
    SELECT e.reading_time AS time, e.kind AS metric, e.anomaly_score AS score
    {_FOUND}
    ORDER BY e.reading_time DESC LIMIT 2000
) newest ORDER BY time""",
            steps=(Step(None, "green"), Step(0.7, "orange"), Step(0.85, "red")),
        ),
        Panel(
            "The newest, with reasons",
            Look.TABLE,
            "Measured and expected in the unit of the row.",
            sql=f"""SELECT e.reading_time AS time, e.meter_number AS meter, m.feeder, m.customer_class AS class, e.kind,
       e.anomaly_score AS score, e.measured, e.expected, e.band, e.unit, e.contributions AS reasons
{_FOUND}
ORDER BY e.reading_time DESC LIMIT 200""",
            width=24,
            height=10,
            links=(("meter", "/d/meterstream-anomaly-tracker?var-meter=${__value.text:percentencode}"),),
        ),
        Panel(
            "Meters that stand out",
            Look.TABLE,
            "Who had most readings worth watching.",
            sql=f"""SELECT e.meter_number AS meter, m.transformer, m.feeder, count(*) AS readings,
       max(e.anomaly_score) AS "highest score", max(e.reading_time) AS newest
{_FOUND}
GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1 LIMIT 50""",
            links=(("meter", "/d/meterstream-anomaly-tracker?var-meter=${__value.text:percentencode}"),),
        ),
        Panel(
            "By feeder",
            Look.CHART,
            "Readings worth watching of each feeder.",
            sql=f"SELECT m.feeder, count(*) AS readings {_FOUND} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 30",
        ),
        Panel(
            "The meter's energy",
            Look.LINES,
            "Values of the meter typed above, of the quality chosen, and what was expected where one was unusual.",
            sql="""SELECT v.reading_time AS time, v.consumption_kwh AS energy, e.expected,
       e.expected + e.band AS "98 % below"
FROM meter_values('$meter', $__timeFrom()::timestamptz, $__timeTo()::timestamptz, '$quality') v
LEFT JOIN explained_readings e ON e.meter_number = '$meter' AND e.reading_time = v.reading_time AND e.unit = 'kWh'
ORDER BY 1""",
            unit="kwatth",
            width=24,
        ),
    ),
)
