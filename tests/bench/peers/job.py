"""What every peer does to one reading, in plain Python, without a line of the engine: the job of `tests/bench/spec.py`.

The arithmetic is that of the engine's judgement, one reading at a time; a peer brings the state and the flow.
"""

import hashlib
import math
from datetime import datetime
from typing import Any, NamedTuple

import orjson

Json = dict[str, Any]

NORMAL, WARNING, ANOMALY, MISSING = "normal", "warning", "anomaly", "missing"
WINDOW_US = 900_000_000
_MEASURES = ("consumption_kwh", "demand_kw", "voltage", "current_amps", "power_factor")
_HOUR_US = 3_600_000_000
_MEMORY_S = 28 * 86_400.0


class Reading(NamedTuple):
    """One credible reading."""

    meter: str
    time_us: int
    energy_kwh: float | None
    demand_kw: float | None
    voltage: float | None
    current_amps: float | None
    power_factor: float | None
    partition: int
    offset: int
    arrived_us: int


def decode(value: bytes) -> list[Json]:
    """Return the objects of a record: one, or an array of them."""
    found = orjson.loads(value)
    return found if isinstance(found, list) else [found]


def check(found: Json, partition: int, offset: int, arrived_us: int) -> Reading | str:
    """Return a credible reading, or why it is none."""
    time_us = round(datetime.fromisoformat(found["reading_time"]).timestamp()) * 1_000_000
    energy, demand, voltage, current, factor = (_number(found.get(name)) for name in _MEASURES)
    if time_us > arrived_us + 86_400_000_000:
        return "time_in_future"
    if time_us < 946_684_800_000_000:
        return "time_too_old"
    if voltage is not None and not 200.0 <= voltage <= 260.0:
        return "voltage_out_of_range"
    if factor is not None and not 0.0 <= factor <= 1.0:
        return "power_factor_out_of_range"
    if energy is not None and energy < 0.0:
        return "negative_energy"
    if (energy is not None and energy > 1e6) or any(v is not None and abs(v) > 1e9 for v in (demand, current)):
        return "out_of_range"
    return Reading(
        found["meter_number"], time_us, energy, demand, voltage, current, factor, partition, offset, arrived_us
    )


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


class Base(NamedTuple):
    """A meter's past apart from its slots."""

    last_us: int = -1
    interval_s: float = 0.0
    misfits: int = 0
    energy_kwh: float = 0.0
    covered_s: float = 0.0
    spread_kw: float = 0.0
    last_kw: float = 0.0
    day_mean_kw: float = 0.0
    peak_kw: float = 0.0


class Slot(NamedTuple):
    """What a meter uses in one slot of the week."""

    mean_kw: float = 0.0
    spread_kw: float = 0.0
    count: int = 0


class Verdict(NamedTuple):
    """What came of one reading."""

    flag: str
    score: float
    expected_kwh: float
    base: Base
    slot: Slot
    features: tuple[float, ...]


NEW, EMPTY = Base(), Slot()


