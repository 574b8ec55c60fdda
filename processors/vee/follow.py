"""Each reading beside its meter's past, and the memory moved on: whole columns, a day of each meter at a time."""

import numpy as np
import numpy.typing as npt

from processors.rounds import rounds
from processors.state import NEVER_US, MeterState
from processors.vee.calendar import HOUR_US, Calendar
from processors.vee.days import Columns, close, mean_day
from processors.vee.facts import Past
from processors.vee.memory import MEMORY
from processors.vee.segments import Segments
from schemas.layout import Floats, Ints, Mask, Positions
from schemas.readings import ReadingBatch
from schemas.windows import UWH_PER_KWH

#: Two gaps are the same interval within this share of it.
_SAME_GAP = 0.1
#: A meter is on the grid of its interval within this many seconds.
_ON_GRID_S = 5.0
#: Energy stands still where it moves by no more than this [kWh]: noise near zero is still flat.
_FLAT_KWH = 1e-4
#: Voltage stands still where it moves by no more than this [V].
_STILL_V = 0.01
#: A register that changes by this many times, within this share, has changed its unit.
_SLIPS = (10.0, 100.0, 1_000.0)
_SLIP_SHARE = 0.01
#: A register below this [kWh] is too young to tell a change of unit by.
_SLIP_LEAST_KWH = 10.0
#: After a gap of more than this many usual intervals one is missing.
_MISSED = 1.5
#: Energy in the memory is whole micro-watt-hours; what is above is no energy of one interval.
_MOST_KWH = 1e6


def in_order(rows: Positions, time_us: Ints, state: MeterState, skip: Mask | None) -> Mask:
    """Say which readings are newer than every earlier one of their meter.

    Args:
        rows: intp[n], state row of each reading's meter.
        time_us: int64[n], reading time [us].
        state: of the partition.
        skip: bool[n], readings that the state has already seen; they are not in order.
    """
    newer = time_us > state.last_time_us[rows]
    if skip is not None:
        newer &= ~skip
    at = np.flatnonzero(newer)
    order = at[np.argsort(rows[at], kind="stable")]
    row, time = rows[order], time_us[order]
    if ((np.diff(time) <= 0) & (np.diff(row) == 0)).any():
        known, rank = np.unique(time, return_inverse=True)
        key = row * len(known) + rank
        before = np.maximum.accumulate(key)
        newer[order[1:]] = (row[1:] != row[:-1]) | (key[1:] > before[:-1])
    return newer


def follow(
    batch: ReadingBatch,
    rows: Positions,
    state: MeterState,
    ordered: Mask,
    device: npt.NDArray[np.uint32],
    estimated: Mask,
    calendar: Calendar,
) -> Past:
    """Describe the past of each reading that is in order, and let the memory learn from it.

    Args:
        batch: n readings in the order of their partition.
        rows: intp[n], state row of each reading's meter.
        state: of the partition; its memory is changed in place.
        ordered: bool[n], readings to follow.
        device: uint32[n], murmur2 of the device's number, 0 without one.
        estimated: bool[n], the source calls it estimated.
        calendar: the clock on the wall.

    Returns: the past of each; it does not depend on how the stream was cut into batches.
    """
    past = Past.unknown(len(batch))
    at = np.flatnonzero(ordered)
    at = at[np.argsort(rows[at], kind="stable")]
    day = calendar.day(batch.time_us)
    # A group is what a meter sends within one of its days; the k-th groups of all meters are followed together.
    key = rows[at] * np.int64(1 << 32) + day[at]
    groups = Segments(key)
    if not len(at):
        return past
    newest_us = state.last_time_us[: state.extent].copy()
    for turn in rounds(rows[at[groups.start]]):
        mine = np.zeros(len(groups.start), dtype=bool)
        mine[turn] = True
        chosen = at[mine[groups.of]]
        _group(batch, rows, state, chosen, day, device, estimated, calendar, newest_us, past)
    return past


