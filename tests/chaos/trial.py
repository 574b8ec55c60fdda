"""One trial: a seeded load, a seeded fault, a time to settle, and a comparison with what must have come of it."""

import time
from bisect import bisect_right
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any

import psycopg

from schemas.topics import METERS_RAW
from tests.chaos import found as look
from tests.chaos.crew import Usage, Watcher
from tests.chaos.faults import KINDS, Kind
from tests.chaos.field import Feeder, Field, Ground
from tests.chaos.load import Load, make_load
from tests.chaos.oracle import Expected, expected
from tests.undisturbed import undisturbed

#: Longest wait for everything to be stored once all servers are back [s].
SETTLE_S = 150.0
#: What a process may use; a queue without bound would pass it soon [bytes].
MOST_RSS = {"worker": 800 * 2**20, "bridge": 600 * 2**20}
#: A worker may end itself and begin anew when it lost its partitions; more than this is a loop.
MOST_OWN_ENDS = 4
#: After an outage the backlog must go down at least this many times faster than it came up.
LEAST_CATCH_UP = 3.0
#: A smaller backlog than this many seconds of load is gone before it can be timed.
_TIMED_BACKLOG_S = 4.0
#: A longer time without a reading stored is no slowness but an absence, which the recovery time tells [s].
_PAUSE_S = 1.0
#: Time between two looks at what is stored [s].
_LOOK_S = 0.1
#: What is on its way at any time, on a machine that does everything at once: no backlog any more.
_USUAL_BACKLOG_S = 1.5


