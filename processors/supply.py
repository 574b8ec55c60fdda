"""Supply: which meters of a partition are without power, by their own word or by their silence.

A meter is lit by every message but two: a last gasp, and a reading whose voltage is hardly any (an interruption, below
a tenth of the nominal voltage; IEEE 1159-2019, table 2). A gap is what lies between two lit messages when the meter
said itself that its power was gone or had come back, or when two and more of its readings are missing between them.
While nothing has come a meter counts as silent once its partition has moved on for nearly two of its intervals: by the
newest event time of the other meters, never by the clock, so that a feed that stands still darkens nobody. One that
uploads several readings at once is given nearly two of its uploads, by when they arrived.

What is remembered is a function of what came and of the watermark, so neither batches nor restarts show. Times are
whole seconds.
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from processors.rounds import rounds
from processors.state import MeterState
from processors.validate import FAILURES
from schemas.delivery import NO_WATERMARK_US
from schemas.layout import Ints, Mask, Positions
from schemas.readings import ReadingBatch
from schemas.rejected import Reason
from schemas.supply import GASPED, LAST_GASP, POWER_UP, POWERED_UP, SILENCE, ZERO_VOLTAGE, SupplyChanges

Codes = npt.NDArray[np.int8]

#: A tenth of 230 V [V]: what is left below it is an interruption.
DARK_BELOW_V = 23.0
#: A meter is silent from so many of its intervals on; a little less than two, since clocks are not exact.
_SILENT_AFTER = 1.9
#: A gap without a word of the meter counts from so many intervals on: one lost reading is two intervals, and no gap.
_KEPT_AFTER = 2.25
#: The watermark is looked at by the minute [s].
_TICK_S = 60
#: How far an interval follows one distance between readings at most.
_FOLLOWS = 8
#: A meter uploads in bulk when its uploads are so many of its intervals apart; readings that arrive within half of an
#: interval are one upload.
_BULK, _ONE_UPLOAD = 2, 0.5

#: How `validate` refuses what has hardly any voltage.
_OUT_OF_RANGE = 1 + [reason for reason, _ in FAILURES].index(Reason.VOLTAGE_OUT_OF_RANGE)
#: What a column of two bytes holds [s].
_LONGEST_S = 65_535
#: `supply_off` of a meter with power, and of one that is silent; otherwise the code of what it said itself.
_ON, _SILENT = 0, 1


@dataclass(frozen=True)
class Signs:
    """What readings say of their meters' power, one value per reading, in the order of their partition.

    Attributes:
        row: intp[n], state row of the meter.
        time_s: int64[n], event time [s].
        said: int8[n], GASPED or ZERO_VOLTAGE without power, POWERED_UP where it has just come back, else SILENCE.
        arrived_s: int64[n], arrival [s].
        mark_us: int64[n], the partition's watermark once the reading has come [us].
        offset: int64[n], Kafka offset.
    """

    row: Positions
    time_s: Ints
    said: Codes
    arrived_s: Ints
    mark_us: Ints
    offset: Ints

    def where(self, mask: Mask) -> "Signs":
        """Return the signs where the mask is true."""
        return Signs(*(getattr(self, field.name)[mask] for field in fields(self)))


def signs_of(
    batch: ReadingBatch, refused: Codes, arrived_us: Ints, offset: Ints, rows: Positions, state: MeterState
) -> Signs:
    """Return what readings say of their meters' power: those that are valid, and those refused for want of voltage.

    Args:
        batch: n readings.
        refused: int8[n], 0 where a reading is valid; see `processors.validate`.
        arrived_us: int64[n], arrival [us].
        offset: int64[n], Kafka offset.
        rows: intp[v], state row of each valid reading's meter.
        state: the partition's state; refused readings of meters that it does not know say nothing.

    Returns: signs of at most n readings; a refused one moves no watermark.
    """
    row, said = np.full(len(batch), -1, dtype=np.intp), words_of(batch)
    row[refused == 0] = rows
    counted_us = np.where(refused == 0, np.minimum(batch.time_us, arrived_us), NO_WATERMARK_US)
    no_voltage = np.flatnonzero((said == ZERO_VOLTAGE) & (refused == _OUT_OF_RANGE))
    if len(no_voltage):
        names = batch.meter_number.take(no_voltage).to_pylist()
        row[no_voltage] = [-1 if (found := state.row(name)) is None else found for name in names]
    mark_us = np.maximum.accumulate(counted_us)
    signs = Signs(row, batch.time_us // 1_000_000, said, arrived_us // 1_000_000, mark_us, offset)
    return signs if (row >= 0).all() else signs.where(row >= 0)


def words_of(batch: ReadingBatch) -> Codes:
    """Return what each reading says of its meter's power, int8[n]; see `Signs.said`."""
    found = np.full(len(batch), SILENCE, dtype=np.int8)
    found[_dark(batch)] = ZERO_VOLTAGE
    said = batch.column("source_quality")
    if said.null_count < len(said):
        for word, code in ((LAST_GASP, GASPED), (POWER_UP, POWERED_UP)):
            found[pc.fill_null(pc.equal(said, word), False).to_numpy(zero_copy_only=False)] = code
    return found


