"""Every dashboard there is, in the order in which they are listed."""

from panels import (
    alerts,
    anomaly_tracker,
    customer_impact,
    data_quality,
    demand,
    engine,
    grid_overview,
    market,
    power_quality,
    substation_status,
    transformer_health,
)
from panels.board import Dashboard

DASHBOARDS: tuple[Dashboard, ...] = (
    grid_overview.DASHBOARD,
    substation_status.DASHBOARD,
    transformer_health.DASHBOARD,
    power_quality.DASHBOARD,
    customer_impact.DASHBOARD,
    anomaly_tracker.DASHBOARD,
    demand.DASHBOARD,
    data_quality.DASHBOARD,
    market.DASHBOARD,
    engine.DASHBOARD,
    alerts.DASHBOARD,
)

#: Warnings and critical alerts as marks on every time axis; an alert that stands is a mark without an end.
ANNOTATION = """SELECT first_seen AS time, ended_at AS timeend, severity || ': ' || message AS text,
       kind || ',' || element AS tags
FROM alerts
WHERE coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz AND first_seen <= $__timeTo()::timestamptz
  AND parent_id IS NULL AND severity <> 'info' AND NOT silenced
ORDER BY severity = 'critical' DESC, first_seen DESC LIMIT 200"""
