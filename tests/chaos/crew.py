"""Bridges and workers under test: started again as an operator's supervisor would, watched, and stopped in order."""

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from stream.engine import Member, Restarts
from stream.processes import Process, noted, running
from stream.stack.endpoints import Endpoints
from stream.stack.process import Launch
from tests.chaos.steps import note

ROOT = Path(__file__).resolve().parents[2]
#: A process that ends this often within a minute is in a crash loop; no trial kills that often.
_LOOP = Restarts(most=12, within_s=60.0)
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: Shorter than an operator's, so that trials need not wait; each of them is a setting.
SETTINGS = {
    "METERSTREAM_PARTITIONS": "4",
    "METERSTREAM_REDIS_EXPIRY_S": "86400",
    # The load has times of its own, long past.
    "METERSTREAM_RETENTION__READINGS_DAYS": "0",
    "METERSTREAM_WORKER__CHECKPOINT_INTERVAL_S": "2",
    "METERSTREAM_WORKER__SESSION_TIMEOUT_S": "8",
    "METERSTREAM_WORKER__STALL_TIMEOUT_S": "40",
}


@dataclass
class Usage:
    """The most that a process was seen to use."""

    rss_bytes: int = 0
    files: int = 0

    def look(self, pid: int) -> None:
        try:
            resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
            files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        except (OSError, IndexError):
            return
        self.rss_bytes, self.files = max(self.rss_bytes, resident), max(self.files, files)


@dataclass
class Crew:
    """The engine's processes of one run.

    Attributes:
        local_dir: where they keep notes and logs.
        endpoints: where the services are.
        extra: further variables.
        told: what their supervisor said, a line at a time.
    """

    local_dir: Path
    endpoints: Endpoints
    extra: Mapping[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Self:
        (self.local_dir / "logs").mkdir(parents=True, exist_ok=True)
        self.start("bridge-1")
        self.start("worker-1")
        return self

    def __exit__(self, *_: object) -> None:
        for name in sorted(self.members):
            self.stop(name)

    def log(self, name: str) -> Path:
        return self.local_dir / "logs" / f"{name}.log"

    def start(self, name: str) -> None:
        """Start a member, such as `worker-2`; it comes again when it fails."""
        component = name.partition("-")[0]
        launch = Launch(
            argv=(sys.executable, "-m", "tests.chaos.steps", "run", component),
            directory=ROOT,
            environment={**SETTINGS, **self._urls(), **self.extra, "METERSTREAM_LOCAL_DIR": str(self.local_dir)},
            stop_timeout_s=25.0,
        )
        restarts = Restarts(_LOOP.most, _LOOP.within_s)
        member = Member(name, launch, self.log(name), self._tell, restarts, self._is_unwell, self._bury)
        self.members[name] = member
        self.kills.setdefault(name, 0)
        member.start()

    def stop(self, name: str) -> None:
        """Stop a member in order; it stays down."""
        member = self.members.pop(name)
        member.end()
        member.join()

    def kill(self, name: str) -> None:
        """End a member without warning."""
        self.signal(name, signal.SIGKILL)

    def signal(self, name: str, number: int) -> int:
        """Send a signal to a member that runs, waiting for one that is just being started; return its process id."""
        deadline = time.monotonic() + 30
        while (pid := self.members[name].pid) is None:
            assert time.monotonic() < deadline, f"{name} does not run: {self.told[-5:]}"
            time.sleep(0.02)
        if number == signal.SIGKILL:
            self.kills[name] += 1
        os.kill(pid, number)
        return pid

    def processes(self) -> dict[str, Process]:
        """Return the members that have started and left their note."""
        found = {process.pid: process for process in running(self.local_dir)}
        return {name: found[member.pid] for name, member in self.members.items() if member.pid in found}

    def unready(self) -> list[str]:
        """Return the members that do not yet do what they are for."""
        ready = {name for name, process in self.processes().items() if (process.health() or {}).get("ready")}
        return sorted(set(self.members) - ready)

    def wait_ready(self, timeout_s: float = 120.0) -> None:
        deadline = time.monotonic() + timeout_s
        while unready := self.unready():
            assert not self.failures, self.failures
            assert time.monotonic() < deadline, f"not ready: {unready}; {self.told[-5:]}"
            time.sleep(0.2)

    @property
    def failures(self) -> list[str]:
        """Why members were given up."""
        return [member.failure for member in self.members.values() if member.failure]

    def starts(self) -> dict[str, int]:
        """How often each member was started."""
        return {name: member.starts for name, member in self.members.items()}

    def disarm(self) -> list[str]:
        """Take away traps that nobody stepped into; return whose they were."""
        left = []
        for component in ("worker", "bridge"):
            file = note(self.local_dir, component)
            if file.exists():
                file.unlink()
                left.append(component)
        return left

    def _urls(self) -> dict[str, str]:
        return {
            "METERSTREAM_KAFKA_URL": self.endpoints.kafka_url,
            "METERSTREAM_MQTT_URL": self.endpoints.mqtt_url,
            "METERSTREAM_DATABASE_URL": self.endpoints.database_url,
            "METERSTREAM_REDIS_URL": self.endpoints.redis_url,
        }

    def _tell(self, line: str) -> None:
        self.told.append(f"{time.strftime('%H:%M:%S')} {line}")

    def _is_unwell(self, pid: int) -> bool:
        said = [process.health() for process in running(self.local_dir) if process.pid == pid]
        return any(health is not None and not health["live"] for health in said)

    def _bury(self, pid: int) -> None:
        for process in noted(self.local_dir):
            if process.pid == pid:
                process.note.unlink(missing_ok=True)


class Watcher(threading.Thread):
    """Looks at memory and open files of every member while a trial runs."""

    def __init__(self, crew: Crew) -> None:
        super().__init__(name="watcher", daemon=True)
        self._crew = crew
        self._ending = threading.Event()
        self.usage: dict[str, Usage] = {}

    def run(self) -> None:
        while not self._ending.wait(0.5):
            for name, member in list(self._crew.members.items()):
                if member.pid is not None:
                    self.usage.setdefault(name.partition("-")[0], Usage()).look(member.pid)

    def end(self) -> None:
        self._ending.set()
        self.join()
