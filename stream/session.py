"""Stack and engine together, for the commands that bring everything up and take it down again."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from types import FrameType

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
        engine: the bridges and workers that were started here.
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
def session(settings: Settings, *, bridges: int, workers: int, tell: Tell) -> Iterator[Session]:
    """Start the local stack where its services are needed and do not run, then the engine; stop what was started.

    Args:
        settings: services that have a URL in them are not started.
        bridges: how many.
        workers: how many.
        tell: told what happens, a line at a time.

    Raises:
        StackError: a server does not start.
    """
    with ExitStack() as ending:
        if any(getattr(settings, name) is None for name in ALL):
            stack = LocalStack(settings.local_dir)
            if stack.status().supervisor_pid is None:
                ending.callback(stack.down)
            stack.up(attached=True, progress=tell)
        endpoints = resolve(settings)
        environment = {f"METERSTREAM_{name.upper()}": url for name, url in asdict(endpoints).items()}
        engine = Engine(settings.local_dir, environment, bridges=bridges, workers=workers, tell=tell)
        yield Session(endpoints, ending.enter_context(engine))


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
