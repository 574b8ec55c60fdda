"""What the store knows of the meters that it writes: the newest place and the newest reading of each.

Places change while the engine runs, and another worker may have written a meter's readings. So the book is only
believed inside a transaction that holds the registry still, once it has been told what has changed (`follow`).
"""

from dataclasses import dataclass

import numpy as np
import psycopg

from processors.first_of_meter import FOREVER_US, NONE_US
from schemas.layout import Ints, Mask
from schemas.windows import UNCLASSIFIED

#: Any number that nothing else locks: deliveries share it, who changes places has it alone.
PLACES_LOCK = 7_382_918
#: Bits of a group that number its class; the rest is its transformer.
_CLASS_BITS = 16

_HOLD = f"SELECT pg_advisory_xact_lock_shared({PLACES_LOCK})"
_NEWS = "SELECT version, meter_id FROM registry_changes WHERE version > %s ORDER BY version"
_NEWEST_VERSION = "SELECT coalesce(max(version), 0) FROM registry_changes"
_PLACE = f"""
SELECT coalesce(p.transformer_id, 0), coalesce(p.customer_class, '{UNCLASSIFIED}'), coalesce(z.timezone, 'UTC'),
       CASE WHEN p.valid_from > '-infinity'
            THEN (extract(epoch FROM p.valid_from) * 1000000)::bigint ELSE {NONE_US} END,
       coalesce((extract(epoch FROM n.valid_from) * 1000000)::bigint, {FOREVER_US})
FROM (
    SELECT position, meter_id,
           CASE WHEN at_us < {FOREVER_US} THEN 'epoch'::timestamptz + at_us * interval '1 microsecond'
                ELSE 'infinity' END AS at
    FROM unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY AS w (meter_id, at_us, position)
) k
LEFT JOIN LATERAL (
    SELECT * FROM meter_moves m WHERE m.meter_id = k.meter_id AND m.valid_from <= k.at
    ORDER BY m.valid_from DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT valid_from FROM meter_moves m WHERE m.meter_id = k.meter_id AND m.valid_from > k.at
    ORDER BY m.valid_from LIMIT 1
) n ON true
LEFT JOIN transformers t ON t.transformer_id = p.transformer_id
LEFT JOIN feeders f USING (feeder_id)
LEFT JOIN substations s USING (substation_id)
LEFT JOIN region_clocks z USING (region)
ORDER BY k.position
"""  # noqa: S608 - constants of this module
# Months before the time that is given are not looked at.
_NEWEST = f"""
SELECT coalesce((extract(epoch FROM r.reading_time) * 1000000)::bigint, {NONE_US})
FROM unnest(%s::bigint[]) WITH ORDINALITY AS k (meter_id, position)
LEFT JOIN LATERAL (
    SELECT reading_time FROM meter_readings m
    WHERE m.meter_id = k.meter_id AND m.reading_time >= 'epoch'::timestamptz + %s * interval '1 microsecond'
    ORDER BY reading_time DESC LIMIT 1
) r ON true
ORDER BY k.position
"""  # noqa: S608 - constants of this module


@dataclass(frozen=True)
class Places:
    """Where the meters of some readings stood when they measured.

    Attributes:
        group: int64[n], number of transformer and class together.
        zone: int64[n], position of the region's clock in `MeterBook.zones`.
        since_us, until_us: int64[n], when the meter was there [us].
    """

    group: Ints
    zone: Ints
    since_us: Ints
    until_us: Ints


