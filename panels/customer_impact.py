"""Customer Impact: how many customers what is wrong touches, who is without power, and how reliable the grid was."""

from panels.board import Dashboard, Look, Panel, Step
from panels.choices import ALERTS, CLASS, FEEDER, METERS, REGION

_TOUCHED = (Step(None, "green"), Step(100, "orange"), Step(1000, "red"))

DASHBOARD = Dashboard(
    name="customer-impact",
    title="Customer Impact",
    about="Customers under alerts, meters that are silent, and values that bills would miss.",
    refresh="1m",
    since="now-24h",
    variables=(REGION, FEEDER, CLASS),
    panels=(
        Panel(
            "Customers under alerts",
            Look.AREAS,
            "Customers of the alerts that stood at each time, by severity; parts of others do not count again.",
            sql=f"""SELECT t.at AS time, a.severity AS metric, sum(a.customers) AS customers
FROM generate_series($__timeFrom()::timestamptz, $__timeTo()::timestamptz,
    ($__timeTo()::timestamptz - $__timeFrom()::timestamptz) / 100) AS t (at)
JOIN (SELECT a.* FROM {ALERTS} AND a.parent_id IS NULL AND ('*' IN ($feeder) OR a.feeder IN ($feeder))) a
  ON a.first_seen <= t.at AND coalesce(a.ended_at, 'infinity') > t.at
GROUP BY 1, 2 ORDER BY 1""",
            steps=_TOUCHED,
            width=24,
        ),
        Panel(
            "Alerts by customers touched",
            Look.TABLE,
            "What stands and touches most.",
            sql="""SELECT a.customers, a.severity, a.kind, a.element, a.region, a.feeder, a.first_seen AS since,
       a.acknowledged_by AS "taken on by", a.action AS "what to do"
FROM alerts a
WHERE a.status IN ('open', 'acknowledged') AND a.parent_id IS NULL
  AND ('*' IN ($region) OR a.region IN ($region)) AND ('*' IN ($feeder) OR a.feeder IN ($feeder))
ORDER BY a.customers DESC, a.first_seen LIMIT 50""",
            width=24,
            links=(("element", "/d/meterstream-alerts?var-element=${__value.text:percentencode}"),),
        ),
        Panel(
            "Outages",
            Look.TABLE,
            "The highest element that explains each; customers whose power is not back yet are without power.",
            sql="""SELECT o.started_at AS since, o.element, o.region, o.customers,
       count(*) FILTER (WHERE i.back_at IS NULL) AS "without power", round(sum(i.minutes)) AS "customer minutes",
       o.ended_at AS until, o.cause AS "known by"
FROM grid_outages o JOIN grid_interruptions i USING (outage_id)
WHERE ('*' IN ($region) OR o.region IN ($region))
  AND o.started_at <= $__timeTo() AND coalesce(o.ended_at, 'infinity') >= $__timeFrom()
GROUP BY o.outage_id ORDER BY o.started_at DESC LIMIT 50""",
            width=24,
            links=(("element", "/d/meterstream-alerts?var-element=${__value.text:percentencode}"),),
        ),
        Panel(
            "Reliability",
            Look.TABLE,
            "IEEE 1366 over the time shown: minutes without power and interruptions per customer, and their ratio.",
            sql="""SELECT r.region, r.customers, r.outages, round(r.saidi_minutes::numeric, 2) AS "SAIDI min",
       round(r.saifi::numeric, 4) AS "SAIFI", round(r.caidi_minutes::numeric, 1) AS "CAIDI min"
FROM reliability($__timeFrom(), $__timeTo()) r
WHERE '*' IN ($region) OR r.region IN ($region) ORDER BY r.saidi_minutes DESC""",
            width=24,
        ),
        Panel(
            "Silent meters by feeder",
            Look.CHART,
            "Meters whose newest reading is more than a day old, and meters that never sent.",
            sql=f"""SELECT m.feeder, count(*) FILTER (WHERE s.silent_for > interval '24 hours') AS "silent for a day",
       count(*) FILTER (WHERE s.newest IS NULL) AS "never heard"
FROM meter_silence s JOIN {METERS} USING (meter_number)
GROUP BY 1 HAVING count(*) FILTER (WHERE s.newest IS NULL OR s.silent_for > interval '24 hours') > 0
ORDER BY 2 DESC, 1 LIMIT 30""",
        ),
        Panel(
            "Customers with values missing",
            Look.BARS,
            "Meters that sent less than was expected of them, by hour and feeder.",
            sql=f"""SELECT d.hour AS time, m.feeder AS metric, count(*) AS customers
FROM missing_data d JOIN {METERS} USING (meter_id)
WHERE d.received < d.expected AND $__timeFilter(d.hour)
GROUP BY 1, 2 ORDER BY 1""",
        ),
    ),
)
