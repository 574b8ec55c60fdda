"""Power Quality: voltages against 210, 220, 250 and 260 V and EN 50160, and power factors."""

from panels.board import SHARE, VOLTAGE, Dashboard, Look, Panel, Step
from panels.choices import CLASS, FEEDER, FEEDERS, METERS, OF_CLASS, REGION

_QUARTERS = f"""FROM element_windows
WHERE element_kind = 'feeder' AND window_s = 900 AND {OF_CLASS} AND $__timeFilter(window_start)
  AND element IN ({FEEDERS})
"""

DASHBOARD = Dashboard(
    name="power-quality",
    title="Power Quality",
    about="Voltage and power factor by feeder and meter.",
    refresh="15m",
    since="now-7d",
    variables=(REGION, FEEDER, CLASS),
    panels=(
        Panel(
            "Mean voltage by feeder",
            Look.LINES,
            "By quarter-hour.",
            sql=f"""SELECT window_start AS time, substr(element, 8) AS metric, voltage_mean AS voltage
{_QUARTERS}ORDER BY 1""",
            unit="volt",
            steps=VOLTAGE,
        ),
        Panel(
            "Lowest and highest voltage",
            Look.LINES,
            "Of any meter of the feeders chosen, by quarter-hour.",
            sql=f"""SELECT window_start AS time, min(voltage_min) AS lowest, max(voltage_max) AS highest
{_QUARTERS}GROUP BY 1 ORDER BY 1""",
            unit="volt",
            steps=VOLTAGE,
        ),
        Panel(
            "Hourly means of meters by voltage",
            Look.CHART,
            "How many hours of meters had which mean voltage, in steps of 2 V.",
            sql=f"""SELECT (2 * floor(h.voltage_mean / 2))::int || ' V' AS voltage, count(*) AS hours
FROM meter_hours h JOIN {METERS} USING (meter_id)
WHERE $__timeFilter(h.hour) AND h.voltage_mean IS NOT NULL
GROUP BY 2 * floor(h.voltage_mean / 2) ORDER BY 2 * floor(h.voltage_mean / 2)""",
        ),
        Panel(
            "Power factor by feeder",
            Look.LINES,
            "Mean by quarter-hour.",
            sql=f"SELECT window_start AS time, substr(element, 8) AS metric, power_factor {_QUARTERS}ORDER BY 1",
            unit="percentunit",
            steps=(Step(None, "red"), Step(0.8, "orange"), Step(0.9, "green")),
        ),
        Panel(
            "EN 50160 by feeder",
            Look.TABLE,
            "Meters of which more than one in twenty means of ten minutes were a tenth away from 230 V. The norm asks "
            "for a week: choose seven days.",
            sql=f"""SELECT m.feeder, count(*) AS meters, count(*) FILTER (WHERE NOT q.complies) AS "not complying",
       sum(q.outside) / nullif(sum(q.means), 0)::float8 AS "share outside"
FROM voltage_quality($__timeFrom()::timestamptz, $__timeTo()::timestamptz) q JOIN {METERS} USING (meter_id)
GROUP BY 1 ORDER BY 4 DESC NULLS LAST, 1""",
        ),
        Panel(
            "Meters furthest outside",
            Look.TABLE,
            "Share of readings outside 207 V to 253 V, hours weighed by their readings.",
            sql=f"""SELECT m.meter_number AS meter, m.transformer, m.feeder, min(h.voltage_min) AS "lowest [V]",
       max(h.voltage_max) AS "highest [V]",
       sum(h.voltage_outside_share * h.readings) / nullif(sum(h.readings), 0) AS outside
FROM meter_hours h JOIN {METERS} USING (meter_id)
WHERE $__timeFilter(h.hour)
GROUP BY 1, 2, 3 HAVING sum(h.voltage_outside_share) > 0 ORDER BY outside DESC, meter LIMIT 50""",
            links=(("meter", "/d/meterstream-anomaly-tracker?var-meter=${__value.text:percentencode}"),),
        ),
        Panel(
            "Share outside by feeder",
            Look.HISTORY,
            "Readings outside 207 V to 253 V, by hour.",
            sql=f"""SELECT window_start AS time, substr(element, 8) AS metric, voltage_outside_share AS share
FROM element_windows
WHERE element_kind = 'feeder' AND window_s = 3600 AND {OF_CLASS} AND $__timeFilter(window_start)
  AND element IN ({FEEDERS})
ORDER BY 1""",
            unit="percentunit",
            steps=SHARE,
            width=24,
        ),
    ),
)
