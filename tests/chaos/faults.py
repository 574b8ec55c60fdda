"""The faults, by name; each does its worst within a few seconds and leaves what it broke in a state that can mend."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.broker import forgets
from tests.chaos.field import Field, Ground
from tests.chaos.load import Mix
from tests.chaos.servers import NAMES
from tests.chaos.steps import BRIDGE_STEPS, KILL, STOP, WORKER_STEPS, Trap, note
from tests.chaos.truncation import truncate

#: Longer than the session of a worker (a setting of the crew), so that its partitions move [s].
_ASLEEP_S = (10.0, 18.0)


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    Attributes:
        name: as in reports.
        act: does it, while the load is being sent.
        mix: the load.
        prepare: called before the load, and `restore` after the trial.
        absent: why it cannot be done here, None where it can.
    """

    name: str
    act: Callable[[Field], None]
    mix: Mix = field(default_factory=Mix)
    prepare: Callable[[Ground], None] = lambda _ground: None
    restore: Callable[[Ground], None] = lambda _ground: None
    absent: Callable[[Ground], str | None] = lambda _ground: None


def _kill_member(name: str) -> Callable[[Field], None]:
    def act(on: Field) -> None:
        for _ in range(on.random.randint(1, 3)):
            on.pause(0.5, 4.0)
            on.crew.kill(name)
            on.did.append(f"kill -9 {name}")

    return act


def _forgets(ground: Ground) -> str | None:
    return forgets(ground.servers.stack)


def _kill_server(name: str) -> Callable[[Field], None]:
    def act(on: Field) -> None:
        for _ in range(on.random.randint(1, 2)):
            on.pause(0.5, 4.0)
            on.servers.stack.kill(name)
            on.did.append(f"kill -9 {name}")
            on.servers.wait_up(name)

    return act


def _outage(name: str) -> Callable[[Field], None]:
    def act(on: Field) -> None:
        on.pause(0.5, 3.0)
        on.servers.stack.hold(name)
        seconds = on.random.uniform(4.0, 10.0) * on.patience
        on.did.append(f"{name} away for {seconds:.1f} s")
        time.sleep(seconds)
        on.servers.stack.release(name)
        on.servers.wait_up(name)

    return act


def _steps(component: str) -> Callable[[Field], None]:
    names = [step.name for step in (WORKER_STEPS if component == "worker" else BRIDGE_STEPS)]

    def act(on: Field) -> None:
        # A process that takes long to start again must not find the load over: it would come to no further step.
        on.feeder.keep_back(0.4)
        try:
            for name in on.random.sample(names, 2):
                on.pause(0.2, 1.5)
                _trap(on, component, Trap(name, on.random.choice([0, 0, 1, 3]), KILL))
                on.crew.wait_ready()
                on.feeder.let_go()
        finally:
            on.feeder.let_go()

    return act


def _trap(on: Field, component: str, trap: Trap, timeout_s: float = 45.0) -> None:
    """Set a trap and wait until a process has stepped into it; a step that does not come up fails the trial."""
    trap.arm(on.crew.local_dir, component)
    deadline = time.monotonic() + timeout_s
    while note(on.crew.local_dir, component).exists():
        if time.monotonic() > deadline:
            on.crew.disarm()
            raise AssertionError(f"the {component} never came to: {trap.step}")
        time.sleep(0.02)
    if trap.number == KILL:
        on.crew.kills[f"{component}-1"] += 1
    on.did.append(f"{component} {'killed' if trap.number == KILL else 'stopped'} at: {trap.step}")


def _two_workers(ground: Ground) -> None:
    ground.crew.start("worker-2")


def _zombie(on: Field) -> None:
    """One of two workers stands still until its partitions have moved to the other one, then wakes."""
    on.pause(0.5, 3.0)
    if on.random.random() < 0.5:
        name = on.random.choice(["records processed", "rows written", "published, not committed", "committed"])
        _trap(on, "worker", Trap(name, 0, STOP))
        asleep = [member for member in ("worker-1", "worker-2") if _is_stopped(on.crew.members[member].pid)]
    else:
        asleep = [on.random.choice(["worker-1", "worker-2"])]
        on.crew.signal(asleep[0], signal.SIGSTOP)
    seconds = on.random.uniform(*_ASLEEP_S) * on.patience
    time.sleep(seconds)
    for name in asleep:
        on.crew.signal(name, signal.SIGCONT)
        on.did.append(f"{name} asleep for {seconds:.1f} s")
    on.pause(2.0, 5.0)


def _one_worker(ground: Ground) -> None:
    ground.crew.stop("worker-2")


def _is_stopped(pid: int | None) -> bool:
    return pid is not None and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def _doze(name: str) -> Callable[[Field], None]:
    def act(on: Field) -> None:
        for _ in range(2):
            on.pause(0.5, 2.0)
            on.crew.signal(name, signal.SIGSTOP)
            seconds = on.random.uniform(1.0, 6.0)
            time.sleep(seconds)
            on.crew.signal(name, signal.SIGCONT)
            on.did.append(f"{name} asleep for {seconds:.1f} s")

    return act


def _second(component: str) -> Callable[[Field], None]:
    name = f"{component}-2"

    def act(on: Field) -> None:
        on.pause(0.0, 2.0)
        on.crew.start(name)
        on.pause(3.0, 9.0)
        how = on.random.choice(["stopped", "killed"])
        if how == "killed":
            on.crew.kill(name)
            on.pause(0.1, 0.3)
        on.crew.stop(name)
        on.did.append(f"{name} joined, was {how} and left")

    return act


