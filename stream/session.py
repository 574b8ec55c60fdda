"""Stack and engine together, for the commands that bring everything up and take it down again."""

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from types import FrameType
from typing import overload

from schemas.errors import MeterstreamError
from stream.endpoints import ALL, resolve
from stream.engine import Engine, Tell
from stream.settings import Settings
from stream.stack.endpoints import Endpoints
from stream.stack.stack import LocalStack

#: A worker has partitions to recover; on a busy machine that takes its time [s].
_READY_TIMEOUT_S = 180.0
_POLL_S = 0.1


class NotReady(MeterstreamError):
    """The engine was started and does not become ready."""


@dataclass(frozen=True)
class Session:
    """What runs.

    Attributes:
        endpoints: where the services are.
        engine: the processes that were started here.
    """

    endpoints: Endpoints
    engine: Engine

    def wait_ready(self) -> None:
        """Wait until every member does what it is for.

        Raises:
            NotReady: one was given up, or it takes too long.
        """
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while unready := self.engine.unready():
            if self.engine.failures:
                raise NotReady("; ".join(self.engine.failures))
            if time.monotonic() > deadline:
                waiting = ", ".join(f"{process.component}: {process.health()}" for process in self.engine.processes())
                raise NotReady(f"not ready after {_READY_TIMEOUT_S:.0f} s: {', '.join(unready)} ({waiting})")
            time.sleep(_POLL_S)


@contextmanager
def session(settings: Settings, *, bridges: int, workers: int, tell: Tell, purge: bool = False) -> Iterator[Session]:
    """Start the local stack where its services are needed and do not run, then the engine; stop what was started.

    Args:
        settings: services that have a URL in them are not started.
        bridges: how many.
        workers: how many.
        tell: told what happens, a line at a time.
        purge: remove the data of a stack that was started here.

    Raises:
        StackError: a server does not start.
    """
    with ExitStack() as ending:
        needed = [name for name in ALL if getattr(settings, name) is None]
        starter = _Starter(settings, bridges, workers, tell, ending)
        if needed:
            stack = LocalStack(settings.local_dir)
            if stack.status().supervisor_pid is None:
                ending.callback(_take_down, stack, purge=purge)

            def progress(line: str) -> None:
                tell(line)
                starter.start(stack.status().endpoints)

            stack.up(attached=True, progress=progress)
        endpoints = resolve(settings)
        yield Session(endpoints, starter.start(endpoints))


class _Starter:
    """Starts the engine once, as early as the addresses are known: loading it takes as long as the servers take."""

    def __init__(self, settings: Settings, bridges: int, workers: int, tell: Tell, ending: ExitStack) -> None:
        self._settings, self._bridges, self._workers = settings, bridges, workers
        self._tell, self._ending = tell, ending
        self._engine: Engine | None = None

    @overload
    def start(self, endpoints: Endpoints) -> Engine: ...

    @overload
    def start(self, endpoints: Endpoints | None) -> Engine | None: ...

    def start(self, endpoints: Endpoints | None) -> Engine | None:
        """Start it where the addresses are known; its processes wait for services that are not up yet."""
        if self._engine is None and endpoints is not None:
            urls = {name: getattr(self._settings, name) or url for name, url in asdict(endpoints).items()}
            self._engine = Engine(
                self._settings.local_dir,
                {f"METERSTREAM_{name.upper()}": url for name, url in urls.items()},
                bridges=self._bridges,
                workers=self._workers,
                tell=self._tell,
                due=self._servers_are_launched,
            )
            self._ending.enter_context(self._engine)
        return self._engine

    def _servers_are_launched(self) -> bool:
        """Whether only seconds are left: a child that waits for a download grows patient, and then wakes late."""
        servers = LocalStack(self._settings.local_dir).status().servers
        return all(server.pid is not None for server in servers)


def _take_down(stack: LocalStack, *, purge: bool) -> None:
    stack.down(purge=purge)
    if purge:
        # What the engine's processes keep beside the stack: notes, slots, and a data folder without data.
        for folder in ("run", "worker"):
            shutil.rmtree(stack.directory / folder, ignore_errors=True)


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM and SIGINT end the command as Ctrl-C does, even where a shell had told us to ignore the latter."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
