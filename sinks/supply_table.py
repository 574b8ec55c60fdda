"""Gaps in the supply of meters, written in the transaction of the readings that show them."""

import numpy as np
import psycopg

from schemas.delivery import Delivery, Rows
from schemas.layout import Mask
from schemas.supply import CAUSES, SupplyChanges

# What is told of a meter takes the place of its open gap; a repeat takes its own place.
_FORGET = """
DELETE FROM supply_gaps g
USING unnest(%(meters)s::text[], %(lit)s::bigint[]) AS n (meter_number, lit_s)
JOIN smart_meters m USING (meter_number)
WHERE g.meter_id = m.meter_id AND (g.back_at IS NULL OR g.lit_at = to_timestamp(n.lit_s))
"""
_ADD = """
INSERT INTO supply_gaps (meter_id, lit_at, dark_at, back_at, interval_s, cause, back_told)
SELECT m.meter_id, to_timestamp(n.lit_s), to_timestamp(nullif(n.dark_s, 0)), to_timestamp(nullif(n.back_s, 0)),
       n.interval_s, n.cause, n.back_told
FROM unnest(%(meters)s::text[], %(lit)s::bigint[], %(dark)s::bigint[], %(back)s::bigint[], %(interval)s::int[],
            %(cause)s::text[], %(told)s::boolean[])
    AS n (meter_number, lit_s, dark_s, back_s, interval_s, cause, back_told)
JOIN smart_meters m USING (meter_number)
WHERE n.lit_s > 0
"""
_RESTATE = "SELECT restate_supply(%s::bigint[], %s::timestamptz[])"


async def write_supply(connection: psycopg.AsyncConnection, delivery: Delivery[Rows], fresh: Mask) -> None:
    """Write what a delivery says of supply, in its transaction, after its rows.

    Args:
        connection: in that transaction.
        delivery: its changes are written; readings that came late may cut gaps that are over.
        fresh: bool[n], rows that were new.
    """
    if len(delivery.supply):
        asked = _parameters(delivery.supply)
        await connection.execute(_FORGET, asked)
        await connection.execute(_ADD, asked)
    late = np.flatnonzero(fresh & ~delivery.rows.newest)
    if len(late):
        times = delivery.rows.batch.column("reading_time").take(late).to_pylist()
        await connection.execute(_RESTATE, (delivery.rows.meter_id[late].tolist(), times))


def _parameters(changes: SupplyChanges) -> dict[str, list[object]]:
    return {
        "meters": changes.meter_number.tolist(),
        "lit": changes.lit_s.tolist(),
        "dark": changes.dark_s.tolist(),
        "back": changes.back_s.tolist(),
        "interval": changes.interval_s.tolist(),
        "cause": [str(CAUSES[code]) for code in changes.cause.tolist()],
        "told": changes.back_told.tolist(),
    }
