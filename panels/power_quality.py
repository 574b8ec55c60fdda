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
            "Days of meters by voltage",
            Look.CHART,
            "On how many days of meters which voltage was the lowest and the highest, in steps of 2 V.",
            sql=f"""SELECT (2 * floor(v.volts / 2))::int || ' V' AS voltage, count(*) FILTER (WHERE v.low) AS lowest,
       count(*) FILTER (WHERE NOT v.low) AS highest
FROM meter_day_totals h JOIN {METERS} USING (meter_id)
CROSS JOIN LATERAL (VALUES (true, h.voltage_min), (false, h.voltage_max)) v (low, volts)
WHERE $__timeFilter(h.starts_at) AND v.volts IS NOT NULL
GROUP BY 2 * floor(v.volts / 2) ORDER BY 2 * floor(v.volts / 2)""",
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
            "Meters of which more than one in twenty readings were a tenth away from 230 V, by whole days. The norm "
            "asks for a week of means of ten minutes: choose seven days; of meters that send more often "
            "voltage_quality() takes the means.",
            sql=f"""SELECT m.feeder, count(*) AS meters,
       count(*) FILTER (WHERE q.outside * 20 > q.voltages) AS "not complying",
       sum(q.outside) / sum(q.voltages)::float8 AS "share outside"
FROM (
    SELECT h.meter_id, sum(h.voltages_outside)::bigint AS outside, sum(h.voltages)::bigint AS voltages
    FROM meter_day_totals h WHERE $__timeFilter(h.starts_at) AND h.voltages > 0 GROUP BY 1
) q JOIN {METERS} USING (meter_id)
GROUP BY 1 ORDER BY 4 DESC NULLS LAST, 1""",
        ),
        Panel(
            "Meters furthest outside",
            Look.TABLE,
            "Share of readings outside 207 V to 253 V, by whole days.",
            sql=f"""SELECT m.meter_number AS meter, m.transformer, m.feeder, q.lowest AS "lowest [V]",
       q.highest AS "highest [V]", q.outside / q.voltages::float8 AS outside
FROM (
    SELECT h.meter_id, min(h.voltage_min) AS lowest, max(h.voltage_max) AS highest,
           sum(h.voltages_outside)::bigint AS outside, sum(h.voltages)::bigint AS voltages
    FROM meter_day_totals h WHERE $__timeFilter(h.starts_at) GROUP BY 1 HAVING sum(h.voltages_outside) > 0
) q JOIN {METERS} USING (meter_id)
ORDER BY 6 DESC, 1 LIMIT 50""",
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
