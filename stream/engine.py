"""The engine as child processes: bridges, workers and an alert desk, started again when they fail, stopped in order."""

import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from stream.processes import Process, noted, running
from stream.stack.layout import Layout
from stream.stack.process import Launch, Tether, last_lines, spawn, stop

#: How soon the end of a child, or the wish to end it, is noticed [s].
_POLL_S = 0.1
#: How often a child is asked whether it lives [s], and how often in a row it may say no.
_ASK_EVERY_S = 5.0
_MOST_NOES = 3
#: Longer than a bridge waits for Kafka, or a worker for its last checkpoint [s].
_STOP_TIMEOUT_S = 25.0

Tell = Callable[[str], None]


@dataclass
class Restarts:
    """When a child that ended is started again.

    Attributes:
        most: ends within `within_s` after which nothing more is tried.
        within_s: see `most` [s].
        first_s: pause before the first restart [s]; doubled with each end that follows within `within_s`.
        longest_s: longest pause [s].
    """

    most: int = 5
    within_s: float = 60.0
    first_s: float = 0.2
    longest_s: float = 5.0
    _ends: deque[float] = field(default_factory=deque)

    def pause_s(self, now_s: float) -> float | None:
        """Note an end and return the pause before the next start [s]; None where there shall be none.

        Args:
            now_s: a monotonic time [s].
        """
        self._ends.append(now_s)
        while now_s - self._ends[0] > self.within_s:
            self._ends.popleft()
        if len(self._ends) >= self.most:
            return None
        return float(min(self.first_s * 2 ** (len(self._ends) - 1), self.longest_s))


def how_it_ended(code: int) -> str:
    """Say in words how a process ended."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


class Member(threading.Thread):
    """The thread that owns one child; it lives as long as the child may, as the kernel's death signal demands.

    Exit code 0 is an end that somebody asked for: the child stays down. Every other end is a failure.

    Args:
        name: what it is called in messages and in the name of its log.
        launch: how to start it.
        log: where its output goes.
        tell: told when it fails, and what is done about it.
        restarts: when it is started again.
        unwell: asked now and then about the child's process id; True several times in a row ends the child.
        bury: given the child's process id when it has ended, however it did.
        due: the first start waits until it says True.
    """

    def __init__(
        self,
        name: str,
        launch: Launch,
        log: Path,
        tell: Tell,
        restarts: Restarts | None = None,
        unwell: Callable[[int], bool] = lambda _pid: False,
        bury: Callable[[int], None] = lambda _pid: None,
        due: Callable[[], bool] = lambda: True,
    ) -> None:
        # A daemon: whoever is in a hurry ends the whole process, and the children with it.
        super().__init__(name=name, daemon=True)
        self._launch, self._log, self._tell = launch, log, tell
        self._restarts = restarts or Restarts()
        self._unwell, self._bury, self._due = unwell, bury, due
        self._tether = Tether.create()
        self._ending = threading.Event()
        self.pid: int | None = None
        self.starts = 0
        self.failure: str | None = None

    def end(self) -> None:
        """Ask for a clean end; join() waits for it."""
        self._ending.set()

    def run(self) -> None:
        """Keep the child alive until end() is called, it ends by itself, or it is beyond help."""
        while not self._due() and not self._ending.wait(_POLL_S):
            pass
        while not self._ending.is_set():
            code = self._live_once()
            self.pid = None
            if self._ending.is_set():
                return
            if code == 0:
                self._tell(f"{self.name} ended, as somebody asked it to")
                return
            pause_s = self._restarts.pause_s(time.monotonic())
            if pause_s is None:
                self.failure = f"{self.name} failed too often, last with {how_it_ended(code)}: {last_lines(self._log)}"
                self._tell(self.failure)
                return
            self._tell(f"{self.name}: {how_it_ended(code)}; starting it again in {pause_s:.1f} s")
            self._ending.wait(pause_s)

    def _live_once(self) -> int:
        process = spawn(self._launch, self._log, self._tether)
        self.pid = process.pid
        self.starts += 1
        try:
            self._watch(process)
        finally:
            stop(process, self._launch)
            self._bury(process.pid)
        return process.returncode

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Return when the child has ended, should end, or has said several times that it is not well."""
        asked_at, noes = time.monotonic(), 0
        while process.poll() is None and not self._ending.wait(_POLL_S):
            if time.monotonic() - asked_at < _ASK_EVERY_S:
                continue
            asked_at, noes = time.monotonic(), noes + 1 if self._unwell(process.pid) else 0
            if noes == _MOST_NOES:
                self._tell(f"{self.name} says that it does not work any more")
                process.kill()


class Engine:
    """Some bridges, workers and alert desks below one local directory; a context manager.

    Args:
        local_dir: where they keep their notes and logs.
        environment: variables on top of this process's own: where the services are.
        bridges: how many.
        workers: how many.
        desks: how many alert desks; one of them is active.
        tell: told about failures and restarts, a line at a time.
        due: the first start waits until it says True.
    """

    def __init__(
        self,
        local_dir: Path,
        environment: Mapping[str, str],
        *,
        bridges: int,
        workers: int,
        desks: int = 1,
        tell: Tell,
        due: Callable[[], bool] = lambda: True,
    ) -> None:
        self._local_dir = local_dir.resolve()
        logs = Layout(self._local_dir).log
        logs("").parent.mkdir(parents=True, exist_ok=True)
        names = [("bridge", number) for number in range(1, bridges + 1)]
        names += [("worker", number) for number in range(1, workers + 1)]
        names += [("alerts", number) for number in range(1, desks + 1)]
        self.members = [
            Member(
                f"{component}-{number}",
                Launch(
                    # -P: the local directory is no place to import from.
                    argv=(sys.executable, "-P", "-m", "stream.cli", "run", component),
                    directory=self._local_dir,
                    environment={**environment, "METERSTREAM_LOCAL_DIR": str(self._local_dir)},
                    stop_timeout_s=_STOP_TIMEOUT_S,
                ),
                logs(f"{component}-{number}"),
                tell,
                unwell=self._is_unwell,
                bury=self._bury,
                due=due,
            )
            for component, number in names
        ]

    def __enter__(self) -> Self:
        for process in noted(self._local_dir):
            # Left by processes that were killed; a number that is used again would bring them to life.
            if not process.alive:
                process.note.unlink(missing_ok=True)
        for member in self.members:
            member.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop in the order of the flow: bridges first, so that workers have nothing new to begin with."""
        for component in ("bridge", "worker", "alerts"):
            members = [member for member in self.members if member.name.startswith(component) and member.is_alive()]
            for member in members:
                member.end()
            for member in members:
                member.join()

    @property
    def failures(self) -> list[str]:
        """Why members were given up."""
        return [member.failure for member in self.members if member.failure]

    def processes(self) -> list[Process]:
        """Return the members that have started and left their note."""
        mine = {member.pid for member in self.members}
        return [process for process in running(self._local_dir) if process.pid in mine]

    def unready(self) -> list[str]:
        """Return the names of the members that do not yet do what they are for."""
        ready = {process.pid for process in self.processes() if (process.health() or {}).get("ready")}
        return [member.name for member in self.members if member.pid is None or member.pid not in ready]

    def _is_unwell(self, pid: int) -> bool:
        said = [process.health() for process in running(self._local_dir) if process.pid == pid]
        return any(health is not None and not health["live"] for health in said)

    def _bury(self, pid: int) -> None:
        """Remove the note of a child that was killed and could not do so itself."""
        for process in noted(self._local_dir):
            if process.pid == pid:
                process.note.unlink(missing_ok=True)