def _resets(on: Field) -> None:
    until = time.monotonic() + on.random.uniform(5.0, 9.0)
    broken = dict.fromkeys(NAMES, 0)
    while time.monotonic() < until:
        on.pause(0.1, 1.0)
        name = on.random.choice(NAMES)
        broken[name] += on.servers.proxies[name].reset(on.random)
    on.did.append(f"connections reset: {broken}")


def _slow_database(on: Field) -> None:
    on.pause(0.5, 2.0)
    on.servers.proxies["postgres"].delay_s = on.random.uniform(0.05, 0.4)
    on.did.append(f"each answer of the database {on.servers.proxies['postgres'].delay_s * 1000:.0f} ms late")
    time.sleep(on.random.uniform(5.0, 10.0) * on.patience)
    on.servers.proxies["postgres"].delay_s = 0.0


def _standstill(on: Field) -> None:
    """Nothing passes for a while, and no connection breaks."""
    on.pause(0.5, 2.0)
    names = on.random.sample(NAMES, on.random.randint(1, 2))
    seconds = on.random.uniform(3.0, 9.0)
    for name in names:
        on.servers.proxies[name].held = True
    time.sleep(seconds)
    for name in names:
        on.servers.proxies[name].held = False
    on.did.append(f"nothing passed to or from {' and '.join(names)} for {seconds:.1f} s")


def _full_disk(on: Field) -> None:
    on.pause(0.5, 3.0)
    left = on.random.choice([0, 2**20, 24 * 2**20])
    on.servers.disk.fill(left)
    seconds = on.random.uniform(4.0, 10.0)
    time.sleep(seconds)
    on.servers.disk.clear()
    on.servers.wait_up("postgres")
    on.did.append(f"{left / 2**20:.0f} MB left on the database's disk for {seconds:.1f} s")


def _false_clock(ground: Ground) -> None:
    ground.clock.write_text("0\n")
    ground.replace_crew({"CHAOS_CLOCK": str(ground.clock)})


def _true_clock(ground: Ground) -> None:
    ground.replace_crew({})


def _clock_jumps(on: Field) -> None:
    for _ in range(3):
        on.pause(1.0, 3.0)
        jump = on.random.choice([-86_400, -3_600, -61, 61, 3_600, 86_400])
        beside = on.ground.clock.with_suffix(".new")
        beside.write_text(f"{jump:+d}\n")
        beside.rename(on.ground.clock)
        on.did.append(f"clocks off by {jump:+d} s")


def _storm(on: Field) -> None:
    """A server is away, and meanwhile other things go wrong as well."""
    on.pause(0.5, 2.0)
    names = [name for name in NAMES if name != "mqtt" or not _forgets(on.ground)]
    away = on.random.choice(names)
    on.servers.stack.hold(away)
    on.did.append(f"{away} away")
    for _ in range(on.random.randint(2, 4)):
        on.pause(0.3, 2.0)
        what = on.random.choice(["worker-1", "bridge-1", "resets", "server"])
        if what == "resets":
            for proxy in on.servers.proxies.values():
                proxy.reset(on.random)
        elif what == "server":
            what = on.random.choice([name for name in names if name != away])
            if on.servers.stack.status().server(what).pid is None:
                continue
            on.servers.stack.kill(what)
        else:
            on.crew.kill(what)
        on.did.append(what if what == "resets" else f"kill -9 {what}")
    on.servers.stack.release(away)
    for name in NAMES:
        on.servers.wait_up(name)


def _nothing(on: Field) -> None:
    on.did.append("nothing but the load")


KINDS: tuple[Kind, ...] = (
    Kind("kill worker", _kill_member("worker-1")),
    Kind("kill bridge", _kill_member("bridge-1")),
    Kind("kill worker at a step", _steps("worker"), Mix(seconds=14)),
    Kind("kill Kafka", _kill_server("kafka"), Mix(seconds=14)),
    Kind("kill PostgreSQL", _kill_server("postgres")),
    Kind("kill bridge at a step", _steps("bridge"), Mix(seconds=12)),
    Kind("kill Redis", _kill_server("redis")),
    Kind("kill MQTT broker", _kill_server("mqtt"), Mix(seconds=14), absent=_forgets),
    Kind("zombie worker", _zombie, Mix(seconds=24), prepare=_two_workers, restore=_one_worker),
    Kind("second worker", _second("worker"), Mix(seconds=16)),
    Kind("connection resets", _resets),
    Kind("database away", _outage("postgres"), Mix(seconds=16)),
    Kind("full disk", _full_disk, Mix(seconds=14), absent=lambda ground: ground.servers.disk.absent),
    Kind("Kafka truncated", truncate, Mix(poison=0)),
    Kind("several at once", _storm, Mix(seconds=16)),
    Kind("Kafka away", _outage("kafka"), Mix(seconds=16)),
    Kind("MQTT broker away", _outage("mqtt"), Mix(seconds=16), absent=_forgets),
    Kind("Redis away", _outage("redis"), Mix(seconds=16)),
    Kind("slow database", _slow_database, Mix(seconds=14)),
    Kind("network stands still", _standstill, Mix(seconds=14)),
    Kind("poison", _kill_member("worker-1"), Mix(poison=150)),
    Kind("repeats", _kill_member("bridge-1"), Mix(repeated=0.6)),
    Kind("bridge asleep", _doze("bridge-1"), Mix(seconds=14)),
    Kind("second bridge", _second("bridge"), Mix(seconds=16)),
    Kind("clock jumps", _clock_jumps, Mix(seconds=12), _false_clock, _true_clock),
    Kind("no fault", _nothing, Mix(rate=1_000)),
)