def _dark(batch: ReadingBatch) -> Mask:
    """Say which readings show hardly any voltage on any phase, bool[n]; one without a voltage shows nothing."""
    volts = batch.floats("voltage")
    found = np.asarray((volts >= 0.0) & (volts < DARK_BELOW_V))
    if found.any():
        for phase in ("voltage_l2", "voltage_l3"):
            found &= ~(batch.floats(phase) >= DARK_BELOW_V)
    return found


class SupplyWatch:
    """Follows the power of a partition's meters.

    Args:
        state: the partition's state; changed in place.
    """

    def __init__(self, state: MeterState) -> None:
        self._state = state
        self._mark_us = NO_WATERMARK_US
        self._settled = False

    def resume(self, mark_us: int) -> None:
        """Go on where the database stands.

        What is taken again after a restart is taken under this watermark already: once it has been, the state is the
        one that the database was written with.
        """
        self._mark_us, self._settled = mark_us, False

    def take(self, signs: Signs, skip: Mask | None = None) -> SupplyChanges:
        """Take readings into account, and say whose power has gone or come back by them.

        Args:
            signs: n readings, their watermarks as if none had come before them.
            skip: bool[n], readings that the state has already seen (replay after a crash).
        """
        state, before_us = self._state, self._mark_us
        if not self._settled:
            _settle(state, np.arange(state.extent), tick_of(before_us))
            self._settled = True
        if not len(signs.row):
            return SupplyChanges.none()
        marks = np.maximum(signs.mark_us, before_us)
        self._mark_us, tick = int(marks[-1]), tick_of(marks[-1])
        # Only with the next minute can anybody have become silent who has not just spoken.
        rows = np.arange(state.extent) if tick > tick_of(before_us) else np.unique(signs.row)
        off = state.supply_off[rows]
        made = [_round(state, signs, marks, turn) for turn in _turns(signs.row, skip)]
        _settle(state, rows, tick)
        made.append(_open(state, rows, off, made, int(signs.offset[-1])))
        return _told(state, made)


@dataclass(frozen=True)
class _Made:
    """Changes with the state row of each meter instead of its name; as in `SupplyChanges` otherwise."""

    row: Positions
    offset: Ints
    lit_s: Ints
    dark_s: Ints
    back_s: Ints
    interval_s: Ints
    cause: Codes
    back_told: Mask


