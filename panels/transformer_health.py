"""Transformer Health: what each transformer carries and at which voltage. No ratings are known, so none are shown."""

from panels.board import SHARE, VOLTAGE, Dashboard, Look, Panel
from panels.choices import ALERTS, CLASS, FEEDER, OF_CLASS, REGION, TRANSFORMERS

_HOURS = f"""element_kind = 'transformer' AND window_s = 3600 AND {OF_CLASS} AND $__timeFilter(window_start)
  AND element IN ({TRANSFORMERS})"""

DASHBOARD = Dashboard(
    name="transformer-health",
    title="Transformer Health",
    about="Load, load factor, voltage and power factor by transformer.",
    refresh="1m",
    since="now-24h",
    variables=(REGION, FEEDER, CLASS),
    panels=(
        Panel(
            "Transformers",
            Look.TABLE,
            "Of the hours shown: the highest quarter-hour first.",
            sql=f"""SELECT substr(element, 13) AS transformer, sum(energy_kwh) AS "energy [kWh]",
       max(demand_peak_kw) AS "peak [kW]", avg(demand_mean_kw) / nullif(max(demand_peak_kw), 0) AS "load factor",
       min(voltage_min) AS "lowest [V]", max(voltage_max) AS "highest [V]",
       avg(voltage_outside_share) AS "outside", avg(power_factor) AS "power factor", max(meters) AS meters
FROM element_windows
WHERE {_HOURS}
GROUP BY element ORDER BY 3 DESC NULLS LAST LIMIT 100""",
            width=24,
            height=10,
            links=(("transformer", "/d/meterstream-alerts?var-element=transformer/${__value.text:percentencode}"),),
        ),
        Panel(
            "Load of the ten with the highest peak",
            Look.LINES,
            "Mean power by hour.",
            sql=f"""WITH hours AS (SELECT * FROM element_windows WHERE {_HOURS}),
highest AS (SELECT element FROM hours GROUP BY element ORDER BY max(demand_peak_kw) DESC NULLS LAST, 1 LIMIT 10)
SELECT window_start AS time, substr(element, 13) AS metric, demand_mean_kw AS load
FROM hours JOIN highest USING (element) ORDER BY 1""",
            unit="kwatt",
            least=0,
        ),
        Panel(
            "Mean voltage of the ten that vary most",
            Look.LINES,
            "By hour; the distance between a transformer's lowest and highest hour decides.",
            sql=f"""WITH hours AS (SELECT * FROM element_windows WHERE {_HOURS} AND voltage_mean IS NOT NULL),
widest AS (SELECT element FROM hours GROUP BY element ORDER BY max(voltage_mean) - min(voltage_mean) DESC, 1 LIMIT 10)
SELECT window_start AS time, substr(element, 13) AS metric, voltage_mean AS voltage
FROM hours JOIN widest USING (element) ORDER BY 1""",
            unit="volt",
            steps=VOLTAGE,
        ),
        Panel(
            "Voltage outside 207 V to 253 V",
            Look.HISTORY,
            "Share of readings outside by hour, of the twenty transformers with the most.",
            sql=f"""WITH hours AS (SELECT * FROM element_windows WHERE {_HOURS}),
worst AS (SELECT element FROM hours GROUP BY element ORDER BY avg(voltage_outside_share) DESC NULLS LAST, 1 LIMIT 20)
SELECT window_start AS time, substr(element, 13) AS metric, voltage_outside_share AS share
FROM hours JOIN worst USING (element) ORDER BY 1""",
            unit="percentunit",
            steps=SHARE,
        ),
        Panel(
            "What stands or stood at transformers",
            Look.TABLE,
            "Alerts of transformers themselves and meters that are too hot below them.",
            sql=f"""SELECT a.element, a.kind, a.severity, a.status, a.first_seen AS since, a.customers, a.message
FROM {ALERTS} AND ('*' IN ($feeder) OR a.feeder IN ($feeder))
  AND (a.element LIKE 'transformer/%' OR a.kind = 'overheating') AND a.parent_id IS NULL
ORDER BY a.last_seen DESC LIMIT 100""",
            links=(("element", "/d/meterstream-alerts?var-element=${__value.text:percentencode}"),),
        ),
    ),
)
