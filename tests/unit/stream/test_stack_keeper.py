"""The keeper of one server, with a shell script as the server."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stream.stack import keeper as keeper_module
from stream.stack.errors import NotReadyError, StackError
from stream.stack.keeper import Keeper
from stream.stack.layout import Layout
from stream.stack.process import Launch
from stream.stack.server import Report
from stream.stack.status import ServerState, ServerStatus, StackStatus, StatusBoard, read_status


@dataclass
class Script:
    """A server that is whatever its script is."""

    directory: Path
    script: str = "exec sleep 60"
    failure: str = ""
    answers: bool = True
    name: str = "script"
    product: str = "sh"
    url: str = "none:"
    started: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Needs nothing."""

    def prepare(self, report: Report) -> Launch:
        """Start the script, or fail as told."""
        report("preparing")
        if self.failure:
            raise StackError(self.failure)
        self.started.append(self.script)
        return Launch(argv=("/bin/sh", "-c", self.script), directory=self.directory)

    def probe(self) -> None:
        """Answer as told."""
        if not self.answers:
            raise NotReadyError("silence")


class Bench:
    """A keeper at work, and what it wrote."""

    def __init__(self, directory: Path) -> None:
        self.layout = Layout(directory)
        self.layout.create()
        self.server = Script(directory)
        entry = ServerStatus(name="script", product="sh", state=ServerState.STARTING, pid=None, port=1)
        status = StackStatus(supervisor_pid=os.getpid(), attached=False, servers=(entry,), endpoints=None)
        self.board = StatusBoard(self.layout, status)
        self.keeper = Keeper(self.server, self.layout, self.board, start_timeout_s=0.5)

    @property
    def entry(self) -> ServerStatus:
        status = read_status(self.layout)
        assert status is not None
        return status.server("script")

    def wait(self, condition: Callable[[ServerStatus], bool]) -> ServerStatus:
        deadline = time.monotonic() + 20
        while not condition(self.entry):
            assert time.monotonic() < deadline, self.entry
            time.sleep(0.01)
        return self.entry


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(keeper_module, "FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr(keeper_module, "LONGEST_BACKOFF_S", 0.02)
    made = Bench(tmp_path)
    yield made
    made.keeper.end()
    made.keeper.join()


def test_a_server_that_answers_is_up_and_stops_when_told(bench: Bench) -> None:
    bench.keeper.start()
    pid = bench.wait(lambda entry: entry.state is ServerState.UP).pid
    assert pid is not None

    bench.keeper.end()
    bench.keeper.join()

    assert (bench.entry.state, bench.entry.pid) == (ServerState.DOWN, None)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_that_is_killed_comes_back_and_that_is_counted(bench: Bench) -> None:
    bench.keeper.start()
    first = bench.wait(lambda entry: entry.state is ServerState.UP).pid
    assert first is not None

    os.kill(first, signal.SIGKILL)

    again = bench.wait(lambda entry: entry.state is ServerState.UP and entry.pid != first)
    assert again.restarts == 1


def test_a_server_that_keeps_dying_stays_down_with_the_end_of_its_log(bench: Bench) -> None:
    bench.server.answers = False
    bench.server.script = "echo port is taken; exit 1"

    bench.keeper.start()

    failed = bench.wait(lambda entry: entry.state is ServerState.FAILED)
    assert "port is taken" in failed.detail
    assert len(bench.server.started) == keeper_module.MOST_DEATHS


def test_a_server_that_never_answers_fails(bench: Bench) -> None:
    bench.server.answers = False

    bench.keeper.start()

    assert "not healthy within" in bench.wait(lambda entry: entry.state is ServerState.FAILED).detail


def test_preparations_that_fail_are_not_repeated(bench: Bench) -> None:
    bench.server.failure = "no room on the disk"

    bench.keeper.start()

    assert bench.wait(lambda entry: entry.state is ServerState.FAILED).detail == "no room on the disk"


def test_a_held_server_stays_down_until_released(bench: Bench) -> None:
    bench.keeper.start()
    pid = bench.wait(lambda entry: entry.state is ServerState.UP).pid
    assert pid is not None
    bench.layout.held("script").touch()
    os.kill(pid, signal.SIGKILL)
    bench.wait(lambda entry: entry.state is ServerState.HELD)

    bench.layout.held("script").unlink()

    assert bench.wait(lambda entry: entry.state is ServerState.UP).pid != pid
