"""Grid Overview: how much is drawn where, at which voltage, and what stands against it."""

from panels.board import COUNT, VOLTAGE, Dashboard, Look, Panel, Step
from panels.choices import CLASS, FEEDER, FEEDERS, OF_CLASS, REGION, REGIONS

DASHBOARD = Dashboard(
    name="grid-overview",
    title="Grid Overview",
    about="Load, voltage and alerts of the whole grid by region and feeder.",
    refresh="30s",
    since="now-24h",
    variables=(REGION, FEEDER, CLASS),
    panels=(
        Panel(
            "Load now",
            Look.FIGURE,
            "Mean power of the newest quarter-hour of the grid that has closed.",
            sql=f"""SELECT demand_mean_kw AS "load" FROM element_windows
WHERE element = 'grid' AND window_s = 900 AND state = 'final' AND {OF_CLASS} AND $__timeFilter(window_start)
ORDER BY window_start DESC LIMIT 1""",
            unit="kwatt",
            width=6,
            height=4,
        ),
        Panel(
            "Meters heard",
            Look.FIGURE,
            "Meters with a reading in the newest hour that has closed.",
            sql=f"""SELECT meters FROM element_windows
WHERE element = 'grid' AND window_s = 3600 AND state = 'final' AND {OF_CLASS} AND $__timeFilter(window_start)
ORDER BY window_start DESC LIMIT 1""",
            width=6,
            height=4,
        ),
        Panel(
            "Alerts that stand",
            Look.FIGURE,
            "Problems that are not over, parts of others left out.",
            sql="""SELECT count(*) AS alerts FROM alerts WHERE status IN ('open', 'acknowledged') AND parent_id IS NULL
AND ('*' IN ($region) OR region IN ($region))""",
            width=6,
            height=4,
            steps=COUNT,
        ),
        Panel(
            "Customers touched",
            Look.FIGURE,
            "Customers under the alerts that stand.",
            sql="""SELECT coalesce(sum(customers), 0) AS customers FROM alerts
WHERE status IN ('open', 'acknowledged') AND parent_id IS NULL AND ('*' IN ($region) OR region IN ($region))""",
            width=6,
            height=4,
            steps=(Step(None, "green"), Step(10, "orange"), Step(100, "red")),
        ),
        Panel(
            "Load by region",
            Look.AREAS,
            "Mean power by quarter-hour; the newest is of what has come so far.",
            sql=f"""SELECT window_start AS time, substr(element, 8) AS metric, demand_mean_kw AS load
FROM element_windows
WHERE element_kind = 'region' AND window_s = 900 AND {OF_CLASS} AND $__timeFilter(window_start)
  AND element IN ({REGIONS})
ORDER BY 1""",
            unit="kwatt",
            least=0,
        ),
        Panel(
            "Voltage by region",
            Look.LINES,
            "Mean voltage by quarter-hour. Orange from 220 V down and from 250 V up, red beyond 210 V and 260 V.",
            sql=f"""SELECT window_start AS time, substr(element, 8) AS metric, voltage_mean AS voltage
FROM element_windows
WHERE element_kind = 'region' AND window_s = 900 AND {OF_CLASS} AND $__timeFilter(window_start)
  AND element IN ({REGIONS})
ORDER BY 1""",
            unit="volt",
            steps=VOLTAGE,
        ),
        Panel(
            "Feeders in the newest hour",
            Look.TABLE,
            "Each feeder's newest hour that has closed, the greatest load first.",
            sql=f"""SELECT substr(element, 8) AS feeder, window_start AS hour, meters,
       demand_mean_kw AS "load [kW]", demand_peak_kw AS "peak [kW]", export_kwh AS "fed in [kWh]",
       voltage_min AS "lowest [V]", voltage_mean AS "mean [V]", voltage_max AS "highest [V]"
FROM (
    SELECT DISTINCT ON (element) * FROM element_windows
    WHERE element_kind = 'feeder' AND window_s = 3600 AND state = 'final' AND {OF_CLASS}
      AND $__timeFilter(window_start) AND element IN ({FEEDERS})
    ORDER BY element, window_start DESC
) newest ORDER BY demand_mean_kw DESC NULLS LAST, element""",
            width=16,
            links=(("feeder", "/d/meterstream-transformer-health?var-feeder=${__value.text:percentencode}"),),
        ),
        Panel(
            "Flags of readings",
            Look.BARS,
            "Readings by flag and quarter-hour, the normal ones left out.",
            sql=f"""SELECT window_start AS time, flagged_warning AS warning, flagged_anomaly AS anomaly,
       flagged_missing AS missing, flagged_rejected AS rejected
FROM element_windows
WHERE element = 'grid' AND window_s = 900 AND {OF_CLASS} AND $__timeFilter(window_start)
ORDER BY 1""",
            width=8,
        ),
    ),
)