def slots_of(time_us: int) -> tuple[int, int]:
    """Return a reading's slot of the week, and the same hour of the other kind of day."""
    hours = time_us // _HOUR_US
    slot = hours % 24 + (24 if (hours // 24 + 3) % 7 >= 5 else 0)
    return slot, (slot + 24) % 48


def judge(found: Reading, base: Base, own: Slot, other: Slot) -> Verdict:
    """Flag a reading by its meter's past and learn from it."""
    energy, time_us = found.energy_kwh, found.time_us
    plain = _flag(found)
    if time_us <= base.last_us:
        return Verdict(plain, math.nan, math.nan, base, own, _features(found, base, 0.0))
    interval_s, misfits = _interval(base, time_us)
    if interval_s <= 0.0 or energy is None:
        followed = base._replace(last_us=time_us, interval_s=interval_s, misfits=misfits)
        return Verdict(plain, math.nan, math.nan, followed, own, _features(found, base, 0.0))
    power = energy * 3600.0 / interval_s
    average = base.energy_kwh * 3600.0 / max(base.covered_s, 1.0)
    look = own if own.count > 0 else other
    expected = look.mean_kw if look.count > 0 else average
    spread = look.spread_kw if own.count >= 3 else max(look.spread_kw, base.spread_kw)
    sigma = 1.2533 * spread + 0.05 * average + 0.001
    z = (power - expected) / sigma
    warm = base.covered_s >= 86_400.0
    anomalous = warm and power > 3.0 * average and z >= 3.5
    score = z * z / (z * z + 12.25) if warm else math.nan
    capped = min(power, 3.0 * average) if anomalous else power
    learned = _learn(base, capped, interval_s, average, sigma)
    learned = learned._replace(last_us=time_us, interval_s=interval_s, misfits=misfits, last_kw=power)
    slot = _learn_slot(own, min(power, expected + 3 * sigma) if anomalous else power, sigma, learned.spread_kw)
    return Verdict(
        plain if not anomalous else ANOMALY,
        score,
        expected * interval_s / 3600.0 if warm else math.nan,
        learned,
        slot,
        _features(found, base, power),
    )


def _flag(found: Reading) -> str:
    if all(value is None for value in found[2:7]):
        return MISSING
    return WARNING if found.voltage is not None and not 210.0 <= found.voltage <= 250.0 else NORMAL


def _interval(base: Base, time_us: int) -> tuple[float, int]:
    seen = base.last_us >= 0
    gap = (time_us - base.last_us) / 1e6 if seen else 0.0
    usual = base.interval_s
    fits = abs(gap - usual) <= 0.25 * usual
    misfits = 0 if fits else min(base.misfits + seen, 3)
    if seen and not fits and (usual == 0.0 or misfits == 3):
        return gap, 0
    return (usual + (gap - usual) * 0.125 if fits and seen else usual), misfits


def _learn(base: Base, power: float, interval_s: float, average: float, sigma: float) -> Base:
    keep = max(1.0 - interval_s / _MEMORY_S, 0.0)
    deviation = min(max(power - average, -3 * sigma), 3 * sigma) if base.covered_s > 0 else 0.0
    weight = max(interval_s / (base.covered_s + interval_s), interval_s / _MEMORY_S)
    recent = interval_s / min(base.covered_s + interval_s, max(86_400.0, interval_s))
    return base._replace(
        day_mean_kw=base.day_mean_kw + recent * (power - base.day_mean_kw),
        peak_kw=max(base.peak_kw * keep, power),
        spread_kw=base.spread_kw + weight * (abs(deviation) - base.spread_kw),
        energy_kwh=keep * base.energy_kwh + power * interval_s / 3600.0,
        covered_s=keep * base.covered_s + interval_s,
    )


def _learn_slot(own: Slot, power: float, sigma: float, spread_kw: float) -> Slot:
    bound = 3 * sigma if own.count >= 3 else math.inf
    offset = min(max(power - own.mean_kw, -bound), bound)
    rate = max(1.0 / (own.count + 1.0), 0.05)
    spread = spread_kw if own.count == 0 else own.spread_kw + rate * (abs(offset) - own.spread_kw)
    return Slot(own.mean_kw + rate * offset, spread, min(own.count, 254) + 1)


def _features(found: Reading, base: Base, power: float) -> tuple[float, ...]:
    """What the forest sees of a reading, in the order of `processors.features.FEATURES`."""
    hours = found.time_us // _HOUR_US
    day = (hours // 24 + 3) % 7
    voltage = math.nan if found.voltage is None else found.voltage
    usual = max(base.day_mean_kw, 0.001)
    return (
        voltage,
        math.nan if found.current_amps is None else found.current_amps,
        math.nan if found.power_factor is None else found.power_factor,
        math.nan if found.energy_kwh is None else found.energy_kwh,
        math.nan,
        power / max(base.peak_kw, 0.001) if base.peak_kw > 0 else math.nan,
        float(hours % 24),
        float(day),
        float(day >= 5),
        0.0,
        abs(voltage - 230.0) / 230.0,
        (power - base.last_kw) / usual,
        (power - base.day_mean_kw) / usual,
    )


class Window(NamedTuple):
    """Totals of one transformer and quarter of an hour, in whole small units so that order cannot matter."""

    readings: int = 0
    energy_uwh: int = 0
    voltage_count: int = 0
    voltage_sum_mv: int = 0
    demand_peak_kw: float | None = None
    voltage_min: float | None = None
    voltage_max: float | None = None


def add(window: Window, found: Reading) -> Window:
    """Return a window with one more reading in it."""
    voltage, demand = found.voltage, found.demand_kw
    peak, low, high = window.demand_peak_kw, window.voltage_min, window.voltage_max
    return Window(
        window.readings + 1,
        window.energy_uwh + (0 if found.energy_kwh is None else round(found.energy_kwh * 1e9)),
        window.voltage_count + (voltage is not None),
        window.voltage_sum_mv + (0 if voltage is None else round(voltage * 1e3)),
        peak if demand is None else demand if peak is None else max(peak, demand),
        low if voltage is None else voltage if low is None else min(low, voltage),
        high if voltage is None else voltage if high is None else max(high, voltage),
    )


def window_start(time_us: int) -> int:
    """Return the start of a reading's window [us]."""
    return time_us - time_us % WINDOW_US


def alert(found: Reading, verdict: Verdict) -> tuple[str, bytes]:
    """Return key and value of the alert of an anomaly."""
    element = f"meter/{found.meter}"
    digest = hashlib.sha256(f"high_consumption\0{element}\0{found.time_us}".encode()).hexdigest()[:32]
    return element, orjson.dumps(
        {
            "alert_id": digest,
            "kind": "high_consumption",
            "severity": "critical" if verdict.score >= 0.95 else "warning",
            "element": element,
            "occurred_at": found.time_us,
            "arrived_at": found.arrived_us,
            "measured": found.energy_kwh,
            "expected": verdict.expected_kwh,
            "unit": "kWh",
            "score": verdict.score,
        }
    )


def reject(original: Json, reason: str) -> tuple[str, bytes]:
    """Return key and value of a rejected record."""
    payload = orjson.dumps(original)
    digest = hashlib.sha256(reason.encode() + b"\0" + payload).hexdigest()[:32]
    return digest, orjson.dumps({"reject_id": digest, "reason": reason, "payload": payload.decode()})
