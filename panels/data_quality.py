"""Data Quality: what rules found, what is missing, what was estimated and what was rejected."""

from panels.board import Dashboard, Look, Panel, Step
from panels.choices import CLASS, FEEDER, FEEDERS, METERS, OF_CLASS, REGION

_FINDINGS = f"""FROM meter_readings r
JOIN vee_rules v ON (r.failed_rules | r.warned_rules) & (1::bigint << v.bit::int) <> 0
JOIN {METERS} USING (meter_id)
WHERE (r.failed_rules <> 0 OR r.warned_rules <> 0) AND $__timeFilter(r.reading_time)"""

DASHBOARD = Dashboard(
    name="data-quality",
    title="Data Quality (VEE)",
    about="How good the data are: rules, gaps, estimates, rejects.",
    refresh="1m",
    since="now-24h",
    variables=(REGION, FEEDER, CLASS),
    panels=(
        Panel(
            "Readings by flag",
            Look.BARS,
            "By hour; normal ones are left out.",
            sql=f"""SELECT h.starts_at AS time, sum(h.monitoring) AS monitoring, sum(h.warning) AS warning,
       sum(h.anomaly) AS anomaly, sum(h.missing) AS missing, sum(h.estimated) AS estimated, sum(h.edited) AS edited,
       sum(h.rejected) AS rejected
FROM meter_hour_totals h JOIN {METERS} USING (meter_id)
WHERE $__timeFilter(h.starts_at)
GROUP BY 1 ORDER BY 1""",
        ),
        Panel(
            "Findings by rule",
            Look.BARS,
            "Readings that a rule failed or warned of.",
            sql=f"""SELECT $__timeGroup(r.reading_time,$__interval) AS time, v.rule AS metric, count(*) AS readings
{_FINDINGS}
GROUP BY 1, 2 ORDER BY 1""",
        ),
        Panel(
            "Rules",
            Look.TABLE,
            "What each rule said in the time shown.",
            sql=f"""SELECT v.rule, count(*) FILTER (WHERE r.failed_rules & (1::bigint << v.bit::int) <> 0) AS failed,
       count(*) FILTER (WHERE r.warned_rules & (1::bigint << v.bit::int) <> 0) AS warned,
       count(DISTINCT r.meter_id) AS meters, v.about
{_FINDINGS}
GROUP BY v.rule, v.about ORDER BY 2 DESC, 3 DESC, 1""",
        ),
        Panel(
            "Completeness",
            Look.LINES,
            "Readings of a feeder's hour over what the cadences of its meters put into it, silent meters included.",
            sql=f"""SELECT window_start AS time, substr(element, 8) AS metric, completeness AS share
FROM element_windows
WHERE element_kind = 'feeder' AND window_s = 3600 AND state = 'final' AND {OF_CLASS} AND $__timeFilter(window_start)
  AND element IN ({FEEDERS})
ORDER BY 1""",
            unit="percentunit",
            steps=(Step(None, "red"), Step(0.9, "orange"), Step(0.99, "green")),
        ),
        Panel(
            "What is missing",
            Look.TABLE,
            "Meters with the most intervals missing.",
            sql=f"""SELECT m.meter_number AS meter, m.transformer, m.feeder, sum(d.expected - d.received) AS missing,
       min(d.hour) AS "first hour", max(d.hour) AS "last hour"
FROM missing_data d JOIN {METERS} USING (meter_id)
WHERE d.received < d.expected AND $__timeFilter(d.hour)
GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1 LIMIT 100""",
            links=(("meter", "/d/meterstream-anomaly-tracker?var-meter=${__value.text:percentencode}"),),
        ),
        Panel(
            "Estimates by method",
            Look.TABLE,
            "First estimates of intervals, with the mean confidence.",
            sql=f"""SELECT v.method, count(*) AS intervals, count(DISTINCT v.meter_id) AS meters,
       sum(v.consumption_kwh) AS "energy [kWh]", avg(v.confidence) AS confidence
FROM vee_values v JOIN {METERS} USING (meter_id)
WHERE v.version = 1 AND v.kind = 'estimate' AND $__timeFilter(v.reading_time)
GROUP BY 1 ORDER BY 2 DESC, 1""",
        ),
        Panel(
            "Rejected by reason",
            Look.BARS,
            "What could not be taken, by the time of its rejection. NOMENCLATURE.md explains the reasons.",
            sql="""SELECT $__timeGroup(rejected_at,$__interval) AS time, reason AS metric, count(*) AS rejects
FROM rejected_readings
WHERE $__timeFilter(rejected_at)
GROUP BY 1, 2 ORDER BY 1""",
        ),
        Panel(
            "Meters that are silent",
            Look.TABLE,
            "No reading for a day, or none ever.",
            sql=f"""SELECT m.meter_number AS meter, s.status, m.transformer, m.feeder, s.newest,
       extract(epoch FROM s.silent_for) / 3600 AS "silent [h]"
FROM meter_silence s JOIN {METERS} USING (meter_number)
WHERE s.newest IS NULL OR s.silent_for > interval '24 hours'
ORDER BY s.newest NULLS FIRST, 1 LIMIT 100""",
        ),
    ),
)
