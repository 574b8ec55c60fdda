"""Keeps one server alive: prepare, start, probe, watch, start again."""

import subprocess
import threading
import time
from collections import deque

from stream.stack.errors import NotReadyError, StackError
from stream.stack.layout import Layout
from stream.stack.process import Tether, last_lines, spawn, stop
from stream.stack.server import Server
from stream.stack.status import ServerState, StatusBoard

#: Pause before the first restart, doubled with each death that follows within the span below [s].
FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 5.0
#: A server that died this often within this span stays down.
MOST_DEATHS = 8
DEATH_SPAN_S = 120.0
#: Probes of a server that takes long grow rarer: each one leaves a line in its log [s].
LONGEST_PROBE_PAUSE_S = 0.4
#: How soon a death or a stop is noticed [s].
POLL_S = 0.05


class Keeper(threading.Thread):
    """The thread that owns a server; it lives as long as the server may, as the death signal demands."""

    def __init__(self, server: Server, layout: Layout, board: StatusBoard, start_timeout_s: float) -> None:
        # A daemon: a first download must not hold up the end of the supervisor.
        super().__init__(name=f"keeper-{server.name}", daemon=True)
        self._server = server
        self._layout = layout
        self._board = board
        self._start_timeout_s = start_timeout_s
        self._log = layout.log(server.name)
        self._tether = Tether.create()
        self._deaths: deque[float] = deque(maxlen=MOST_DEATHS)
        self._restarts = 0
        self._ending = threading.Event()
        self._serving = threading.Event()

    def end(self) -> None:
        """Ask for a clean stop of the server; stopped() waits for it."""
        self._ending.set()

    def stopped(self) -> None:
        """Wait until the server has stopped; does not wait for preparations, which die with this process."""
        if self._serving.is_set():
            self.join()

    def run(self) -> None:
        """Keep the server alive until the end is asked for, or until it is beyond help."""
        while not self._ending.is_set():
            self._wait_while_held()
            try:
                self._live_once()
            except StackError as error:
                self._give_up(str(error))
            if not self._ending.is_set():
                self._mourn()
        self._board.update(self._server.name, state=ServerState.DOWN, pid=None)

    def _live_once(self) -> None:
        """Start the server and watch it until it dies, is held, or the end is asked for."""
        launch = self._server.prepare(self._report)
        if self._ending.is_set():
            return
        self._serving.set()
        process = spawn(launch, self._log, self._tether)
        self._board.update(self._server.name, pid=process.pid)
        try:
            if self._becomes_healthy(process):
                self._board.update(self._server.name, state=ServerState.UP, detail="")
                while process.poll() is None and not self._ending.wait(POLL_S):
                    pass
        finally:
            stop(process, launch)
            self._serving.clear()

    def _becomes_healthy(self, process: subprocess.Popen[bytes]) -> bool:
        """Probe until the server answers; False when it died or the end was asked for."""
        deadline = time.monotonic() + self._start_timeout_s
        pause = POLL_S
        while process.poll() is None and not self._ending.wait(pause):
            pause = min(pause * 1.3, LONGEST_PROBE_PAUSE_S)
            try:
                self._server.probe()
            except NotReadyError as error:
                if time.monotonic() > deadline:
                    raise StackError(f"not healthy within {self._start_timeout_s:.0f} s: {error}") from error
            else:
                return True
        return False

    def _mourn(self) -> None:
        """Record a death and pause; give up after too many."""
        if self._layout.held(self._server.name).exists():
            return
        now = time.monotonic()
        self._deaths.append(now)
        recent = [death for death in self._deaths if now - death < DEATH_SPAN_S]
        if len(recent) >= MOST_DEATHS:
            self._give_up(f"it ended {len(recent)} times in {DEATH_SPAN_S:.0f} s: {last_lines(self._log)}")
            return
        self._restarts += 1
        self._board.update(
            self._server.name,
            state=ServerState.RESTARTING,
            pid=None,
            restarts=self._restarts,
            detail=f"it ended by itself: {last_lines(self._log, 1)}",
        )
        self._ending.wait(min(FIRST_BACKOFF_S * 2 ** (len(recent) - 1), LONGEST_BACKOFF_S))

    def _wait_while_held(self) -> None:
        mark = self._layout.held(self._server.name)
        if mark.exists():
            self._board.update(self._server.name, state=ServerState.HELD, pid=None, detail="held down on request")
        while mark.exists() and not self._ending.wait(POLL_S):
            pass

    def _give_up(self, reason: str) -> None:
        self._board.update(self._server.name, state=ServerState.FAILED, pid=None, detail=reason)
        self._ending.wait()

    def _report(self, detail: str) -> None:
        state = ServerState.STARTING if self._restarts == 0 else ServerState.RESTARTING
        self._board.update(self._server.name, state=state, detail=detail)
