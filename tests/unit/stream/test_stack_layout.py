"""The directory of a stack: private, and purged of nothing but its own."""

import json
import stat
from pathlib import Path

from stream.stack.layout import Layout, write_private
from stream.stack.status import NOTHING, ServerState, ServerStatus, StackStatus, StatusBoard, read_status


def test_the_directory_and_the_state_are_private(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "stack")
    layout.create()

    StatusBoard(layout, NOTHING)

    assert stat.S_IMODE(layout.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(layout.state.stat().st_mode) == 0o600


def test_purge_removes_the_whole_directory_of_a_stack(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "stack")
    layout.create()
    write_private(layout.password, "secret")
    layout.ports.write_text("{}")
    layout.scratch("kafka")

    layout.purge()

    assert not layout.directory.exists()


def test_purge_leaves_what_is_not_the_stacks(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    (tmp_path / "thesis.txt").write_text("important")

    layout.purge()

    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_status_reads_as_it_was_written(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    entry = ServerStatus(name="redis", product="Redis", state=ServerState.STARTING, pid=None, port=6379)
    board = StatusBoard(layout, StackStatus(supervisor_pid=7, attached=True, servers=(entry,), endpoints=None))

    board.update("redis", state=ServerState.UP, pid=8)

    status = read_status(layout)
    assert status is not None
    assert status.healthy
    assert status.server("redis") == ServerStatus("redis", "Redis", ServerState.UP, 8, 6379)
    assert json.loads(layout.state.read_text())["healthy"] is True


def test_a_stack_that_never_ran_has_no_status(tmp_path: Path) -> None:
    assert read_status(Layout(tmp_path)) is None
