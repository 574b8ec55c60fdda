"""The pass that puts each reading beside its meter's past, one after another, and moves the memory on. Compiled."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from processors.compiled import compiled, part
from processors.state import NEVER_US
from processors.vee.day_end import close, mean_day
from processors.vee.facts import Past
from processors.vee.memory import Memory
from schemas.layout import Floats, Ints, Mask, Positions
from schemas.windows import UWH_PER_KWH

#: Two gaps are the same interval within this share of it.
_SAME_GAP = 0.1
#: A meter is on the grid of its interval within this many seconds.
_ON_GRID_S = 5.0
#: Energy stands still where it moves by no more than this [kWh]: noise near zero is still flat.
_FLAT_KWH = 1e-4
#: Voltage stands still where it moves by no more than this [V].
_STILL_V = np.float32(0.01)
#: A register that changes by one of these times, within this share, has changed its unit.
_SLIPS = (10.0, 100.0, 1_000.0)
_SLIP_SHARE = 0.01
#: A register below this [kWh] is too young to tell a change of unit by.
_SLIP_LEAST_KWH = 10.0
#: After a gap of more than this many usual intervals one is missing.
_MISSED = 1.5
#: Energy in the memory is whole micro-watt-hours; what is above is no energy of one interval.
_MOST_KWH = 1e6
#: Lengths that meters are set to [s].
_LENGTHS_S = (1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 43_200.0, 86_400.0)
#: Most seconds, and most missing readings, that columns of the memory hold.
_MOST_S, _MOST_MISSING = (1 << 32) - 1, 60_000


class Shown(NamedTuple):
    """What readings show, one value per reading.

    Attributes:
        time_us: int64[n], reading time [us].
        day: int64[n], local day.
        hour: int64[n], local hour that the interval ended in.
        skip: bool[n], the state has seen the reading already.
        energy_kwh: float64[n], NaN where absent, as in the next two.
        register_kwh: float64[n].
        voltage: float64[n].
        estimated: bool[n], the source calls it estimated.
        device: uint32[n], murmur2 of the device's number, 0 without one.
    """

    time_us: Ints
    day: Ints
    hour: Ints
    skip: Mask
    energy_kwh: Floats
    register_kwh: Floats
    voltage: Floats
    estimated: Mask
    device: npt.NDArray[np.uint32]


class Order(NamedTuple):
    """How readings follow each other, one value per reading; see `Facts`."""

    in_order: Mask
    newest_us: Ints
    repeated: npt.NDArray[np.int8]


@compiled
def follow_all(
    memory: Memory, rows: Positions, shown: Shown, holidays: Ints, order: Order, past: Past
) -> None:  # pragma: no cover - runs compiled
    """Follow the readings that are in order; say of the others what they repeat.

    Args:
        memory: of the partition's meters; changed in place, but for the newest times, which judgement moves on.
        rows: intp[n], row of each reading's meter.
        shown: what the readings show.
        holidays: local days that count as Sundays, ascending.
        order: filled in.
        past: what was known before each reading that is in order; filled in.
    """
    for at in range(len(rows)):
        row, newest_us = rows[at], memory.last_time_us[rows[at]]
        order.newest_us[at] = newest_us
        if not shown.skip[at] and shown.time_us[at] > newest_us:
            order.in_order[at] = True
            _follow(memory, row, shown, holidays, past, at)
            memory.last_time_us[row] = shown.time_us[at]
        elif shown.time_us[at] == newest_us:
            order.repeated[at] = 1 if _same(memory, row, shown, at) else 2
    for at in range(len(rows) - 1, -1, -1):
        memory.last_time_us[rows[at]] = order.newest_us[at]


@part
def _same(memory: Memory, row: int, shown: Shown, at: int) -> bool:  # pragma: no cover
    """Say whether all that a reading shows is what its meter has shown last."""
    energy, register, voltage = shown.energy_kwh[at], shown.register_kwh[at], np.float32(shown.voltage[at])
    if not np.isnan(energy) and energy != memory.vee_kwh[row]:
        return False
    if not np.isnan(register) and register != memory.vee_register[row]:
        return False
    return bool(np.isnan(voltage) or voltage == memory.vee_voltage[row])


@part
def _follow(memory: Memory, row: int, shown: Shown, holidays: Ints, past: Past, at: int) -> None:  # pragma: no cover
    day = shown.day[at]
    if 0 < memory.vee_day[row] < day:
        close(memory, row, day, holidays, past, at)
    memory.vee_day[row] = max(int(memory.vee_day[row]), day)
    last_us = memory.last_time_us[row]
    gap_us = shown.time_us[at] - last_us if last_us != NEVER_US else 0
    past.gap_s[at] = gap_us / 1e6 if last_us != NEVER_US else np.nan
    _note_times(memory, row, shown.time_us[at], shown.hour[at], gap_us, past, at)
    _note_register(memory, row, shown.energy_kwh[at], shown.register_kwh[at], past, at)
    _note_energy(memory, row, shown.energy_kwh[at], gap_us // 1_000_000, shown.hour[at], past, at)
    _note_lasting(memory, row, shown.voltage[at], shown.estimated[at], gap_us // 1_000_000, past, at)
    past.device[at] = memory.vee_device[row]
    if shown.device[at] > 0:
        memory.vee_device[row] = shown.device[at]


@part
def _note_times(
    memory: Memory, row: int, time_us: int, hour: int, gap_us: int, past: Past, at: int
) -> None:  # pragma: no cover
    gap, before, usual = np.float32(gap_us / 1e6), memory.vee_gap_s[row], memory.vee_usual_s[row]
    past.usual_s[at], past.grid_share[at] = usual, memory.vee_grid_share[row]
    past.zero_days[at], past.days[at] = memory.vee_zero_days[row, hour], memory.vee_days[row]
    past.mean_kwh[at] = mean_day(memory, row)
    past.nominal_s[at] = _nominal_s(float(usual))
    past.beside_s[at] = _beside_s(time_us, past.nominal_s[at])
    beside_s = past.beside_s[at]
    if gap > 0 and abs(gap - before) <= np.float32(_SAME_GAP) * before:
        memory.vee_usual_s[row] = gap
        beside_s = _beside_s(time_us, _nominal_s(float(gap)))
    memory.vee_gap_s[row] = gap
    memory.vee_on_grid[row] += 1 if beside_s <= _ON_GRID_S else 0
    memory.vee_readings[row] += 1


@part
def _nominal_s(interval_s: float) -> float:  # pragma: no cover
    """Return the length that meters are set to which is next to a measured one [s], which clocks that drift change."""
    found = 0.0
    for length_s in _LENGTHS_S:
        if interval_s > (found + length_s) / 2:
            found = length_s
    return found if abs(found - interval_s) <= _SAME_GAP * found else max(np.rint(interval_s), 0.0)


@part
def _beside_s(time_us: int, nominal_s: float) -> float:  # pragma: no cover
    """Return how far a time lies from a whole multiple of an interval since 1970 [s]; NaN without an interval."""
    if not nominal_s > 0:
        return np.nan
    beyond = (time_us / 1e6) % nominal_s
    return min(beyond, nominal_s - beyond)


@part
def _note_register(
    memory: Memory, row: int, energy: float, register: float, past: Past, at: int
) -> None:  # pragma: no cover
    shows, before = not np.isnan(register), memory.vee_register[row]
    past.register_kwh[at] = before
    slip = _slipped(register, before) if shows else 0
    # A slip upwards lasts until the register slips back; one downwards shows at its own reading only.
    if slip != 0:
        memory.vee_scale[row] = max(slip, 0)
    past.scale[at] = slip if slip < 0 else memory.vee_scale[row]
    # What was counted since the register before, and how much of it is missing.
    gap_s = past.gap_s[at]
    if np.isnan(energy) or np.isnan(gap_s) or gap_s > _MISSED * past.usual_s[at]:
        memory.vee_since_missing[row] = min(int(memory.vee_since_missing[row]) + 1, _MOST_MISSING)
    memory.vee_since_uwh[row] += _uwh(energy)
    past.since_kwh[at] = memory.vee_since_uwh[row] / UWH_PER_KWH if memory.vee_since_missing[row] == 0 else np.nan
    if shows:
        memory.vee_register[row], memory.vee_since_uwh[row], memory.vee_since_missing[row] = register, 0, 0


@part
def _slipped(register: float, before: float) -> int:  # pragma: no cover
    """Return the power of ten by which a register has jumped between two readings; 0 where it has not."""
    found = 0
    if before >= _SLIP_LEAST_KWH:
        for power in range(1, len(_SLIPS) + 1):
            times = _SLIPS[power - 1]
            if abs(register - before * times) <= _SLIP_SHARE * before * times:
                found = power
            if abs(register * times - before) <= _SLIP_SHARE * before:
                found = -power
    return found


@part
def _uwh(energy: float) -> int:  # pragma: no cover
    return 0 if np.isnan(energy) else int(np.rint(min(max(energy, -_MOST_KWH), _MOST_KWH) * UWH_PER_KWH))


@part
def _note_energy(
    memory: Memory, row: int, energy: float, step_s: int, hour: int, past: Past, at: int
) -> None:  # pragma: no cover
    last = memory.vee_kwh[row]
    past.last_kwh[at] = last
    flat_s = int(memory.vee_flat_s[row]) + step_s if abs(energy - last) <= _FLAT_KWH else 0
    zero_s = int(memory.vee_zero_s[row]) + step_s if energy == 0 else 0
    past.flat_s[at], past.zero_s[at] = flat_s, zero_s
    memory.vee_flat_s[row], memory.vee_zero_s[row] = min(flat_s, _MOST_S), min(zero_s, _MOST_S)
    if not np.isnan(energy):
        memory.vee_kwh[row] = energy
    if energy == 0:
        memory.vee_zero_hours[row] = int(memory.vee_zero_hours[row]) | (1 << hour)
    third, day_third = memory.vee_third[row], memory.vee_highest[row, 2]
    past.highest_kwh[at] = memory.vee_highest[row, 0]
    past.third_kwh[at] = max(day_third, third)
    # Energy of another unit teaches nothing about the meter's days.
    if past.scale[at] == 0 and not np.isnan(energy):
        memory.vee_day_uwh[row] += _uwh(energy)
        _keep_highest(memory, row, float(np.float32(energy)))


@part
def _keep_highest(memory: Memory, row: int, value: float) -> None:  # pragma: no cover
    for place in range(3):
        if value > memory.vee_highest[row, place]:
            value, memory.vee_highest[row, place] = memory.vee_highest[row, place], value


@part
def _note_lasting(
    memory: Memory, row: int, voltage: float, estimated: bool, step_s: int, past: Past, at: int
) -> None:  # pragma: no cover
    volts = np.float32(voltage)
    still_s = int(memory.vee_still_s[row]) + step_s if abs(volts - memory.vee_voltage[row]) <= _STILL_V else 0
    estimated_s = int(memory.vee_estimated_s[row]) + step_s if estimated else 0
    if not np.isnan(volts):
        past.still_s[at], memory.vee_voltage[row] = still_s, volts
    past.estimated_s[at] = estimated_s
    memory.vee_still_s[row], memory.vee_estimated_s[row] = min(still_s, _MOST_S), min(estimated_s, _MOST_S)
