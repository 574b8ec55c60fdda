"""A seeded load: what is sent when and how, with everything that can be known of it beforehand."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from tests.bad_input import UNREADABLE_PAYLOADS, UNSOUND_READINGS
from tests.builders import JSON

#: The first trial's readings begin here; each further trial of a run has a week of its own.
EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=15)
#: Nothing is an anomaly before a day of a meter's past is known; spikes come after that and a margin.
WARM_STEPS = 120
METERS_PER_TRANSFORMER = 6
SPIKE = 12.0

#: A payload that names nobody cannot be told from the same one of an earlier trial; the longest would only take time.
_POISON = {name: found for name, found in UNREADABLE_PAYLOADS.items() if "10 MB" not in name}
_OUT_OF_RANGE = (
    ({"voltage": 999.0}, "voltage_out_of_range"),
    ({"consumption_kwh": -0.5}, "negative_energy"),
    ({"power_factor": 1.7}, "power_factor_out_of_range"),
    ({"consumption_kwh": 1e7}, "out_of_range"),
    ({"reading_time": "1987-01-01T00:00:00Z"}, "time_too_old"),
    ({"reading_time": "9000-01-01T00:00:00Z"}, "time_in_future"),
)

Key = tuple[str, datetime]


@dataclass(frozen=True)
class Row:
    """What a reading says, as short decimals that survive every form of writing."""

    meter: str
    time: datetime
    consumption_kwh: float
    voltage: float
    demand_kw: float | None = None

    def as_json(self) -> dict[str, object]:
        found: dict[str, object] = {
            "meter_number": self.meter,
            "reading_time": self.time.isoformat(),
            "consumption_kwh": self.consumption_kwh,
            "voltage": self.voltage,
        }
        return found if self.demand_kw is None else {**found, "demand_kw": self.demand_kw}


@dataclass(frozen=True)
class Reject:
    """A thing that must be found among the rejected: its reason, and bytes that it holds."""

    reason: str
    needle: bytes
    whole: bool = False


@dataclass(frozen=True)
class Send:
    """One message: over MQTT to a topic, or (where `key` is set) straight into Kafka."""

    payload: bytes
    topic: str = ""
    key: bytes | None = None
    content_type: str | None = None
    rows: tuple[Row, ...] = ()


@dataclass
class Load:
    """One trial's input.

    Attributes:
        tag: every name in it begins with this.
        transformer_of: meter number -> transformer.
        sends: in the order in which they are sent, at an even pace.
        rate: readings per second.
        rejects: what must be rejected.
        conflicts: readings that contradict what was said before.
    """

    tag: str
    rate: float
    transformer_of: dict[str, str] = field(default_factory=dict)
    sends: list[Send] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    conflicts: list[Row] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return sum(len(send.rows) or 1 for send in self.sends) / self.rate


@dataclass(frozen=True)
class Mix:
    """How much of what a load holds.

    Attributes:
        rate: readings per second.
        seconds: how long it lasts.
        repeated: share of messages that are sent again.
        late: share of readings that come after their successors.
        poison: unreadable or untrue things per 1,000 readings.
    """

    rate: float = 400.0
    seconds: float = 10.0
    repeated: float = 0.03
    late: float = 0.01
    poison: float = 8.0


def make_load(tag: str, seed: int, week: int, mix: Mix) -> Load:
    """Invent the whole input of a trial from its seed."""
    random = Random(seed)
    load = Load(tag, mix.rate)
    count = round(mix.rate * mix.seconds)
    meters = max(12, count // 250)
    routes = _routes(load, meters, random)
    stream = _readings(load, list(routes), count // meters, EPOCH + timedelta(weeks=week), random)
    sends = list(_messages(_with_late_ones(load, stream, mix.late, random), routes, random))
    load.sends = _with_poison(load, _with_repeats(sends, mix.repeated, random), mix.poison * count / 1000, random)
    return load


def _routes(load: Load, meters: int, random: Random) -> dict[str, str]:
    """Give each meter the one way that it sends by; a broker keeps order within a topic only."""
    routes = {}
    for number in range(meters):
        name = f"{load.tag}-{number:04d}"
        load.transformer_of[name] = f"{load.tag}-T{number // METERS_PER_TRANSFORMER}"
        routes[name] = random.choice(["single"] * 5 + ["kafka"] * 2 + [f"concentrator-{number % 4}"] * 3)
    return routes


def _readings(load: Load, meters: list[str], steps: int, start: datetime, random: Random) -> list[Row]:
    usual = {name: random.uniform(0.1, 0.9) for name in meters}
    shift = {name: timedelta(seconds=random.randrange(0, 840)) for name in meters}
    found = []
    for step in range(steps):
        for name in meters:
            row_time = start + step * STEP + shift[name]
            energy = usual[name] * random.uniform(0.9, 1.1)
            if step >= WARM_STEPS and random.random() < 0.02:
                energy *= SPIKE
            voltage = random.choice([205.5, 252.0]) if random.random() < 0.01 else random.uniform(222, 238)
            demand = round(energy * 4, 3) if random.random() < 0.3 else None
            found.append(Row(name, row_time, round(energy, 3), round(voltage, 1), demand))
    return found


def _with_late_ones(load: Load, rows: list[Row], share: float, random: Random) -> list[Row]:
    """Move some readings behind their successors, and add some that contradict what was said before."""
    keyed = [(float(place), row) for place, row in enumerate(rows)]
    reach = max(40, len(load.transformer_of) * 2)
    for place, row in enumerate(rows):
        if place > reach and random.random() < share:
            keyed[place] = (place + reach * random.uniform(1.2, 4), row)
    for _ in range(3):
        place = random.randrange(len(rows) // 2)
        row = rows[place]
        other = Row(row.meter, row.time, round(row.consumption_kwh + 0.5, 3), row.voltage, row.demand_kw)
        keyed.append((place + len(rows) // 3, other))
        load.conflicts.append(other)
    return [row for _, row in sorted(keyed, key=lambda item: item[0])]


def _messages(rows: list[Row], routes: dict[str, str], random: Random) -> Iterable[Send]:
    waiting: dict[str, list[Row]] = defaultdict(list)
    room = {name: random.randint(2, 30) for name in set(routes.values())}
    for row in rows:
        route = routes[row.meter]
        body = json.dumps(row.as_json()).encode()
        if route == "single":
            yield Send(body, f"meters/{row.meter}/reading", rows=(row,))
        elif route == "kafka":
            yield Send(body, key=row.meter.encode(), rows=(row,))
        else:
            waiting[route].append(row)
            if len(waiting[route]) >= room[route]:
                yield _array(route, waiting.pop(route))
                room[route] = random.randint(2, 30)
    for route, left in waiting.items():
        yield _array(route, left)


def _array(route: str, rows: list[Row]) -> Send:
    body = json.dumps([row.as_json() for row in rows]).encode()
    return Send(body, f"concentrators/{route}/readings", rows=tuple(rows))


def _with_repeats(sends: list[Send], share: float, random: Random) -> list[Send]:
    keyed = [(float(place), send) for place, send in enumerate(sends)]
    for place, send in enumerate(sends):
        if random.random() < share:
            keyed.append((place + random.choice([0.5, 5.5, 50.5, 500.5]), send))
    return [send for _, send in sorted(keyed, key=lambda item: item[0])]


def _with_poison(load: Load, sends: list[Send], count: float, random: Random) -> list[Send]:
    found = list(sends)
    for number in range(round(count)):
        send, reject = _poison(f"{load.tag}-bad{number}", random)
        load.rejects.append(reject)
        found.insert(random.randrange(len(found) + 1), send)
    return found


def _poison(name: str, random: Random) -> tuple[Send, Reject]:
    """Return something that cannot be taken, and what must come of it."""
    kind = random.choice(["unreadable", "unsound", "out of range"])
    if kind == "unreadable":
        payload, content_type, reason = random.choice(list(_POISON.values()))
        marked = payload.replace(b"GOOD", name.encode())
        reject = Reject(str(reason), marked[:2_000], whole=True)
        return _somehow(marked, content_type, name, random), reject
    if kind == "unsound":
        document, reason = random.choice([item for item in UNSOUND_READINGS.values() if isinstance(item[0], dict)])
        assert isinstance(document, dict)
        body = json.dumps({**document, "note": name}).encode()
        return _somehow(body, None, name, random), Reject(str(reason), name.encode())
    fields, code = random.choice(_OUT_OF_RANGE)
    body = json.dumps({"meter_number": name, "reading_time": EPOCH.isoformat(), **fields}).encode()
    return _somehow(body, None, name, random), Reject(code, name.encode())


def _somehow(payload: bytes, content_type: str | None, name: str, random: Random) -> Send:
    """Send over MQTT, which has no content type here, or straight into Kafka."""
    if content_type is None and random.random() < 0.6:
        return Send(payload, f"meters/{name}/reading")
    return Send(payload, key=name.encode(), content_type=content_type or JSON)
