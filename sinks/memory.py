"""Sinks in memory with scripted failures: the test doubles, with the guarantees of the real ones."""

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import numpy as np

from processors.first_of_meter import FOREVER_US, NONE_US, frames_of
from processors.windows import Windowing, summarise
from schemas.alerts import Alert
from schemas.delivery import CONFLICT, NO_WATERMARK_US, Delivery, Position, Rows, Stored, StoredRows
from schemas.errors import MeterstreamError, OffsetConflict, RowsRefused
from schemas.explanation import Explanation
from schemas.layout import Ints, Mask
from schemas.meter_class import Codes, class_codes, status_codes
from schemas.registry import RegistryEntry
from schemas.rejected import Rejected
from schemas.supply import SupplyChanges
from schemas.windows import EN_50160, UNCLASSIFIED, WINDOW_LENGTHS_S
from sinks.sink import BeforeCommit

#: Columns of a window that do not add up, and how they combine.
_EXTREMES = {"voltage_min": min, "voltage_max": max}
_KEY = ("group_id", "window_s", "start_us")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class AfterCommit:
    """A write that takes effect, and whose answer is lost on its way.

    Attributes:
        error: what its caller sees instead.
    """

    error: MeterstreamError


class MemoryStore:
    """A store that keeps everything in dictionaries.

    Args:
        failures: for each coming write, None to let it through, the error to raise instead, or `AfterCommit`.
        lateness_s: a window closes this long after its end [s].

    Attributes:
        readings: (meter number, time [us]) -> the row as a dictionary.
        said: the same -> code of its flag, failed rules, warned rules.
        why: the same -> its explanation, of readings worth watching.
        windows: (transformer, class, length [s], start [us]) -> totals, and extremes or None, as a dictionary.
        gaps: (meter number, newest reading with power [s]) -> first sign that it is gone and return [s] (0: none),
            interval [s], code of the cause. Late readings cut none of them.
        rejected: reject id -> what was rejected.
        alerts: ids of alerts.
        positions: (topic, topic id, partition) -> where it stands.
        accounts: the same -> what became of its readings.
        sources: the same -> from which offsets on records come from which source.
        refuses: meter numbers whose rows it will never take.
    """

    def __init__(
        self, failures: Iterable[MeterstreamError | AfterCommit | None] = (), *, lateness_s: float = 60.0
    ) -> None:
        self.readings: dict[tuple[str, int], dict[str, object]] = {}
        self.said: dict[tuple[str, int], tuple[int, int, int]] = {}
        self.why: dict[tuple[str, int], Explanation] = {}
        self.gaps: dict[tuple[str, int], tuple[int, ...]] = {}
        self.rejected: dict[str, Rejected] = {}
        self.alerts: set[str] = set()
        self.positions: dict[tuple[str, str, int], Position] = {}
        self.windows: dict[tuple[int, str, int, int], dict[str, Any]] = {}
        self.accounts: dict[tuple[str, str, int], Counter[str]] = defaultdict(Counter)
        self.sources: dict[tuple[str, str, int], list[tuple[int, str]]] = defaultdict(list)
        self.refuses: set[str] = set()
        self._windowing = Windowing(WINDOW_LENGTHS_S, lateness_s, EN_50160)
        self._meters: dict[str, int] = {}
        self._transformers: dict[str, int] = {}
        self._transformer_of: dict[str, int] = {}
        self._moves: dict[str, dict[int, tuple[int, str]]] = defaultdict(dict)
        self._counted: set[tuple[str, int, int]] = set()
        self._entries: dict[str, RegistryEntry] = {}
        self._failures: Iterator[MeterstreamError | AfterCommit | None] = iter(failures)

    async def open(self) -> None:
        """Do nothing: memory is always there."""

    async def close(self) -> None:
        """Do nothing: what was stored can still be looked at."""

    async def position(self, topic: str, topic_id: str, partition: int, first_offset: int) -> Position:
        """Return where a partition stands; one never seen starts at `first_offset`."""
        return self.positions.setdefault((topic, topic_id, partition), Position(first_offset, NO_WATERMARK_US))

    async def resolve(self, keys: Sequence[str]) -> tuple[Ints, Ints]:
        """Number meters from 1 in the order of their coming."""
        ids = [self._meters.setdefault(name, len(self._meters) + 1) for name in keys]
        groups = [self._transformer_of.get(name, 0) for name in keys]
        return np.array(ids, dtype=np.int64), np.array(groups, dtype=np.int64)

    async def standing(self, meter_numbers: Sequence[str]) -> tuple[Codes, Codes]:
        """Return what the entries of the registry say."""
        entries = [self._entries.get(name) for name in meter_numbers]
        return (
            class_codes([entry.customer_class if entry else None for entry in entries]),
            status_codes([entry.status if entry else "unregistered" for entry in entries]),
        )

    async def register(self, entries: Sequence[RegistryEntry], arrived_at: Sequence[datetime] = ()) -> None:
        """Take over where meters stand in the grid; transformers are numbered from 1 in the order of their coming.

        What is stored already is not counted again.
        """
        arrived = arrived_at or [datetime.now(UTC)] * len(entries)
        for entry, came in zip(entries, arrived, strict=True):
            number = 0
            if entry.transformer is not None:
                number = self._transformers.setdefault(entry.transformer, len(self._transformers) + 1)
            moves = self._moves[entry.meter_number]
            since = entry.valid_from or (came if moves else None)
            since_us = NONE_US if since is None else round((since - _EPOCH).total_seconds() * 1e6)
            moves[since_us] = number, entry.customer_class or UNCLASSIFIED
            self._transformer_of[entry.meter_number] = moves[max(moves)][0]
            self._entries[entry.meter_number] = entry

    async def keep_rejected(self, rejected: Sequence[Rejected]) -> None:
        """Keep what was rejected; one that is there already stays as it is."""
        for item in rejected:
            self.rejected.setdefault(item.reject_id, item)

    async def keep_alerts(self, alerts: Sequence[Alert]) -> None:
        """Keep the ids of alerts."""
        self.alerts.update(alert.alert_id for alert in alerts)

    async def write(self, delivery: Delivery[Rows], before_commit: BeforeCommit) -> Stored:
        """Store a delivery, or raise the next scripted failure; see `Store.write`."""
        failure = next(self._failures, None)
        if isinstance(failure, MeterstreamError):
            raise failure
        for step in delivery.progress:
            position = self.positions.get((delivery.topic, delivery.topic_id, step.partition))
            stands = position.next_offset if position else -1
            if stands != step.expected:
                raise OffsetConflict(delivery.topic, step.partition, step.expected, stands)
        names = delivery.rows.batch.meter_number.to_pylist()
        refused = [k for k, name in enumerate(names) if name in self.refuses]
        if refused:
            raise RowsRefused(refused, "scripted")
        stored, readings = self._add(delivery)
        await before_commit(stored)
        # Another delivery may have been stored meanwhile.
        self.readings = readings | self.readings
        self._note(delivery.rows.where(stored.fresh))
        self._add_windows(delivery.rows, stored)
        self._add_supply(delivery.supply)
        self.alerts.update(alert.alert_id for alert in delivery.alerts)
        for step in delivery.progress:
            key = (delivery.topic, delivery.topic_id, step.partition)
            self.positions[key] = step.after
            self.sources[key] += step.sources
            self.accounts[key].update(stored.account(delivery.rows, step))
        if failure is not None:
            raise failure.error
        return stored

    def _add_supply(self, changes: SupplyChanges) -> None:
        """Let what is told of each meter take the place of its open gap."""
        told = set(changes.meter_number.tolist())
        self.gaps = {key: gap for key, gap in self.gaps.items() if gap[1] or key[0] not in told}
        columns = (getattr(changes, name).tolist() for name in ("lit_s", "dark_s", "back_s", "interval_s", "cause"))
        for name, lit_s, *gap in zip(changes.meter_number.tolist(), *columns, strict=True):
            if lit_s:
                self.gaps[name, lit_s] = tuple(gap)

    def _add(self, delivery: Delivery[Rows]) -> tuple[Stored, dict[tuple[str, int], dict[str, object]]]:
        """Return the verdict on each row, and the readings with those added that are new."""
        batch, readings = delivery.rows.batch, dict(self.readings)
        fresh, conflicting = np.zeros(len(batch), dtype=bool), np.zeros(len(batch), dtype=bool)
        keys = zip(batch.meter_number.to_pylist(), batch.time_us.tolist(), strict=True)
        for position, (key, row) in enumerate(zip(keys, batch.records.to_pylist(), strict=True)):
            fresh[position] = key not in readings
            conflicting[position] = readings.setdefault(key, row) != row
        return Stored(fresh, conflicting, delivery.rows.as_rejected(delivery.topic, conflicting, *CONFLICT)), readings

    def _note(self, rows: Rows) -> None:
        keys = zip(rows.names.to_pylist(), rows.batch.time_us.tolist(), strict=True)
        said = zip(rows.flag.tolist(), rows.failed.tolist(), rows.warned.tolist(), strict=True)
        self.said |= dict(zip(keys, said, strict=True))
        worth_watching = rows.where(rows.why.astype(bool))
        keys = zip(worth_watching.names.to_pylist(), worth_watching.batch.time_us.tolist(), strict=True)
        self.why |= dict(zip(keys, worth_watching.why.tolist(), strict=True))

    def _add_windows(self, rows: Rows, stored: Stored) -> None:
        rows = rows.where(stored.fresh)
        if not len(rows):
            return
        names, times = rows.names.to_pylist(), rows.batch.time_us.tolist()
        spans = [self._place(name, time_us) for name, time_us in zip(names, times, strict=True)]
        places = sorted({place for place, _, _ in spans})
        group = np.array([places.index(place) for place, _, _ in spans], dtype=np.int64)
        since, until = (np.array([span[k] for span in spans], dtype=np.int64) for k in (1, 2))
        frames = frames_of(rows.batch.time_us, np.zeros_like(group), ["UTC"], since, until)
        first = {length: self._firsts(names, length, start) for length, (start, _) in frames.items()}
        found = summarise(rows.batch, rows.flag, group, first, rows.mark_us, self._windowing)
        columns = {field.name: getattr(found, field.name).tolist() for field in fields(found)}
        for row in range(len(found)):
            values = {name: column[row] for name, column in columns.items()}
            number, *key = (values.pop(name) for name in _KEY)
            _merge(self.windows.setdefault((*places[number], *key), {}), values)

    def _place(self, name: str, time_us: int) -> tuple[tuple[int, str], int, int]:
        """Return transformer and class of a meter at a time, and the span [us] of that."""
        moves = {NONE_US: (0, UNCLASSIFIED)} | self._moves[name]
        begins = sorted(moves)
        at = bisect_right(begins, time_us) - 1
        return moves[begins[at]], begins[at], [*begins, FOREVER_US][at + 1]

    def _firsts(self, names: list[str], length: int, start_us: Ints) -> Mask:
        found = np.zeros(len(names), dtype=bool)
        for position, key in enumerate(zip(names, [length] * len(names), start_us.tolist(), strict=True)):
            found[position] = key not in self._counted
            self._counted.add(key)
        return found


