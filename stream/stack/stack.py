"""The local stack as its callers see it: up, down, status, and the faults that tests inflict on it."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from stream.stack import background, settings
from stream.stack.endpoints import Endpoints
from stream.stack.errors import ServerFailedError, StackError
from stream.stack.health import probe_all
from stream.stack.layout import Layout, alone
from stream.stack.servers import Servers
from stream.stack.status import NOTHING, ServerState, ServerStatus, StackStatus, read_status
from stream.stack.supervisor import owner

_POLL_S = 0.05
#: Longer than the slowest clean stop of one server, since they stop side by side [s].
_DOWN_TIMEOUT_S = 60.0
#: A supervisor has only to import before it takes its lock, but on a busy machine [s].
_LAUNCH_TIMEOUT_S = 30.0
#: How soon the supervisor has noticed a death, with a wide margin [s].
_NOTICE_TIMEOUT_S = 10.0


class LocalStack:
    """Kafka, MQTT, PostgreSQL and Redis under one directory.

    Args:
        directory: where data, logs and the state file live; stacks in different directories do not meet.
    """

    def __init__(self, directory: Path) -> None:
        self._layout = Layout(directory.resolve())
        self._child: int | None = None

    @property
    def directory(self) -> Path:
        """Return the directory of the stack."""
        return self._layout.directory

    def up(self, *, attached: bool = False, progress: Callable[[str], None] | None = None) -> Endpoints:
        """Start what does not run yet, wait until all of it is healthy, and return where to connect.

        Args:
            attached: end with the calling process, however that ends. A stack that runs already keeps its ways.
            progress: told what happens, a line at a time.

        Raises:
            MissingProgramError: something must be installed first.
            ServerFailedError: a server does not start. If it was this call that started the stack, all is down again.
        """
        self._layout.create()
        with alone(self._layout.launch_lock):
            launched = owner(self._layout) is None
            if launched:
                self._launch(attached=attached)
        try:
            return self._follow(progress or (lambda _line: None))
        except (StackError, KeyboardInterrupt):
            if launched:
                self.down()
            raise

    def _launch(self, *, attached: bool) -> None:
        """Start a supervisor and wait until the directory is its own."""
        for server in Servers.build(self._layout, settings.load()).all():
            server.check()
        # What an earlier supervisor left must not be taken for news.
        self._layout.state.unlink(missing_ok=True)
        for mark in self._layout.held("").iterdir():
            mark.unlink()
        self._reap()
        arguments = [str(self.directory), *(("--caller", str(os.getpid())) if attached else ())]
        self._child = background.start("stream.stack.supervisor", *arguments, log=self._layout.log("supervisor"))
        deadline = time.monotonic() + _LAUNCH_TIMEOUT_S
        while owner(self._layout) is None:
            if self._reap() or time.monotonic() > deadline:
                raise StackError(f"the supervisor did not start: see {self._layout.log('supervisor')}")
            time.sleep(_POLL_S)

    def _follow(self, progress: Callable[[str], None]) -> Endpoints:
        """Wait until everything is up, telling every change of state once."""
        told: dict[str, tuple[ServerState, str]] = {}
        while owner(self._layout) is not None:
            status = self.status()
            for server in status.servers:
                if told.get(server.name) != (server.state, server.detail):
                    told[server.name] = (server.state, server.detail)
                    progress(f"{server.name}: {server.detail or server.state}")
                if server.state is ServerState.FAILED:
                    raise ServerFailedError(server.name, server.detail, str(self._layout.log(server.name)))
            if status.healthy and status.endpoints is not None:
                return status.endpoints
            time.sleep(_POLL_S)
        raise StackError(f"the supervisor ended: see {self._layout.log('supervisor')}")

    def down(self, *, purge: bool = False) -> None:
        """Stop every server cleanly; what does not stop in time is killed.

        Args:
            purge: remove the data as well.
        """
        supervisor = owner(self._layout)
        if supervisor is not None:
            os.kill(supervisor, signal.SIGTERM)
            if not self._released_within(_DOWN_TIMEOUT_S):
                # Its servers go with it, as a supervisor that was killed leaves none behind.
                os.kill(supervisor, signal.SIGKILL)
                self._released_within(_DOWN_TIMEOUT_S)
        while not self._reap():
            time.sleep(_POLL_S)
        if purge:
            self._layout.purge()

    def _reap(self) -> bool:
        """Take leave of a supervisor of our own that has ended; True where there is none (any more)."""
        if self._child is not None and background.has_ended(self._child):
            self._child = None
        return self._child is None

    def _released_within(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while owner(self._layout) is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def status(self, *, probe: bool = False) -> StackStatus:
        """Return what runs, as the supervisor knows it.

        Args:
            probe: connect to every server as well; one that hangs shows up as unresponsive.
        """
        status = read_status(self._layout)
        if status is None or owner(self._layout) is None:
            return NOTHING
        return probe_all(self._layout, status) if probe else status

    def endpoints(self) -> Endpoints | None:
        """Return where to connect, None where the stack is not up."""
        status = self.status()
        return status.endpoints if status.healthy else None

    def kill(self, name: str) -> int:
        """Kill a server without warning and wait until that is noticed; the supervisor starts it again.

        Returns:
            The process id that was killed.
        """
        pid = self.status().server(name).pid
        if pid is None:
            raise StackError(f"{name} has no process to kill")
        os.kill(pid, signal.SIGKILL)
        self._wait_for(name, lambda server: server.pid != pid)
        return pid

    def hold(self, name: str) -> None:
        """Kill a server and keep it down until release(): an outage."""
        self._layout.held(name).touch()
        self.kill(name)
        self._wait_for(name, lambda server: server.state is ServerState.HELD)

    def release(self, name: str) -> None:
        """Let a held server come back; wait_healthy() waits for it."""
        self._layout.held(name).unlink(missing_ok=True)
        self._wait_for(name, lambda server: server.state is not ServerState.HELD)

    def _wait_for(self, name: str, condition: Callable[[ServerStatus], bool]) -> None:
        deadline = time.monotonic() + _NOTICE_TIMEOUT_S
        while not condition(self.status().server(name)):
            if time.monotonic() > deadline:
                raise StackError(f"the supervisor does not react: see {self._layout.log('supervisor')}")
            time.sleep(_POLL_S)

    def wait_healthy(self, timeout_s: float = 60.0) -> Endpoints:
        """Wait until every server is up again.

        Raises:
            StackError: they were not in time.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            endpoints = self.endpoints()
            if endpoints is not None:
                return endpoints
            time.sleep(_POLL_S)
        raise StackError(f"not healthy within {timeout_s:.0f} s: {self.status().servers}")
