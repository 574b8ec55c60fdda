"""The local stack as its callers see it: up, down, status."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from stream.stack.endpoints import Endpoints
from stream.stack.errors import ServerFailedError, StackError
from stream.stack.layout import Layout
from stream.stack.servers import Servers
from stream.stack.settings import StackSettings
from stream.stack.status import ServerState, StackStatus, read_status
from stream.stack.supervisor import owner

_POLL_S = 0.05
#: Longer than the slowest clean stop of one server, since they stop side by side [s].
_DOWN_TIMEOUT_S = 30.0
_NOTHING = StackStatus(supervisor_pid=None, attached=False, servers=(), endpoints=None)


class LocalStack:
    """Kafka, MQTT, PostgreSQL and Redis under one directory.

    Args:
        directory: where data, logs and the state file live; stacks in different directories do not meet.
    """

    def __init__(self, directory: Path) -> None:
        self._layout = Layout(directory.resolve())
        self._child: subprocess.Popen[bytes] | None = None

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
            ServerFailedError: a server does not start; everything is down again.
        """
        if owner(self._layout) is None:
            self._launch(attached=attached)
        try:
            return self._wait_healthy(progress or (lambda _line: None))
        except StackError:
            self.down()
            raise

    def _launch(self, *, attached: bool) -> None:
        settings = StackSettings()
        self._layout.create()
        for server in Servers.build(self._layout, settings).all():
            server.check()
        # What an earlier supervisor left must not be taken for news.
        self._layout.state.unlink(missing_ok=True)
        for mark in self._layout.held("").iterdir():
            mark.unlink()
        argv = [sys.executable, "-m", "stream.stack.supervisor", str(self.directory)]
        if attached:
            argv += ["--caller", str(os.getpid())]
        with self._layout.log("supervisor").open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 (our own module)
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _wait_healthy(self, progress: Callable[[str], None]) -> Endpoints:
        seen: dict[str, tuple[ServerState, str]] = {}
        while True:
            status = read_status(self._layout)
            for server in status.servers if status is not None else ():
                if seen.get(server.name) != (server.state, server.detail):
                    seen[server.name] = (server.state, server.detail)
                    progress(f"{server.name}: {server.detail or server.state}")
                if server.state is ServerState.FAILED:
                    raise ServerFailedError(server.name, server.detail, str(self._layout.log(server.name)))
            if status is not None and status.healthy and status.endpoints is not None:
                return status.endpoints
            if self._child is not None and self._child.poll() is not None and owner(self._layout) is None:
                raise StackError(f"the supervisor ended: see {self._layout.log('supervisor')}")
            time.sleep(_POLL_S)

    def down(self, *, purge: bool = False) -> None:
        """Stop every server cleanly; what does not stop in time is killed.

        Args:
            purge: remove the data as well.
        """
        supervisor = owner(self._layout)
        if supervisor is not None:
            os.kill(supervisor, signal.SIGTERM)
            if not self._gone_within(_DOWN_TIMEOUT_S):
                os.kill(supervisor, signal.SIGKILL)
                self._gone_within(_DOWN_TIMEOUT_S)
        if self._child is not None:
            self._child.wait()
            self._child = None
        if purge:
            self._layout.purge()

    def _gone_within(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while owner(self._layout) is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def status(self) -> StackStatus:
        """Return what runs, as the supervisor knows it."""
        status = read_status(self._layout)
        if status is None or owner(self._layout) is None:
            return _NOTHING
        return status

    def endpoints(self) -> Endpoints | None:
        """Return where to connect, None where the stack is not up."""
        status = self.status()
        return status.endpoints if status.healthy else None

    def kill(self, name: str) -> int:
        """Kill a server without warning, as a fault test does; the supervisor starts it again.

        Returns:
            The process id that was killed.
        """
        pid = self.status().server(name).pid
        if pid is None:
            raise StackError(f"{name} has no process to kill")
        os.kill(pid, signal.SIGKILL)
        return pid

    def hold(self, name: str) -> None:
        """Kill a server and keep it down until release(): an outage."""
        self._layout.held(name).touch()
        self.kill(name)

    def release(self, name: str) -> None:
        """Let a held server come back."""
        self._layout.held(name).unlink(missing_ok=True)

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