@dataclass
class Result:
    """What a trial came to.

    Attributes:
        seed: makes the same trial again.
        kind: which fault.
        did: what was done.
        readings: different readings that were sent.
        lost: readings that were not stored.
        doubled: readings that counted twice, or came from nowhere.
        wrong: what differed, as sentences; empty when nothing did.
        recovery_s: from the end of the fault until all that had been sent by then was stored [s].
        catch_up: rate at which the backlog was stored over the rate of the load; None where too small to be timed.
        own_ends: how often a process ended without having been killed.
        rss_mb: most resident memory by component [MB].
        timeline: (time since the end of the fault [s], readings sent, readings stored), a few per second.
        seconds: how long the trial took [s].
    """

    seed: int
    kind: str
    did: list[str]
    readings: int
    lost: int
    doubled: int
    wrong: list[str]
    recovery_s: float | None
    catch_up: float | None
    own_ends: int
    rss_mb: dict[str, int]
    timeline: list[tuple[float, int, int]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.wrong

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


@dataclass
class Progress:
    """How many of a trial's readings were stored when.

    Attributes:
        samples: (monotonic time [s], readings).
    """

    url: str
    before: int
    samples: list[tuple[float, int]] = field(default_factory=list)
    _connection: psycopg.Connection | None = None

    def look(self) -> int:
        """Return how many are stored now; while the database is away, how many were."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(self.url, autocommit=True, connect_timeout=2)
            stored = look.books(self._connection)[0] - self.before
        except psycopg.Error:
            self.close()
            return self.samples[-1][1] if self.samples else 0
        self.samples.append((time.monotonic(), stored))
        return stored

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def kind_of(seed: int) -> Kind:
    """Return the fault of a seed: all kinds by turns."""
    return KINDS[seed % len(KINDS)]


def run_trial(
    ground: Ground, seed: int, *, patience: float = 1.0, kind: Kind | None = None, timed: bool = False
) -> Result:
    """Run one trial on servers and engine that other trials have used before.

    Args:
        ground: those servers.
        seed: makes load and fault.
        patience: factor on how long outages last.
        kind: the fault, None for that of the seed.
        timed: too slow a recovery fails the trial; only where the machine has nothing else to do.
    """
    kind = kind or kind_of(seed)
    began = time.monotonic()
    random = Random(f"fault {seed}")
    mix = replace(kind.mix, seconds=kind.mix.seconds * max(1.0, patience * 0.7)) if patience > 1 else kind.mix
    load = make_load(f"S{seed}", seed, ground.trials, mix)
    ground.trials += 1
    kind.prepare(ground)
    ground.crew.wait_ready()
    ground.register(load)
    ground.servers.tidy()
    result = _with_load(ground, load, kind, random, patience, seed)
    if timed and result.catch_up is not None and result.catch_up < LEAST_CATCH_UP:
        result.wrong.append(
            f"slow recovery: the backlog was stored at {result.catch_up:.1f} times the rate of the load"
        )
    kind.restore(ground)
    result.seconds = round(time.monotonic() - began, 1)
    return result


def _with_load(ground: Ground, load: Load, kind: Kind, random: Random, patience: float, seed: int) -> Result:
    crew = ground.crew
    before = look.marks(ground.servers.direct)
    starts, kills = crew.starts(), dict(crew.kills)
    watcher, feeder = Watcher(crew), Feeder(load, ground)
    on = Field(ground, random, feeder, patience)
    watcher.start()
    feeder.start()
    found = look.Differences()
    try:
        kind.act(on)
    except AssertionError as error:
        found.add("faults that could not be done", [error])
    lifted = time.monotonic()
    ground.servers.calm()
    progress = Progress(ground.servers.direct.database_url, before.stored)
    wanted = _settle(on, load, feeder, progress)
    _compare(on, wanted, load, before, found)
    watcher.end()
    progress.close()
    catch_up = None if kind.name == "no fault" else _catch_up(feeder, progress, lifted)
    # Members that were there all the time; one that a fault has stopped and started again counts anew.
    ends = {name: count - starts[name] for name, count in crew.starts().items() if count >= starts.get(name, count + 1)}
    own_ends = sum(max(0, count - crew.kills[name] + kills[name]) for name, count in ends.items())
    _engine(on, own_ends, watcher.usage, found)
    return Result(
        seed,
        kind.name,
        on.did,
        len(wanted.rows),
        found.lost,
        found.doubled,
        found.told,
        _recovery(feeder, progress, lifted, len(wanted.rows)),
        catch_up,
        own_ends,
        {name: usage.rss_bytes // 2**20 for name, usage in sorted(watcher.usage.items())},
        [(round(at - lifted, 2), _sent_by(feeder, at), stored) for at, stored in progress.samples[::2]],
    )


def _settle(on: Field, load: Load, feeder: Feeder, progress: Progress) -> Expected:
    """Wait until all of the load has been sent and as much as must be is stored."""
    wanted = _wanted(on, load)
    deadline = time.monotonic() + SETTLE_S + load.seconds
    while time.monotonic() < deadline and not on.crew.failures:
        if progress.look() >= len(wanted.rows) and not feeder.is_alive():
            break
        time.sleep(_LOOK_S)
    feeder.give_up()
    feeder.join(30)
    return wanted


def _wanted(on: Field, load: Load) -> Expected:
    if on.arrived is None:
        return expected(load)
    return expected(load, [row for row in on.arrived if row.meter in load.transformer_of])


def _compare(on: Field, wanted: Expected, load: Load, before: look.Marks, found: look.Differences) -> None:
    direct, tag = on.servers.direct, load.tag
    if on.feeder.failure:
        found.add("failures of the feeder", [on.feeder.failure])
    deadline = time.monotonic() + 20
    while (missing := look.rejects_kept(wanted, direct)) and time.monotonic() < deadline:
        time.sleep(0.3)
    found.add("rejects not kept", missing)
    if on.arrived is None:
        judged = undisturbed(direct.kafka_url, before.ends[METERS_RAW.name], load.transformer_of)
        found.add("meters without an alert to lose", [] if judged.alerts else [tag])
        look.in_database(wanted, direct, tag, found, judged)
        look.in_kafka(wanted, judged, direct, before, tag, found)
    else:
        # What an anomaly is measured by may be among what was lost: alerts and flags are not foretold here.
        look.in_database(wanted, direct, tag, found)
    redis = look.Differences()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        redis = look.Differences()
        look.in_redis(wanted, direct, redis)
        if not redis.told:
            break
        time.sleep(0.3)
    found.told += redis.told
    lost_records = look.marks(direct).lost_records - before.lost_records
    if lost_records != on.lost_records:
        found.add("counts of lost records wrong", [f"{lost_records} counted, {on.lost_records} dropped"])
    if on.lost_records and '"event": "records_lost"' not in on.crew.log("worker-1").read_text():
        found.add("silences", ["records were lost and no error was logged"])


def _engine(on: Field, own_ends: int, usage: dict[str, Usage], found: look.Differences) -> None:
    """Say what is wrong with the processes themselves."""
    found.add("members given up", on.crew.failures)
    if own_ends > MOST_OWN_ENDS:
        found.add("crash loops", [f"processes ended {own_ends} times by themselves: {on.crew.told[-6:]}"])
    for name, used in usage.items():
        if used.rss_bytes > MOST_RSS[name]:
            found.add("processes too large", [f"{name}: {used.rss_bytes / 2**20:.0f} MB"])


def _recovery(feeder: Feeder, progress: Progress, lifted: float, most: int) -> float | None:
    sent = min(_sent_by(feeder, lifted), most)
    done = next((at for at, stored in progress.samples if stored >= sent), None)
    return None if done is None else round(max(0.0, done - lifted), 1)


def _catch_up(feeder: Feeder, progress: Progress, lifted: float) -> float | None:
    """Return how many times faster than the load readings were stored, while any were, until the backlog was gone.

    The time that a process takes to start again is in the recovery time, and left out here.
    """
    samples = [(at, stored, _sent_by(feeder, at) - stored) for at, stored in progress.samples if at >= lifted]
    done = next((k for k, (_, _, left) in enumerate(samples) if left <= _USUAL_BACKLOG_S * feeder.rate), None)
    if not done or max(left for _, _, left in samples[: done + 1]) < _TIMED_BACKLOG_S * feeder.rate:
        return None
    seconds, moved_at, moved = 0.0, samples[0][0], samples[0][1]
    for at, stored, _ in samples[1 : done + 1]:
        if stored > moved:
            seconds += at - moved_at if at - moved_at <= _PAUSE_S else _LOOK_S
            moved_at, moved = at, stored
    return round((moved - samples[0][1]) / max(seconds, 0.05) / feeder.rate, 1)


def _sent_by(feeder: Feeder, moment: float) -> int:
    place = bisect_right(feeder.handed, (moment, 2**62))
    return feeder.handed[place - 1][1] if place else 0
