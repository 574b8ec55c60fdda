"""The statements that take over registry entries: elements of the grid, meters, and where meters stood when."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from schemas.registry import RegistryEntry
from schemas.windows import UNCLASSIFIED

_FIELDS = {
    "meter_number": "text",
    "transformer": "text",
    "feeder": "text",
    "substation": "text",
    "region": "text",
    "customer_class": "text",
    "status": "text",
    "zone": "text",
    "timezone": "text",
    "transformer_kva": "double precision",
    "phase": "text",
    "valid_from": "timestamptz",
    "arrived_at": "timestamptz",
}
_ENTRIES = (
    f"unnest({', '.join(f'%s::{kind}[]' for kind in _FIELDS.values())}) "
    f"WITH ORDINALITY AS e ({', '.join(_FIELDS)}, position)"
)

# The newest entry of a batch wins; an element keeps what it had where the entry does not say.
REGISTER = f"""
WITH said AS (
    SELECT * FROM {_ENTRIES}
), entries AS (
    SELECT DISTINCT ON (meter_number) * FROM said ORDER BY meter_number, position DESC
), stations AS (
    INSERT INTO substations AS s (name, region)
    SELECT DISTINCT ON (substation) substation, region FROM said WHERE substation IS NOT NULL
    ORDER BY substation, region IS NULL, position DESC
    ON CONFLICT (name) DO UPDATE SET region = coalesce(excluded.region, s.region)
    RETURNING substation_id, name
), lines AS (
    INSERT INTO feeders AS f (name, substation_id)
    SELECT DISTINCT ON (e.feeder) e.feeder, s.substation_id
    FROM said e LEFT JOIN stations s ON s.name = e.substation WHERE e.feeder IS NOT NULL
    ORDER BY e.feeder, e.substation IS NULL, e.position DESC
    ON CONFLICT (name) DO UPDATE SET substation_id = coalesce(excluded.substation_id, f.substation_id)
    RETURNING feeder_id, name
), ratings AS (
    SELECT DISTINCT ON (transformer) transformer, transformer_kva AS rating_kva
    FROM said WHERE transformer_kva IS NOT NULL ORDER BY transformer, position DESC
), boxes AS (
    INSERT INTO transformers AS t (name, feeder_id, rating_kva)
    SELECT DISTINCT ON (e.transformer) e.transformer, f.feeder_id, r.rating_kva
    FROM said e LEFT JOIN lines f ON f.name = e.feeder LEFT JOIN ratings r USING (transformer)
    WHERE e.transformer IS NOT NULL
    ORDER BY e.transformer, e.feeder IS NULL, e.position DESC
    ON CONFLICT (name) DO UPDATE SET feeder_id = coalesce(excluded.feeder_id, t.feeder_id),
        rating_kva = coalesce(excluded.rating_kva, t.rating_kva)
    RETURNING transformer_id
), zones AS (
    INSERT INTO region_zones (region, market, symbol)
    SELECT DISTINCT ON (region) region, split_part(zone, '/', 1), split_part(zone, '/', 2)
    FROM said WHERE region IS NOT NULL AND zone IS NOT NULL ORDER BY region, position DESC
    ON CONFLICT (region) DO UPDATE SET market = excluded.market, symbol = excluded.symbol
)
INSERT INTO smart_meters AS m (meter_number, status, supply_phase)
SELECT meter_number, status, phase FROM entries ORDER BY meter_number
ON CONFLICT (meter_number) DO UPDATE SET status = excluded.status,
    supply_phase = coalesce(excluded.supply_phase, m.supply_phase)