def _group(
    batch: ReadingBatch,
    rows: Positions,
    state: MeterState,
    at: Positions,
    day: Ints,
    device: npt.NDArray[np.uint32],
    estimated: Mask,
    calendar: Calendar,
    newest_us: Ints,
    past: Past,
) -> None:
    """Follow readings of at most one day of each meter."""
    runs = Segments(rows[at])
    row = rows[at[runs.start]]
    memory: Columns = {name: getattr(state, name)[row] for name in MEMORY}
    ended = close(memory, day[at[runs.start]], calendar)
    for name in ended._fields:
        getattr(past, name)[at[runs.start]] = getattr(ended, name)
    time_us = batch.time_us[at]
    before_us = runs.previous(time_us, newest_us[row])
    seen = before_us != NEVER_US
    gap_us = np.where(seen, time_us - np.where(seen, before_us, time_us), 0)
    newest_us[row] = time_us[runs.last]
    hour = calendar.local_us(time_us - 1) // HOUR_US % 24
    _note_times(past, memory, runs, at, time_us, gap_us, seen, hour)
    energy = batch.floats("consumption_kwh")[at]
    _note_registers(past, memory, runs, at, energy, batch.floats("register_kwh")[at])
    _note_energy(past, memory, runs, at, energy, gap_us, hour)
    _note_lasting(past, memory, runs, at, batch.floats("voltage")[at], estimated[at], gap_us)
    known = device[at]
    past.device[at] = runs.previous(runs.newest(known, known > 0, memory["vee_device"]), memory["vee_device"])
    memory["vee_device"] = runs.newest(known, known > 0, memory["vee_device"])[runs.last]
    for name, column in memory.items():
        getattr(state, name)[row] = column


def _note_times(
    past: Past,
    memory: Columns,
    runs: Segments,
    at: Positions,
    time_us: Ints,
    gap_us: Ints,
    seen: Mask,
    hour: Ints,
) -> None:
    gap = (gap_us / 1e6).astype(np.float32)
    before = runs.previous(gap, memory["vee_gap_s"])
    twice = (gap > 0) & (np.abs(gap - before) <= _SAME_GAP * before)
    usual = runs.newest(gap, twice, memory["vee_usual_s"])
    past.usual_s[at] = runs.previous(usual, memory["vee_usual_s"])
    past.gap_s[at] = np.where(seen, gap_us / 1e6, np.nan)
    past.grid_share[at] = memory["vee_grid_share"][runs.of]
    past.zero_days[at] = memory["vee_zero_days"][runs.of, hour]
    past.days[at] = memory["vee_days"][runs.of]
    past.mean_kwh[at] = mean_day(memory["vee_weekday_kwh"])[runs.of]
    memory["vee_gap_s"], memory["vee_usual_s"] = gap[runs.last], usual[runs.last]
    on = off_grid_s(time_us, usual.astype(np.float64)) <= _ON_GRID_S
    memory["vee_on_grid"] = runs.total(on.astype(np.int64), memory["vee_on_grid"])[runs.last]
    count = runs.total(np.ones(len(at), dtype=np.int64), memory["vee_readings"])
    memory["vee_readings"] = count[runs.last]


def off_grid_s(time_us: Ints, interval_s: Floats) -> Floats:
    """Return how far each time lies from a whole multiple of an interval since 1970 [s]; NaN without an interval."""
    # Intervals are whole seconds; a clock that drifts makes them a little more or less.
    nominal = nominal_s(interval_s)
    beyond = np.mod(time_us / 1e6, np.where(nominal > 0, nominal, np.nan))
    return np.minimum(beyond, nominal - beyond)


def nominal_s(interval_s: Floats) -> Floats:
    """Return the length that meters are set to which is next to a measured one [s]."""
    lengths = np.array([0, 1, 5, 10, 30, 60, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400], np.float64)
    place = np.searchsorted((lengths[1:] + lengths[:-1]) / 2, interval_s)
    found = lengths[place]
    return np.where(np.abs(found - interval_s) <= _SAME_GAP * found, found, np.maximum(np.rint(interval_s), 0))


