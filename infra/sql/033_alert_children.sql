-- What is attached to an alert: the alerts of a group, and of an outage the meters that were without power, each with its
-- time. An outage belongs to the newest alert of its element that began before it was over.

CREATE VIEW alert_children AS
SELECT c.parent_id AS alert_id, c.element, c.first_seen AS since, c.ended_at AS until
FROM alerts c WHERE c.parent_id IS NOT NULL
UNION ALL
SELECT a.alert_id, 'meter/' || m.meter_number, i.off_at, i.back_at
FROM alerts a
CROSS JOIN LATERAL (
    SELECT coalesce(min(n.first_seen), 'infinity') AS first_seen FROM alerts n
    WHERE n.element = a.element AND n.kind = a.kind AND n.condition = a.condition AND n.first_seen > a.first_seen
) later
JOIN grid_outages o ON o.element = a.element AND coalesce(o.ended_at, 'infinity') >= a.first_seen
    AND (coalesce(o.ended_at, 'infinity') < later.first_seen OR later.first_seen = 'infinity')
JOIN grid_interruptions i ON i.outage_id = o.outage_id
JOIN smart_meters m ON m.meter_id = i.meter_id
WHERE a.kind = 'outage';