"""  # noqa: S608 - names are constants of this module

# A region whose clock changes makes every place be looked up again.
KEEP_CLOCKS = f"""
WITH news AS (
    INSERT INTO region_clocks AS c (region, timezone)
    SELECT DISTINCT ON (region) region, timezone FROM {_ENTRIES}
    WHERE region IS NOT NULL AND timezone IS NOT NULL ORDER BY region, position DESC
    ON CONFLICT (region) DO UPDATE SET timezone = excluded.timezone WHERE c.timezone <> excluded.timezone
    RETURNING region
)
INSERT INTO registry_changes (meter_id, valid_from, valid_to, was_at, transformer_id, customer_class)
SELECT 0, '-infinity', 'infinity', 0, 0, '{UNCLASSIFIED}' FROM news LIMIT 1
"""  # noqa: S608 - names are constants of this module

# No meter twice in one call. A place holds until the next one that is known; what is first known of a meter has held
# since ever, unless its entry says otherwise. Readings that were counted elsewhere are counted again.
MOVE = f"""
WITH said AS (
    SELECT m.meter_id, coalesce(t.transformer_id, 0) AS transformer_id,
           coalesce(e.customer_class, '{UNCLASSIFIED}') AS customer_class,
           coalesce(e.valid_from, CASE WHEN EXISTS (SELECT FROM meter_moves k WHERE k.meter_id = m.meter_id)
                                       THEN e.arrived_at ELSE '-infinity' END) AS valid_from
    FROM {_ENTRIES}
    JOIN smart_meters m USING (meter_number) LEFT JOIN transformers t ON t.name = e.transformer
), news AS (
    SELECT s.*, coalesce(b.transformer_id, 0) AS was_at, coalesce(b.customer_class, '{UNCLASSIFIED}') AS was_of,
           coalesce(a.valid_from, 'infinity') AS valid_to
    FROM said s
    LEFT JOIN LATERAL (SELECT * FROM meter_moves p WHERE p.meter_id = s.meter_id AND p.valid_from <= s.valid_from
                       ORDER BY p.valid_from DESC LIMIT 1) b ON true
    LEFT JOIN LATERAL (SELECT p.valid_from FROM meter_moves p WHERE p.meter_id = s.meter_id
                       AND p.valid_from > s.valid_from ORDER BY p.valid_from LIMIT 1) a ON true
    WHERE b.meter_id IS NULL OR (b.transformer_id, b.customer_class) <> (s.transformer_id, s.customer_class)
), kept AS (
    INSERT INTO meter_moves (meter_id, valid_from, transformer_id, customer_class)
    SELECT meter_id, valid_from, transformer_id, customer_class FROM news
    ON CONFLICT (meter_id, valid_from) DO UPDATE
    SET transformer_id = excluded.transformer_id, customer_class = excluded.customer_class
), logged AS (
    INSERT INTO registry_changes (meter_id, valid_from, valid_to, was_at, transformer_id, customer_class)
    SELECT meter_id, valid_from, valid_to, was_at, transformer_id, customer_class FROM news ORDER BY meter_id
)
INSERT INTO window_recounts (transformer_id, since, until)
SELECT element, min(r.first), max(r.last)
FROM news n
CROSS JOIN LATERAL (SELECT min(reading_time) AS first, max(reading_time) AS last FROM meter_readings r
                    WHERE r.meter_id = n.meter_id AND r.reading_time >= n.valid_from AND r.reading_time < n.valid_to) r
CROSS JOIN LATERAL (VALUES (n.was_at), (n.transformer_id)) AS t (element)
WHERE r.first IS NOT NULL AND (n.was_at, n.was_of) <> (n.transformer_id, n.customer_class)
GROUP BY element
"""  # noqa: S608 - names are constants of this module

# A place that is the one before it is no move.
FORGET_REPEATS = """
DELETE FROM meter_moves m USING (
    SELECT meter_id, valid_from, transformer_id, customer_class, lag(transformer_id) OVER w AS was_at,
           lag(customer_class) OVER w AS was_of
    FROM meter_moves WHERE meter_id IN (SELECT meter_id FROM smart_meters WHERE meter_number = ANY(%s))
    WINDOW w AS (PARTITION BY meter_id ORDER BY valid_from)
) p
WHERE (p.meter_id, p.valid_from) = (m.meter_id, m.valid_from)
  AND (p.was_at, p.was_of) = (p.transformer_id, p.customer_class)
"""
PLACE_NEWEST = f"""
UPDATE smart_meters m
SET transformer_id = nullif(p.transformer_id, 0), customer_class = nullif(p.customer_class, '{UNCLASSIFIED}')
FROM (
    SELECT DISTINCT ON (meter_id) meter_id, transformer_id, customer_class FROM meter_moves
    WHERE meter_id IN (SELECT meter_id FROM smart_meters WHERE meter_number = ANY(%s))
    ORDER BY meter_id, valid_from DESC
) p
WHERE p.meter_id = m.meter_id
  AND (m.transformer_id, m.customer_class)
      IS DISTINCT FROM (nullif(p.transformer_id, 0), nullif(p.customer_class, '{UNCLASSIFIED}'))
"""  # noqa: S608 - names are constants of this module


def entry_arrays(entries: Sequence[RegistryEntry], arrived_at: Sequence[datetime]) -> list[list[Any]]:
    """Return the parameters of REGISTER, KEEP_CLOCKS and MOVE."""
    names = [name for name in _FIELDS if name != "arrived_at"]
    return [*([getattr(entry, name) for entry in entries] for name in names), list(arrived_at)]
