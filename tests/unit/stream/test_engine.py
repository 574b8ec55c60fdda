"""Children of the engine: started again when they fail, left alone when they were asked to end, ended in order."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.engine import Engine, Member, Restarts, how_it_ended
from stream.stack.process import Launch


def child(folder: Path, code: str, **options: object) -> tuple[Member, list[str]]:
    told: list[str] = []
    launch = Launch(argv=(sys.executable, "-I", "-S", "-c", code), directory=folder, stop_timeout_s=5)
    restarts = Restarts(most=3, first_s=0.01)
    member = Member("child-1", launch, folder / "child.log", told.append, restarts, **options)  # type: ignore[arg-type]
    return member, told


def wait_for(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_pauses_double_up_to_a_bound_and_end_in_giving_up() -> None:
    restarts = Restarts(most=6, within_s=60, first_s=1, longest_s=5)
    assert [restarts.pause_s(second) for second in range(6)] == [1, 2, 4, 5, 5, None]


def test_an_end_long_ago_does_not_count() -> None:
    restarts = Restarts(most=2, within_s=10, first_s=1)
    assert [restarts.pause_s(at) for at in (0.0, 11.0, 22.0)] == [1, 1, 1]
    assert restarts.pause_s(23.0) is None


def test_ends_are_told_in_words() -> None:
    assert how_it_ended(70) == "exit code 70"
    assert how_it_ended(-9) == "killed by SIGKILL"


def test_a_child_that_fails_is_started_again_until_that_is_hopeless(tmp_path: Path) -> None:
    member, told = child(tmp_path, "import sys; print('no database'); sys.exit(70)")
    member.start()
    member.join(20)
    assert member.starts == 3
    assert member.failure is not None
    assert "exit code 70" in member.failure
    assert "no database" in member.failure
    assert len(told) == 3


def test_a_child_that_was_asked_to_end_stays_down(tmp_path: Path) -> None:
    member, told = child(tmp_path, "pass")
    member.start()
    member.join(20)
    assert member.starts == 1
    assert member.failure is None
    assert told == ["child-1 ended, as somebody asked it to"]


def test_a_killed_child_comes_back_and_is_buried(tmp_path: Path) -> None:
    buried: list[int] = []
    member, told = child(tmp_path, "import time; time.sleep(60)", bury=buried.append)
    member.start()
    wait_for(lambda: member.pid is not None)
    first = member.pid
    assert first is not None
    os.kill(first, 9)
    wait_for(lambda: member.pid not in {None, first})
    member.end()
    member.join(20)
    assert buried[0] == first
    assert len(buried) == 2
    assert "killed by SIGKILL" in told[0]


def test_the_end_of_a_member_is_the_end_of_its_child(tmp_path: Path) -> None:
    member, told = child(tmp_path, "import time; time.sleep(60)")
    member.start()
    wait_for(lambda: member.pid is not None)
    pid = member.pid
    assert pid is not None
    member.end()
    member.join(20)
    assert not is_alive(pid)
    assert told == []


def test_a_child_that_says_so_several_times_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.engine._ASK_EVERY_S", 0.1)
    member, told = child(tmp_path, "import time; time.sleep(60)", unwell=lambda _pid: True)
    member.start()
    wait_for(lambda: member.starts == 2)
    member.end()
    member.join(20)
    assert told[0] == "child-1 says that it does not work any more"


def test_an_engine_removes_the_notes_of_the_dead_and_stops_bridges_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    dead = tmp_path / "run" / "worker-999999999.json"
    dead.write_text('{"component": "worker", "pid": 999999999, "host": "127.0.0.1", "port": 1}')
    engine = Engine(tmp_path, {}, bridges=1, workers=2, tell=lambda _line: None)
    assert [member.name for member in engine.members] == ["bridge-1", "worker-1", "worker-2", "alerts-1"]
    ended: list[str] = []
    for member in engine.members:
        monkeypatch.setattr(member, "run", member._ending.wait)
        monkeypatch.setattr(member, "end", lambda member=member: (ended.append(member.name), member._ending.set()))
    with engine:
        assert not dead.exists()
        assert engine.unready() == ["bridge-1", "worker-1", "worker-2", "alerts-1"]
    assert ended == ["bridge-1", "worker-1", "worker-2", "alerts-1"]
