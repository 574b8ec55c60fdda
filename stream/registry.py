"""The registry of meters: from the database as entries, and entries to their topic."""

from collections.abc import Callable, Sequence

import psycopg
from psycopg.rows import dict_row

from schemas.registry import RegistryEntry
from schemas.topics import METERS_REGISTRY
from schemas.windows import UNCLASSIFIED
from stream.worker.producer import KafkaProducer, Outgoing, producer_settings

#: Entries that Kafka acknowledges together.
_AT_ONCE = 2_000
_ENTRIES = f"""
SELECT m.meter_number, t.name AS transformer, t.rating_kva AS transformer_kva, m.supply_phase AS phase,
       f.name AS feeder, s.name AS substation, s.region,
       z.market || '/' || z.symbol AS zone, c.timezone, nullif(p.customer_class, '{UNCLASSIFIED}') AS class, m.status,
       nullif(p.valid_from, '-infinity') AS valid_from
FROM meter_places p
JOIN smart_meters m USING (meter_id)
LEFT JOIN transformers t ON t.transformer_id = p.transformer_id
LEFT JOIN feeders f USING (feeder_id)
LEFT JOIN substations s USING (substation_id)
LEFT JOIN region_zones z USING (region)
LEFT JOIN region_clocks c USING (region)
WHERE %s OR p.valid_to = 'infinity'
ORDER BY m.meter_number, p.valid_from
"""  # noqa: S608 - a name of the engine


def stored_entries(connection: psycopg.Connection, *, history: bool) -> list[RegistryEntry]:
    """Return what the database knows of registered meters.

    Args:
        connection: to the database.
        history: every place of a meter, not only its newest.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        return [RegistryEntry.model_validate(row) for row in cursor.execute(_ENTRIES, (history,))]


async def publish(kafka_url: str, entries: Sequence[RegistryEntry], tell: Callable[[int], None]) -> None:
    """Write entries to `meters.registry` in their order, and say how many more Kafka has each time.

    Raises:
        ServiceUnavailable: Kafka did not take them; doing it again is safe.
    """
    producer = KafkaProducer(producer_settings(kafka_url))
    for start in range(0, len(entries), _AT_ONCE):
        part = entries[start : start + _AT_ONCE]
        await producer.send([Outgoing(METERS_REGISTRY.name, entry.meter_number, _json(entry)) for entry in part])
        tell(len(part))


def _json(entry: RegistryEntry) -> bytes:
    return entry.model_dump_json(by_alias=True, exclude_none=True).encode()
