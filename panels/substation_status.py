"""Substation Status: load, voltage and alerts of each substation and of its feeders."""

from panels.board import SHARE, VOLTAGE, Dashboard, Look, Panel
from panels.choices import CLASS, FEEDERS_BELOW, OF_CLASS, REGION, SUBSTATION, SUBSTATIONS

_NEWEST = f"""WHERE element_kind = 'substation' AND window_s = 900 AND {OF_CLASS} AND $__timeFilter(window_start)
  AND element IN ({SUBSTATIONS})
ORDER BY 1"""

DASHBOARD = Dashboard(
    name="substation-status",
    title="Substation Status",
    about="What each substation feeds, at which voltage, and what is wrong below it.",
    refresh="30s",
    since="now-24h",
    variables=(REGION, SUBSTATION, CLASS),
    panels=(
        Panel(
            "Load by substation",
            Look.LINES,
            "Mean power by quarter-hour.",
            sql=f"""SELECT window_start AS time, substr(element, 12) AS metric, demand_mean_kw AS load
FROM element_windows
{_NEWEST}""",
            unit="kwatt",
            least=0,
        ),
        Panel(
            "Load by feeder",
            Look.AREAS,
            "Mean power by quarter-hour of the feeders below.",
            sql=f"""SELECT window_start AS time, substr(element, 8) AS metric, demand_mean_kw AS load
FROM element_windows
WHERE element_kind = 'feeder' AND window_s = 900 AND {OF_CLASS} AND $__timeFilter(window_start)
  AND element IN ({FEEDERS_BELOW})
ORDER BY 1""",
            unit="kwatt",
            least=0,
        ),
        Panel(
            "Voltage outside 207 V to 253 V",
            Look.HISTORY,
            "Share of readings outside the limits of EN 50160, by hour and substation.",
            sql=f"""SELECT window_start AS time, substr(element, 12) AS metric, voltage_outside_share AS share
FROM element_windows
WHERE element_kind = 'substation' AND window_s = 3600 AND {OF_CLASS} AND $__timeFilter(window_start)
  AND element IN ({SUBSTATIONS})
ORDER BY 1""",
            unit="percentunit",
            steps=SHARE,
        ),
        Panel(
            "Mean voltage",
            Look.LINES,
            "By quarter-hour and substation.",
            sql=f"""SELECT window_start AS time, substr(element, 12) AS metric, voltage_mean AS voltage
FROM element_windows
{_NEWEST}""",
            unit="volt",
            steps=VOLTAGE,
        ),
        Panel(
            "Alerts by substation",
            Look.TABLE,
            "What stands below each substation, the worst first.",
            sql="""SELECT coalesce(a.substation, 'unassigned') AS substation, count(*) AS alerts,
       count(*) FILTER (WHERE a.severity = 'critical') AS critical,
       count(*) FILTER (WHERE a.severity = 'warning') AS warning,
       sum(a.customers) AS customers, min(a.first_seen) AS "oldest since"
FROM alerts a
WHERE a.status IN ('open', 'acknowledged') AND a.parent_id IS NULL
  AND ('*' IN ($region) OR a.region IN ($region)) AND ('*' IN ($substation) OR a.substation IN ($substation))
GROUP BY 1 ORDER BY 3 DESC, 4 DESC, 1""",
            width=24,
            links=(("substation", "/d/meterstream-alerts?var-element=substation/${__value.text:percentencode}"),),
        ),
    ),
)