class MeterBook:
    """A cache, sorted by meter.

    Attributes:
        classes: names of classes, by the number that groups have of them.
        zones: IANA names, by the number that places have of them.
    """

    def __init__(self) -> None:
        self.classes: list[str] = []
        self.zones: list[str] = []
        self._version: int | None = None
        self.forget()

    def forget(self) -> None:
        """Know nothing of any meter; to be called when a transaction has failed, or somebody else may have written."""
        self._meter = self._group = self._zone = self._since = self._newest = np.empty(0, dtype=np.int64)

    async def follow(self, connection: psycopg.AsyncConnection) -> None:
        """Hold the registry still until the transaction ends, and forget what has changed in it."""
        await connection.execute(_HOLD)
        if self._version is None:
            row = await (await connection.execute(_NEWEST_VERSION)).fetchone()
            self._version = row[0] if row else 0
            return
        changes = await (await connection.execute(_NEWS, (self._version,))).fetchall()
        if not changes:
            return
        self._version = changes[-1][0]
        # A change of meter 0 is one of everybody.
        moved = np.array([meter_id for _, meter_id in changes], dtype=np.int64)
        if (moved == 0).any():
            self.forget()
        else:
            self._keep(~np.isin(self._meter, moved))

    async def meet(self, connection: psycopg.AsyncConnection, meter_id: Ints, since_us: int) -> None:
        """Ask for meters that nothing is known of; to be called before readings of theirs are written.

        Args:
            connection: in the transaction that will write.
            meter_id: int64[n].
            since_us: what a meter has from before is as good as nothing [us].
        """
        at = np.searchsorted(self._meter, meter_id)
        missing = meter_id[(at == len(self._meter)) | (np.append(self._meter, 0)[at] != meter_id)]
        if len(missing):
            await self._learn(connection, np.unique(missing), since_us)

    async def places(self, connection: psycopg.AsyncConnection, meter_id: Ints, time_us: Ints) -> Places:
        """Return where meters that were met stood at some times; asks for times before their newest move."""
        at = np.searchsorted(self._meter, meter_id)
        found = Places(self._group[at], self._zone[at], self._since[at], np.full(len(at), FOREVER_US))
        before = np.flatnonzero(time_us < found.since_us)
        if len(before):
            then = await self._ask(connection, meter_id[before], time_us[before])
            for mine, theirs in zip(vars(found).values(), vars(then).values(), strict=True):
                mine[before] = theirs
        return found

    def newest(self, meter_id: Ints) -> Ints:
        """Return the newest reading of meters that were met [us], NONE_US without one; int64[n]."""
        return self._newest[np.searchsorted(self._meter, meter_id)]

    def advance(self, meter_id: Ints, time_us: Ints) -> None:
        """Take over readings that were written."""
        np.maximum.at(self._newest, np.searchsorted(self._meter, meter_id), time_us)

    def transformers(self, group: Ints) -> Ints:
        """Return the transformer of each group, int64[k], 0 for none."""
        return group >> _CLASS_BITS

    def class_names(self, group: Ints) -> list[str]:
        """Return the class of each group."""
        return [self.classes[code] for code in (group & ((1 << _CLASS_BITS) - 1)).tolist()]

    async def _learn(self, connection: psycopg.AsyncConnection, meter_id: Ints, since_us: int) -> None:
        last = await self._ask(connection, meter_id, np.full(len(meter_id), FOREVER_US))
        found = await (await connection.execute(_NEWEST, (meter_id, since_us))).fetchall()
        newest = np.array(found, dtype=np.int64)[:, 0]
        self._meter, self._group = np.concatenate((self._meter, meter_id)), np.concatenate((self._group, last.group))
        self._zone, self._since = np.concatenate((self._zone, last.zone)), np.concatenate((self._since, last.since_us))
        self._newest = np.concatenate((self._newest, newest))
        self._keep(np.argsort(self._meter))

    async def _ask(self, connection: psycopg.AsyncConnection, meter_id: Ints, time_us: Ints) -> Places:
        """Return the places of meters at these times, the last one of each for FOREVER_US."""
        rows = await (await connection.execute(_PLACE, (meter_id, time_us))).fetchall()
        group = [(row[0] << _CLASS_BITS) | _number(self.classes, row[1]) for row in rows]
        zone = [_number(self.zones, row[2]) for row in rows]
        numbers = np.array([row[3:] for row in rows], dtype=np.int64).reshape(-1, 2)
        return Places(np.array(group, dtype=np.int64), np.array(zone, dtype=np.int64), numbers[:, 0], numbers[:, 1])

    def _keep(self, which: Mask | Ints) -> None:
        self._meter, self._group, self._zone = self._meter[which], self._group[which], self._zone[which]
        self._since, self._newest = self._since[which], self._newest[which]


def _number(names: list[str], name: str) -> int:
    """Return the position of a name, a new one at the end."""
    if name not in names:
        names.append(name)
    return names.index(name)
