"""The statements of the alert ledger."""

from schemas.alert_events import STANDING, AlertState
from schemas.alerts import Alert

#: Statuses of alerts that are not over, as a list in SQL.
STANDING_STATUS = ", ".join(f"'{status}'" for status in STANDING)
_FIELDS = tuple(AlertState.model_fields)
_LISTED = ", ".join(_FIELDS)

#: Any number that nothing else locks: who changes alerts, one transaction at a time; and which desk is active.
CHANGING, ACTIVE = 7_382_920, 7_382_921
#: What the database tells of: new signs (a trigger does) and what operators changed.
CHANNEL = "meterstream_alerts"
#: Of a desk's sessions. Each statement finds few rows by an index; compiling it takes longer than running it, over many
#: pieces of the readings by far. And a plan outlives the moment at which its table was small enough to be read whole.
SESSION = "-c TimeZone=UTC -c jit=off -c enable_seqscan=off"

# Here and below `= ANY(ARRAY(...))`: as a join a plan that does not know the limit would read the whole table.
TAKE_SIGNS = f"""
UPDATE alert_signs SET taken = true WHERE alert_id = ANY(ARRAY(
    SELECT alert_id FROM alert_signs WHERE NOT taken ORDER BY arrived_at, occurred_at, alert_id LIMIT %s
)) RETURNING {", ".join(Alert.model_fields)}
"""  # noqa: S608 - names are constants of this module
NEWEST = f"""
SELECT a.* FROM unnest(%s::text[], %s::text[], %s::text[]) AS k (element, kind, condition)
CROSS JOIN LATERAL (
    SELECT {_LISTED} FROM alerts
    WHERE element = k.element AND kind = k.kind AND condition = k.condition ORDER BY first_seen DESC LIMIT 1
) a
"""  # noqa: S608
PLACES = """
SELECT 'meter/' || m.meter_number, s.region, s.name, f.name, t.name
FROM unnest(%(meter)s::text[]) AS wanted (meter_number)
JOIN smart_meters m USING (meter_number)
JOIN transformers t USING (transformer_id)
LEFT JOIN feeders f USING (feeder_id)
LEFT JOIN substations s USING (substation_id)
UNION ALL
SELECT 'transformer/' || t.name, s.region, s.name, f.name, t.name
FROM unnest(%(transformer)s::text[]) AS wanted (name)
JOIN transformers t USING (name)
LEFT JOIN feeders f USING (feeder_id)
LEFT JOIN substations s USING (substation_id)
UNION ALL
SELECT 'feeder/' || f.name, s.region, s.name, f.name, NULL
FROM unnest(%(feeder)s::text[]) AS wanted (name)
JOIN feeders f USING (name)
LEFT JOIN substations s USING (substation_id)
UNION ALL
SELECT 'substation/' || s.name, s.region, s.name, NULL, NULL
FROM unnest(%(substation)s::text[]) AS wanted (name) JOIN substations s USING (name)
UNION ALL
SELECT 'region/' || name, name, NULL, NULL, NULL FROM unnest(%(region)s::text[]) AS wanted (name)
"""
# Alerts of conditions none of which lasts, each with the end of the last one, null where it turned out to be none.
RESTORED = """
SELECT a.alert_id, max(o.ended_at) FILTER (WHERE NOT o.withdrawn)
FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) AS a (alert_id, kind, element, first_seen)
LEFT JOIN standing_conditions o
    ON o.element = a.element AND o.kind = a.kind AND o.seen_at >= a.first_seen - interval '1 day'
GROUP BY a.alert_id HAVING NOT coalesce(bool_or(NOT o.withdrawn AND o.ended_at IS NULL), false)
"""
# Alerts without a parent, and those of groups, that stand below the same head of the grid.
RELATED = f"""
SELECT {_LISTED} FROM alerts
WHERE status IN ({STANDING_STATUS}) AND (kind, condition, coalesce(substation, feeder, transformer)) IN (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])
) AND (parent_id IS NULL OR children > 0)
ORDER BY first_seen, alert_id
"""  # noqa: S608
# Level by level, each from its names down the indexes: all at once would read every meter there is.
METERS_BELOW = """
SELECT 'transformer/' || t.name, count(*)
FROM transformers t JOIN smart_meters USING (transformer_id) WHERE t.name = ANY(%(transformer)s) GROUP BY t.name
UNION ALL
SELECT 'feeder/' || f.name, count(*)
FROM feeders f JOIN transformers USING (feeder_id) JOIN smart_meters USING (transformer_id)
WHERE f.name = ANY(%(feeder)s) GROUP BY f.name
UNION ALL
SELECT 'substation/' || s.name, count(*)
FROM substations s JOIN feeders USING (substation_id) JOIN transformers USING (feeder_id)
JOIN smart_meters USING (transformer_id)
WHERE s.name = ANY(%(substation)s) GROUP BY s.name
"""
STANDING_AFTER = f"""
SELECT {_LISTED} FROM alerts WHERE status IN ({STANDING_STATUS}) AND alert_id > %s ORDER BY alert_id LIMIT %s
"""  # noqa: S608
WITH_IDS = f"SELECT {_LISTED} FROM alerts WHERE alert_id = ANY(%s) ORDER BY alert_id"  # noqa: S608
# Ids are hexadecimal, so that all that begin with something are one range of the index.
BEGINNING_WITH = f"""
SELECT {_LISTED} FROM alerts
WHERE alert_id BETWEEN %(beginning)s AND %(beginning)s || repeat('f', 32) AND starts_with(alert_id, %(beginning)s)
ORDER BY alert_id LIMIT 2
"""  # noqa: S608
CHILDREN = f"SELECT {_LISTED} FROM alerts WHERE parent_id = %s AND status IN ({STANDING_STATUS})"  # noqa: S608
# Groups whose last child has ended, with the moment.
BEREFT = f"""
SELECT {", ".join(f"p.{name}" for name in _FIELDS)}, max(c.ended_at) AS children_ended_at
FROM alerts p JOIN alerts c ON c.parent_id = p.alert_id
WHERE p.status IN ({STANDING_STATUS}) AND p.children > 0
GROUP BY p.alert_id HAVING bool_and(c.status NOT IN ({STANDING_STATUS}))
"""  # noqa: S608
_SILENCE = "element, kind, begins_at, ends_at, by, reason, every_days, timezone, until"
# What is in force, or will be once more.
SILENCES = f"""
SELECT silence_id, {_SILENCE} FROM alert_silences
WHERE withdrawn_at IS NULL AND (
    ends_at > %(now)s
    OR (every_days IS NOT NULL AND (until IS NULL OR until + (ends_at - begins_at) > %(now)s))
)
ORDER BY silence_id
"""  # noqa: S608
ADD_SILENCE = (
    f"INSERT INTO alert_silences ({_SILENCE}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) "  # noqa: S608
    "RETURNING silence_id"
)
WITHDRAW_SILENCE = (
    "UPDATE alert_silences SET withdrawn_at = %s, withdrawn_by = %s WHERE silence_id = %s AND withdrawn_at IS NULL"
)
KEEP_STATES = f"""
INSERT INTO alerts ({_LISTED}) SELECT {_LISTED} FROM jsonb_populate_recordset(NULL::alerts, %s::jsonb)
ON CONFLICT (alert_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _FIELDS if name != "alert_id")}
"""  # noqa: S608
KEEP_HISTORY = """
INSERT INTO alert_history (event_id, alert_id, change, recorded_at, by, note, event)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[])
"""
UNPUBLISHED = """
UPDATE alert_history SET published = true WHERE number = ANY(ARRAY(
    SELECT number FROM alert_history WHERE NOT published ORDER BY number LIMIT %s
)) RETURNING number, event
"""
HISTORY = "SELECT event FROM alert_history WHERE alert_id = %s ORDER BY number"
LIST = f"""
SELECT {_LISTED} FROM alerts
WHERE (%(since)s::timestamptz IS NULL OR last_seen >= %(since)s)
  AND (NOT %(standing)s OR status IN ({STANDING_STATUS}))
  AND (NOT %(heads)s OR parent_id IS NULL)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(severity)s::text[] IS NULL OR severity = ANY(%(severity)s))
  AND (%(element)s::text IS NULL OR element LIKE %(element)s)
  AND (%(region)s::text IS NULL OR region = %(region)s)
ORDER BY last_seen DESC, alert_id LIMIT %(limit)s
"""  # noqa: S608
ATTACHED = """
SELECT element, since, until FROM alert_children WHERE alert_id = %s AND element > %s ORDER BY element, since LIMIT %s
"""
