"""The leash: a child of a killed parent does not stay behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stream.stack.process import LEASH, Launch, last_lines, spawn, stop

PARENT = """
import os, subprocess, sys, time
from stream.stack.process import LEASH
read_end, write_end = os.pipe()
how = ["--pipe", str(read_end)] if sys.argv[1] == "pipe" else []
child = subprocess.Popen(
    [sys.executable, "-I", "-S", str(LEASH), "--parent", str(os.getpid()), *how, "--", "/bin/sleep", "60"],
    pass_fds=(read_end,) if how else (),
)
print(child.pid, flush=True)
time.sleep(60)
"""


def _runs(pid: int) -> bool:
    """A zombie, waiting for whoever adopted it, does not count."""
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(listed.strip()) and not listed.startswith("Z")


def _gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _runs(pid)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("kernel", marks=pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")),
        "pipe",
    ],
)
def test_a_killed_parent_takes_its_child_along(how: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, how], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert _runs(child)

        os.kill(parent.pid, signal.SIGKILL)

    assert _gone_within(child, 10)


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_a_child_whose_parent_ended_before_it_asked_does_not_start(tmp_path: Path) -> None:
    witness = tmp_path / "started"

    done = subprocess.run(
        [sys.executable, "-I", "-S", LEASH, "--parent", "1", "--", "/bin/touch", witness],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "is gone" in done.stderr
    assert not witness.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_change_keeps_the_leash_and_the_way_into_private_folders(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "file").write_text("readable\n")
    log = tmp_path / "log"
    script = f"id -un; cat {private}/file; exec sleep 60"

    process = spawn(Launch(argv=("/bin/sh", "-c", script), directory=tmp_path, user="nobody"), log)
    deadline = time.monotonic() + 10
    while "readable" not in (log.read_text() if log.exists() else "") and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()

    assert log.read_text() == "nobody\nreadable\n"


def test_what_ignores_a_clean_stop_is_killed(tmp_path: Path) -> None:
    launch = Launch(
        argv=("/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"),
        directory=tmp_path,
        stop_timeout_s=0.3,
    )
    process = spawn(launch, tmp_path / "log")
    while "ready" not in (tmp_path / "log").read_text():
        time.sleep(0.02)

    stop(process, launch)

    assert process.returncode == -signal.SIGKILL


def test_the_end_of_a_log_becomes_one_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("first\n\n second \nthird\n")

    assert last_lines(log, 2) == "second | third"
    assert last_lines(tmp_path / "absent") == ""
