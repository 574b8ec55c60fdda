"""Transformer Health: what each transformer carries, against its rating and its customers, and at which voltage."""

from panels.board import LOADING, SHARE, VOLTAGE, Dashboard, Look, Panel
from panels.choices import ALERTS, CLASS, FEEDER, OF_CLASS, REGION, TRANSFORMERS

_HOURS = f"""element_kind = 'transformer' AND window_s = 3600 AND {OF_CLASS} AND $__timeFilter(window_start)
  AND element IN ({TRANSFORMERS})"""

DASHBOARD = Dashboard(
    name="transformer-health",
    title="Transformer Health",
    about="Load, rating, energy balance, voltage and power factor by transformer, and what is wrong with them.",
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
            "Load against rating",
            Look.LINES,
            "By quarter-hour, of the ten nearest to their rating; by the own meter, else by customers without losses.",
            sql=f"""WITH loads AS (
    SELECT window_start, transformer, loading FROM transformer_loading
    WHERE loading IS NOT NULL AND $__timeFilter(window_start) AND 'transformer/' || transformer IN ({TRANSFORMERS})
), highest AS (SELECT transformer FROM loads GROUP BY transformer ORDER BY max(loading) DESC, 1 LIMIT 10)
SELECT window_start AS time, transformer AS metric, loading AS load
FROM loads JOIN highest USING (transformer) ORDER BY 1""",
            unit="percentunit",
            steps=LOADING,
            least=0,
        ),
        Panel(
            "Energy balance",
            Look.TABLE,
            "Of complete hours: own meter, customers, what should be lost and what is missing beyond that.",
            sql=f"""SELECT b.transformer, count(*) FILTER (WHERE b.complete) AS "complete hours", count(*) AS hours,
       sum(b.own_kwh) FILTER (WHERE b.complete) AS "own [kWh]",
       sum(b.customers_kwh) FILTER (WHERE b.complete) AS "customers [kWh]",
       sum(b.expected_loss_kwh) FILTER (WHERE b.complete) AS "expected loss [kWh]",
       sum(b.residual_kwh) FILTER (WHERE b.complete) AS "missing [kWh]",
       sum(b.residual_kwh) FILTER (WHERE b.complete) / nullif(sum(b.supplied_kwh) FILTER (WHERE b.complete), 0) AS share
FROM transformer_balance b
WHERE $__timeFilter(b.hour) AND 'transformer/' || b.transformer IN ({TRANSFORMERS})
GROUP BY b.transformer ORDER BY share DESC NULLS LAST, 1 LIMIT 100""",
            width=24,
            links=(("transformer", "/d/meterstream-alerts?var-element=transformer/${__value.text:percentencode}"),),
        ),
        Panel(
            "What is or was wrong",
            Look.TABLE,
            "Overload, missing energy, phases out of balance, and meters that stand at another transformer.",
            sql="""SELECT c.element, c.kind, c.severity, c.started_at AS since, c.ended_at AS until, c.detail,
       c.suspect, c.confidence
FROM grid_conditions c
WHERE NOT c.withdrawn AND c.started_at <= $__timeTo()::timestamptz
  AND coalesce(c.ended_at, 'infinity') >= $__timeFrom()::timestamptz
ORDER BY c.started_at DESC LIMIT 100""",
            width=24,
            links=(("element", "/d/meterstream-alerts?var-element=${__value.text:percentencode}"),),
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