def _note_registers(
    past: Past, memory: Columns, runs: Segments, at: Positions, energy: Floats, register: Floats
) -> None:
    shown = ~np.isnan(register)
    newest = runs.newest(register, shown, memory["vee_register"])
    before = runs.previous(newest, memory["vee_register"])
    past.register_kwh[at] = before
    slip = np.where(shown, slipped(register, before), 0)
    # A slip upwards lasts until the register slips back; one downwards shows at its own reading only.
    scale = runs.newest(np.maximum(slip, 0), slip != 0, memory["vee_scale"].astype(np.int64))
    past.scale[at] = np.where(slip < 0, slip, scale)
    memory["vee_scale"], memory["vee_register"] = scale[runs.last].astype(np.int8), newest[runs.last]
    # What was counted since the register before, and how much of it is missing.
    missing = np.isnan(energy) | np.isnan(past.gap_s[at]) | (past.gap_s[at] > _MISSED * past.usual_s[at])
    counted, memory["vee_since_uwh"] = runs.since(_uwh(energy), shown, memory["vee_since_uwh"])
    lost, left = runs.since(missing.astype(np.int64), shown, memory["vee_since_missing"].astype(np.int64))
    memory["vee_since_missing"] = np.minimum(left, 60_000).astype(np.uint16)
    past.since_kwh[at] = np.where(lost == 0, counted / UWH_PER_KWH, np.nan)


def slipped(register: Floats, before: Floats) -> Ints:
    """Return the power of ten by which a register has jumped between two readings, int64[n]; 0 where it has not."""
    found = np.zeros(len(register), dtype=np.int64)
    old = np.where(before >= _SLIP_LEAST_KWH, before, np.nan)
    for power, times in enumerate(_SLIPS, start=1):
        found[np.abs(register - old * times) <= _SLIP_SHARE * old * times] = power
        found[np.abs(register * times - old) <= _SLIP_SHARE * old] = -power
    return found


def _uwh(energy: Floats) -> Ints:
    return np.rint(np.clip(np.nan_to_num(energy), -_MOST_KWH, _MOST_KWH) * UWH_PER_KWH).astype(np.int64)


def _note_energy(
    past: Past, memory: Columns, runs: Segments, at: Positions, energy: Floats, gap_us: Ints, hour: Ints
) -> None:
    measured = ~np.isnan(energy)
    newest = runs.newest(energy, measured, memory["vee_kwh"])
    last = runs.previous(newest, memory["vee_kwh"])
    past.last_kwh[at] = last
    step_s = gap_us // 1_000_000
    flat = runs.lasting(np.abs(energy - last) <= _FLAT_KWH, step_s, memory["vee_flat_s"])
    zero = runs.lasting(energy == 0, step_s, memory["vee_zero_s"])
    past.flat_s[at], past.zero_s[at] = flat, zero
    memory["vee_kwh"], memory["vee_flat_s"], memory["vee_zero_s"] = (
        newest[runs.last],
        _ends(flat, runs),
        _ends(zero, runs),
    )
    # Energy of another unit teaches nothing about the meter's days.
    sound = np.where(past.scale[at] == 0, energy, np.nan)
    memory["vee_day_uwh"] = runs.total(_uwh(sound), memory["vee_day_uwh"])[runs.last]
    highest, memory["vee_highest"] = runs.highest_three(sound, memory["vee_highest"])
    past.highest_kwh[at] = highest[:, 0]
    past.third_kwh[at] = np.fmax(memory["vee_third"][runs.of], highest[:, 2])
    bits = np.where(energy == 0, np.left_shift(1, hour), 0)
    memory["vee_zero_hours"] |= np.bitwise_or.reduceat(bits, runs.start).astype(np.uint32)


def _note_lasting(
    past: Past, memory: Columns, runs: Segments, at: Positions, voltage: Floats, estimated: Mask, gap_us: Ints
) -> None:
    step_s = gap_us // 1_000_000
    volts = voltage.astype(np.float32)
    measured = ~np.isnan(volts)
    newest = runs.newest(volts, measured, memory["vee_voltage"])
    last = runs.previous(newest, memory["vee_voltage"])
    still = runs.lasting(np.abs(volts - last) <= _STILL_V, step_s, memory["vee_still_s"])
    past.still_s[at] = np.where(measured, still, np.nan)
    memory["vee_voltage"], memory["vee_still_s"] = newest[runs.last], _ends(still, runs)
    lasting = runs.lasting(estimated, step_s, memory["vee_estimated_s"])
    past.estimated_s[at] = lasting
    memory["vee_estimated_s"] = _ends(lasting, runs)


def _ends(seconds: Ints, runs: Segments) -> npt.NDArray[np.uint32]:
    return np.minimum(seconds[runs.last], np.iinfo(np.uint32).max).astype(np.uint32)
