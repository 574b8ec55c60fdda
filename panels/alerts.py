"""Alerts: what stands, what has come and gone, how soon people took it on, and the history of one element."""

from panels.board import COUNT, Dashboard, Look, Panel
from panels.choices import ALERTS, ELEMENT, FEEDER, REGION, SEVERITY

_FROM = "array_position(ARRAY['info', 'warning', 'critical'], a.severity)"
_HERE = (
    "('*' IN ($feeder) OR a.feeder IN ($feeder)) AND a.parent_id IS NULL\n"
    f"  AND {_FROM} >= array_position(ARRAY['info', 'warning', 'critical'], '$severity')\n"
    "  AND ('$element' = '' OR '$element' IN (a.element, 'region/' || a.region, 'substation/' || a.substation,\n"
    "                                        'feeder/' || a.feeder, 'transformer/' || a.transformer))"
)
_CHOSEN = f"FROM {ALERTS} AND {_HERE}"
#: Now, whatever time is shown: an alert that nobody has seen for days may stand.
_STANDING = (
    "FROM alerts a WHERE a.status IN ('open', 'acknowledged') AND ('*' IN ($region) OR a.region IN ($region))\n"
    f"  AND {_HERE}"
)

DASHBOARD = Dashboard(
    name="alerts",
    title="Alerts",
    about="What stands and what becomes of it; ALERTS.md tells the life of an alert.",
    refresh="30s",
    since="now-24h",
    variables=(REGION, FEEDER, SEVERITY, ELEMENT),
    panels=(
        Panel(
            "Critical",
            Look.FIGURE,
            "Critical alerts that stand.",
            sql=f"SELECT count(*) AS alerts {_STANDING} AND a.severity = 'critical'",
            width=8,
            height=4,
            steps=COUNT,
        ),
        Panel(
            "Nobody has taken on",
            Look.FIGURE,
            "Warnings and critical alerts that stand, unacknowledged and not silenced.",
            sql=f"""SELECT count(*) AS alerts
{_STANDING} AND a.severity <> 'info' AND a.status = 'open' AND NOT a.silenced""",
            width=8,
            height=4,
            steps=COUNT,
        ),
        Panel(
            "Come and go",
            Look.FIGURE,
            "Alerts that stand and are flapping.",
            sql=f"SELECT count(*) AS alerts {_STANDING} AND a.flapping",
            width=8,
            height=4,
            steps=COUNT,
        ),
        Panel(
            "What stands",
            Look.TABLE,
            "The most severe first, then the oldest.",
            sql=f"""SELECT a.severity, a.kind, a.element, a.first_seen AS since, a.last_seen AS "last seen", a.count,
       a.customers, a.children AS parts, a.score, a.measured, a.expected, a.unit, a.status,
       a.acknowledged_by AS "taken on by", a.message, a.action AS "what to do"
{_STANDING}
ORDER BY {_FROM} DESC, a.first_seen LIMIT 200""",
            width=24,
            height=10,
            links=(("element", "/d/meterstream-alerts?var-element=${__value.text:percentencode}"),),
        ),
        Panel(
            "Opened by kind",
            Look.BARS,
            "When problems began.",
            sql=f"""SELECT $__timeGroup(a.first_seen,$__interval) AS time, a.kind AS metric, count(*) AS alerts
{_CHOSEN} AND $__timeFilter(a.first_seen)
GROUP BY 1, 2 ORDER BY 1""",
        ),
        Panel(
            "Standing by severity",
            Look.AREAS,
            "How many stood at each time.",
            sql=f"""SELECT t.at AS time, a.severity AS metric, count(*) AS alerts
FROM generate_series($__timeFrom()::timestamptz, $__timeTo()::timestamptz,
    ($__timeTo()::timestamptz - $__timeFrom()::timestamptz) / 100) AS t (at)
JOIN (SELECT a.severity, a.first_seen, a.ended_at {_CHOSEN}) a
  ON a.first_seen <= t.at AND coalesce(a.ended_at, 'infinity') > t.at
GROUP BY 1, 2 ORDER BY 1""",
        ),
        Panel(
            "How long, by kind",
            Look.TABLE,
            "Alerts of the time shown: until somebody took them on, and until they were over.",
            sql=f"""SELECT a.kind, count(*) AS alerts, count(*) FILTER (WHERE a.ended_at IS NULL) AS standing,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM a.acknowledged_at - a.first_seen)) / 60
           AS "half taken on within [min]",
       percentile_cont(0.5) WITHIN GROUP (ORDER BY a.duration_s) FILTER (WHERE a.ended_at IS NOT NULL) / 60
           AS "half over within [min]",
       count(*) FILTER (WHERE a.escalation > 0) AS escalated
{_CHOSEN}
GROUP BY 1 ORDER BY 2 DESC, 1""",
        ),
        Panel(
            "What became of them",
            Look.TABLE,
            "The newest changes.",
            sql=f"""SELECT h.recorded_at AS time, h.change, a.severity, a.kind, a.element, h.by, h.note
FROM (SELECT a.* {_CHOSEN} ORDER BY a.last_seen DESC LIMIT 200) a JOIN alert_history h USING (alert_id)
ORDER BY h.number DESC LIMIT 200""",
        ),
        Panel(
            "Silences and maintenance",
            Look.TABLE,
            "What holds now or is planned.",
            sql="""SELECT silence_id AS number, element, kind, begins_at AS "from", ends_at AS until,
       every_days AS "every [d]", timezone, until AS "at last", by, reason
FROM alert_silences
WHERE withdrawn_at IS NULL
  AND (ends_at > now() OR (every_days IS NOT NULL AND coalesce(until + (ends_at - begins_at), 'infinity') > now()))
ORDER BY begins_at LIMIT 100""",
            width=24,
        ),
    ),
)
