"""The engine's command with a trapdoor at each named step of the delivery order: `-m tests.chaos.steps run worker`.

The engine itself knows nothing of this. Before its command runs, the functions that make up the order are wrapped; at
each call the wrapper looks for a note in the local directory that says where the process shall end or stand still.
"""

import functools
import importlib
import inspect
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Step:
    """One place in the order.

    Attributes:
        name: what it is called in reports.
        module: where the function is.
        function: dotted name in the module.
        when: before the call or after it.
    """

    name: str
    module: str
    function: str
    when: str


_STORE, _JOURNAL, _WORKER = "sinks.timescale", "sinks.journal", "stream.worker"
WORKER_STEPS = (
    Step("records taken", f"{_WORKER}.flow", "PartitionFlow.begin", BEFORE),
    Step("records processed", f"{_WORKER}.flow", "PartitionFlow._judge", AFTER),
    Step("transaction to be opened", _STORE, "TimescaleStore.write", BEFORE),
    Step("offset claimed", _JOURNAL, "_claim", AFTER),
    Step("rows written", _STORE, "TimescaleStore._write_rows", AFTER),
    Step("windows written", _STORE, "TimescaleStore._follow", AFTER),
    Step("offset moved", _JOURNAL, "_advance", AFTER),
    Step("in the middle of publishing", f"{_WORKER}.producer", "KafkaProducer._produce", AFTER),
    Step("published, not committed", f"{_WORKER}.publish", "Publisher.publish", AFTER),
    Step("committed", _STORE, "TimescaleStore.write", AFTER),
    Step("newest values to be written", "sinks.redis", "RedisLatest.write", BEFORE),
    Step("newest values written", "sinks.redis", "RedisLatest.write", AFTER),
    Step("checkpoint to be saved", f"{_WORKER}.checkpoints", "Checkpoints.save", BEFORE),
    Step("in the middle of a checkpoint", f"{_WORKER}.checkpoints", "checkpoint.save", AFTER),
    Step("checkpoint saved", f"{_WORKER}.checkpoints", "Checkpoints.save", AFTER),
    Step("windows folded, not published", f"{_WORKER}.outboxes", "OutboxPublisher._send", BEFORE),
    Step("windows published, not committed", f"{_WORKER}.outboxes", "OutboxPublisher._send", AFTER),
    Step("rejects to be kept", _STORE, "TimescaleStore.keep_rejected", BEFORE),
    Step("rejects kept", _STORE, "TimescaleStore.keep_rejected", AFTER),
)
_BRIDGE = "stream.bridge"
BRIDGE_STEPS = (
    Step("messages taken", f"{_BRIDGE}.batcher", "Batcher._produce", BEFORE),
    Step("in the middle of producing", f"{_BRIDGE}.kafka", "Kafka.send", AFTER),
    Step("batch produced", f"{_BRIDGE}.batcher", "Batcher._produce", AFTER),
    Step("Kafka has acknowledged", f"{_BRIDGE}.inflight", "InFlight.delivered", BEFORE),
    Step("to be acknowledged to MQTT", f"{_BRIDGE}.client", "Client.acknowledge", BEFORE),
    Step("acknowledged to MQTT", f"{_BRIDGE}.client", "Client.acknowledge", AFTER),
)


@dataclass(frozen=True)
class Trap:
    """A note that waits for a process.

    Attributes:
        step: name of the step.
        passes: how often it is passed before the trap closes.
        number: signal that the process then sends itself.
    """

    step: str
    passes: int
    number: int

    def arm(self, local_dir: Path, component: str) -> None:
        file = note(local_dir, component)
        beside = file.with_suffix(".new")
        beside.write_text(json.dumps(asdict(self)))
        beside.rename(file)


def note(local_dir: Path, component: str) -> Path:
    """Where the note for a component lies; it is gone once a process has stepped into the trap."""
    return local_dir / f"{component}.trap"


class Trapdoor:
    """Looks for the note at each step; the file is asked for every time, so that a trap can be set at any moment."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[str, int] = "", 0

    def passing(self, step: str) -> None:
        try:
            trap = Trap(**json.loads(self._file.read_text()))
        except (FileNotFoundError, ValueError):
            return
        if trap.step != step:
            return
        passes = self._seen[1] + 1 if self._seen[0] == step else 0
        self._seen = step, passes
        if passes < trap.passes:
            return
        try:
            self._file.unlink()
        except FileNotFoundError:
            return  # another process of the component was first
        os.kill(os.getpid(), trap.number)


def wrapped(step: Step, call: Callable[..., Any], passing: Callable[[str], None]) -> Callable[..., Any]:
    """Return the function with the trapdoor before or behind it."""
    if inspect.iscoroutinefunction(call):

        @functools.wraps(call)
        async def waiting(*args: Any, **options: Any) -> Any:
            if step.when == BEFORE:
                passing(step.name)
            result = await call(*args, **options)
            if step.when == AFTER:
                passing(step.name)
            return result

        return waiting

    @functools.wraps(call)
    def calling(*args: Any, **options: Any) -> Any:
        if step.when == BEFORE:
            passing(step.name)
        result = call(*args, **options)
        if step.when == AFTER:
            passing(step.name)
        return result

    return calling


def place(step: Step) -> tuple[Any, str]:
    """Return what holds a step's function, and its name there; one that is not there any more is an error."""
    holder = importlib.import_module(step.module)
    *path, name = step.function.split(".")
    for part in path:
        holder = getattr(holder, part)
    getattr(holder, name)
    return holder, name


def install(steps: tuple[Step, ...], passing: Callable[[str], None]) -> None:
    """Wrap the functions of all steps."""
    for step in steps:
        holder, name = place(step)
        setattr(holder, name, wrapped(step, getattr(holder, name), passing))


class FalseClock:
    """A wall clock that is off by as many seconds as a file says; monotonic clocks stay true, as they do in life.

    libfaketime would reach native code as well, but makes Python's `time.sleep` fail.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._true = time.time
        self._read_at, self._off_s = -1.0, 0.0

    def __call__(self) -> float:
        now = time.monotonic()
        if now - self._read_at > 0.2:
            self._read_at, self._off_s = now, float(self._file.read_text())
        return self._true() + self._off_s


def main() -> None:
    """Install the trapdoors of the component that is to run, then run it."""
    if "CHAOS_CLOCK" in os.environ:
        time.time = FalseClock(Path(os.environ["CHAOS_CLOCK"]))
    component = sys.argv[-1]
    trapdoor = Trapdoor(note(Path(os.environ["METERSTREAM_LOCAL_DIR"]), component))
    install(WORKER_STEPS if component == "worker" else BRIDGE_STEPS, trapdoor.passing)
    from stream.cli import main as command  # noqa: PLC0415 - after the functions that it will find are wrapped

    command()


KILL, STOP = int(signal.SIGKILL), int(signal.SIGSTOP)

if __name__ == "__main__":
    main()