def _merge(total: dict[str, Any], values: dict[str, Any]) -> None:
    """Add what a delivery adds to a window."""
    peak, at = values.pop("demand_peak_kw"), values.pop("demand_peak_us")
    known, known_at = total.get("demand_peak_kw"), total.get("demand_peak_us")
    if not math.isnan(peak) and (known is None or peak > known or (peak == known and at < known_at)):
        known, known_at = peak, at
    total |= {"demand_peak_kw": known, "demand_peak_us": known_at}
    for name, value in values.items():
        if name not in _EXTREMES:
            total[name] = total.get(name, 0) + value
        elif not math.isnan(value):
            total[name] = value if total.get(name) is None else _EXTREMES[name](total[name], value)
        else:
            total.setdefault(name, None)


class MemoryLatest:
    """Latest values in a dictionary.

    Args:
        failures: for each coming write, None to let it through or the error to raise instead.

    Attributes:
        values: name of what a row is of -> time of its newest [us].
    """

    def __init__(self, failures: Iterable[MeterstreamError | None] = ()) -> None:
        self.values: dict[str, int] = {}
        self._failures: Iterator[MeterstreamError | None] = iter(failures)

    async def open(self) -> None:
        """Do nothing: memory is always there."""

    async def close(self) -> None:
        """Do nothing."""

    async def write(self, rows: StoredRows[Any]) -> int:
        """Keep the newest row of each key, or raise the next scripted failure; see `Latest.write`."""
        failure = next(self._failures, None)
        if failure is not None:
            raise failure
        replaced = 0
        moved = rows.where(rows.newest) if rows.newest.any() else None
        for name, time_us in (
            [] if moved is None else zip(moved.names.to_pylist(), moved.batch.time_us.tolist(), strict=True)
        ):
            if self.values.get(name, time_us) <= time_us:
                self.values[name] = time_us
                replaced += 1
        return replaced