def tick_of(mark_us: Ints | int) -> Ints:
    """Return the last whole minute of watermarks [s]; before any reading, a time before any."""
    return np.asarray(np.asarray(mark_us, dtype=np.int64) // (_TICK_S * 1_000_000) * _TICK_S)


def _turns(row: Positions, skip: Mask | None) -> list[Positions]:
    turns = rounds(row)
    return turns if skip is None else [kept for turn in turns if len(kept := turn[~skip[turn]])]


def _round(state: MeterState, signs: Signs, mark_us: Ints, at: Positions) -> _Made:
    """Take at most one reading per meter; return gaps that end with it, and whose open gap is not what it was."""
    row, time_s, said = signs.row[at], signs.time_s[at], signs.said[at]
    lit_s, dark_s = state.supply_lit_s[row].astype(np.int64), state.supply_dark_s[row].astype(np.int64)
    interval_s, off = state.supply_interval_s[row].astype(np.int64), state.supply_off[row]
    known, told, gap_s = lit_s > 0, dark_s > 0, time_s - lit_s
    is_dark, newer = said >= ZERO_VOLTAGE, time_s > np.maximum(lit_s, dark_s)
    lit, gone = ~is_dark & newer, is_dark & newer & known & ~told
    long = (interval_s > 0) & (gap_s > _KEPT_AFTER * interval_s)
    ends = lit & known & (told | long | (said == POWERED_UP))
    # It comes later than its meter's word that power is gone, and is from before.
    belated = ~is_dark & told & (time_s > lit_s) & (time_s < dark_s)
    learns = lit & known & ~told & (said == SILENCE)
    _hear(state, row[lit], signs.arrived_s[at[lit]], (learns & ~long)[lit])
    state.supply_lit_s[row] = np.where(lit | belated, time_s, lit_s)
    state.supply_dark_s[row] = np.where(gone, time_s, np.where(lit, 0, dark_s))
    state.supply_interval_s[row] = np.where(learns, _follow(interval_s, gap_s), interval_s)
    state.supply_off[row] = np.where(gone, said, np.where(lit, _ON, off))
    _settle(state, row[lit], tick_of(mark_us[at[lit]]))
    changed = np.flatnonzero(gone | ends | belated | (lit & (off == _SILENT)))
    ended = ends[changed]
    cause = np.where(told, off, np.where(said == POWERED_UP, POWERED_UP, SILENCE))
    return _Made(
        row[changed],
        signs.offset[at[changed]],
        np.where(ended, lit_s[changed], 0),
        np.where(ended, dark_s[changed], 0),
        np.where(ended, time_s[changed], 0),
        interval_s[changed],
        cause[changed].astype(np.int8),
        ended & (said[changed] == POWERED_UP),
    )


def _follow(interval_s: Ints, gap_s: Ints) -> Ints:
    """Let intervals follow the distance to the newest reading, an eighth at a time; the first one is believed."""
    step = np.maximum(interval_s // _FOLLOWS, 1)
    near = np.clip(gap_s, interval_s - step, interval_s + step)
    return np.where(interval_s == 0, np.minimum(gap_s, _LONGEST_S), np.minimum(near, _LONGEST_S))


def _hear(state: MeterState, row: Positions, arrived_s: Ints, learns: Mask) -> None:
    """Note when meters with power were heard, and let their rhythm follow: twice as far at once, an eighth less."""
    apart_s = arrived_s - state.supply_heard_s[row]
    rhythm_s, heard = state.supply_rhythm_s[row].astype(np.int64), state.supply_heard_s[row] > 0
    interval_s = state.supply_interval_s[row]
    learns = learns & heard & (interval_s > 0) & (apart_s > _ONE_UPLOAD * interval_s)
    near_s = np.clip(apart_s, rhythm_s - rhythm_s // _FOLLOWS, 2 * rhythm_s)
    state.supply_rhythm_s[row] = np.where(learns, np.where(rhythm_s == 0, apart_s, near_s), rhythm_s)
    state.supply_heard_s[row] = arrived_s


def _settle(state: MeterState, rows: Positions, tick_s: Ints) -> None:
    """Note which of some meters are silent at times [s], and which are not; those that said so themselves stay."""
    lit_s, interval_s = state.supply_lit_s[rows].astype(np.int64), state.supply_interval_s[rows].astype(np.int64)
    rhythm_s = state.supply_rhythm_s[rows]
    usual_s = np.where(rhythm_s >= _BULK * interval_s, rhythm_s, interval_s)
    silent = (lit_s > 0) & (interval_s > 0) & (tick_s - lit_s >= _SILENT_AFTER * usual_s)
    state.supply_off[rows] = np.where(state.supply_dark_s[rows] > 0, state.supply_off[rows], silent * _SILENT)


def _open(state: MeterState, rows: Positions, before: npt.NDArray[np.uint8], made: list[_Made], offset: int) -> _Made:
    """Return the gaps that are open now and were not before, or not as they are.

    Args:
        state: as it is now.
        rows: intp[m], rising, of all meters that may have one.
        before: uint8[m], their `supply_off` as it was.
        made: what has changed meanwhile.
        offset: of the newest reading: what is silent is so by it.
    """
    off = state.supply_off[rows]
    changed_at = np.full(len(off), -1, dtype=np.int64)
    for part in made:
        changed_at[np.searchsorted(rows, part.row)] = part.offset
    found = np.flatnonzero((off != _ON) & ((off != before) | (changed_at >= 0)))
    rows, off, changed_at = rows[found], off[found], changed_at[found]
    silent = off == _SILENT
    return _Made(
        rows,
        np.where(silent, offset, changed_at),
        state.supply_lit_s[rows].astype(np.int64),
        state.supply_dark_s[rows].astype(np.int64),
        np.zeros(len(rows), dtype=np.int64),
        state.supply_interval_s[rows].astype(np.int64),
        np.where(silent, SILENCE, off).astype(np.int8),
        np.zeros(len(rows), dtype=bool),
    )


def _told(state: MeterState, made: list[_Made]) -> SupplyChanges:
    columns = [np.concatenate([getattr(part, field.name) for part in made]) for field in fields(_Made)]
    names = np.array(state.names_at(columns[0]), dtype=object)
    return SupplyChanges(names, *columns[1:])
