"""The statements of the notices that wait for their channel."""

from processors.routing import BEGINS, ENDS
from schemas.alert_events import STANDING

_BEGINS, _ENDS, _STANDING = (
    ", ".join(f"'{item}'" for item in items) for items in ((*BEGINS, "escalated"), ENDS, STANDING)
)
UNROUTED = """
UPDATE alert_history SET routed = true WHERE number = ANY(ARRAY(
    SELECT number FROM alert_history WHERE NOT routed ORDER BY number LIMIT %s
)) RETURNING number, event
"""
# Whoever was not told of an alert is not told of its end, nor that somebody has it.
ADD = f"""
INSERT INTO alert_notifications (event_id, alert_id, channel, change, due_at)
SELECT w.* FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
    AS w (event_id, alert_id, channel, change, due_at)
WHERE w.change IN ({_BEGINS}) OR EXISTS (
    SELECT FROM alert_notifications n WHERE n.alert_id = w.alert_id AND n.channel = w.channel AND n.status <> 'dropped'
)
ON CONFLICT DO NOTHING
"""  # noqa: S608 - names are constants of this module
# What is over, part of something else or silenced by the time it is due needs no telling, nor its end.
DROP = f"""
WITH gone AS (
    UPDATE alert_notifications n SET status = 'dropped' FROM alerts a
    WHERE n.channel = %(channel)s AND n.status = 'waiting' AND n.due_at <= %(now)s AND a.alert_id = n.alert_id
      AND n.change IN ({_BEGINS}) AND n.attempts = 0 AND n.digest IS NULL
      AND (a.status NOT IN ({_STANDING}) OR a.parent_id IS NOT NULL OR a.silenced)
    RETURNING n.number
)
UPDATE alert_notifications n SET status = 'dropped'
WHERE n.channel = %(channel)s AND n.status = 'waiting' AND n.due_at <= %(now)s AND n.change NOT IN ({_BEGINS})
  AND n.digest IS NULL AND NOT EXISTS (
    SELECT FROM alert_notifications b
    WHERE b.alert_id = n.alert_id AND b.channel = n.channel AND b.change IN ({_BEGINS})
      AND b.status IN ('waiting', 'sent') AND b.number NOT IN (SELECT number FROM gone)
)
"""  # noqa: S608
DUE = """
SELECT n.number, h.event, n.digest IS NOT NULL, count(*) OVER ()
FROM alert_notifications n JOIN alert_history h USING (event_id)
WHERE n.channel = %s AND n.status = 'waiting' AND n.due_at <= %s ORDER BY h.number LIMIT 1
"""
# A digest of which it is not known whether it was told is told again as it was. Else all that is due becomes one, in
# the place of the worst: what begins before what ends, since an end opens no ticket.
OPEN_DIGEST = """
SELECT min(digest) FROM alert_notifications WHERE channel = %s AND status = 'waiting' AND digest IS NOT NULL
"""
_WORST_FIRST = (
    f"n.change NOT IN ({_BEGINS}), array_position(ARRAY['critical', 'warning', 'info'], a.severity), "
    "a.customers DESC, h.number"
)
_TOLD = "alert_notifications n JOIN alert_history h USING (event_id) JOIN alerts a ON a.alert_id = n.alert_id"
GATHER = f"""
UPDATE alert_notifications SET digest = worst.number FROM (
    SELECT n.number FROM {_TOLD}
    WHERE n.channel = %(channel)s AND n.status = 'waiting' AND n.due_at <= %(now)s ORDER BY {_WORST_FIRST} LIMIT 1
) AS worst
WHERE channel = %(channel)s AND status = 'waiting' AND due_at <= %(now)s RETURNING digest
"""  # noqa: S608
OF_DIGEST = f"""
SELECT h.event, count(*) OVER () FROM {_TOLD}
WHERE n.digest = %(digest)s AND n.status = 'waiting' ORDER BY n.number <> %(digest)s, {_WORST_FIRST} LIMIT %(limit)s
"""  # noqa: S608
#: One notice, or all of the digest that is told in its place.
_THESE = "status = 'waiting' AND (number = %(number)s OR digest = %(number)s)"
SENT = f"""
UPDATE alert_notifications SET status = 'sent', told_at = %(now)s, attempts = attempts + 1, error = NULL WHERE {_THESE}
"""  # noqa: S608
PUT_OFF = "UPDATE alert_notifications SET attempts = attempts + 1, error = %(error)s WHERE number = %(number)s"
REFUSED = f"""
UPDATE alert_notifications SET status = 'failed', attempts = attempts + 1, error = %(error)s WHERE {_THESE}
"""  # noqa: S608
_HAND_OVER = """
INSERT INTO alert_notifications (event_id, alert_id, channel, change, due_at)
SELECT n.event_id, n.alert_id, %(to)s, n.change, %(now)s FROM alert_notifications n
WHERE channel = %(channel)s AND {which}
  AND NOT EXISTS (SELECT FROM alert_notifications o WHERE o.event_id = n.event_id AND o.channel = %(to)s)
ON CONFLICT DO NOTHING
"""
HAND_OVER, HAND_OVER_DUE = (
    _HAND_OVER.format(which=which) for which in (_THESE, "status = 'waiting' AND due_at <= %(now)s")
)
UNACKNOWLEDGED = f"""
SELECT a.alert_id, min(n.told_at) FROM alerts a JOIN alert_notifications n USING (alert_id)
WHERE n.status = 'sent' AND n.change IN ({_BEGINS}) AND a.status = 'open' AND a.escalation = 0
  AND a.parent_id IS NULL AND NOT a.silenced AND a.severity = ANY(%s)
GROUP BY a.alert_id HAVING min(n.told_at) <= %s
"""  # noqa: S608
