"""Starting and stopping one server process, on a leash."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")
#: A log that is larger at a start makes room for a new one; one old log is kept [bytes].
LONGEST_LOG = 16 * 2**20


@dataclass(frozen=True)
class Launch:
    """How to run a server.

    Attributes:
        argv: the program by its full path, and its arguments.
        directory: the working directory.
        environment: variables on top of the supervisor's own.
        user: whom to become first, for programs that refuse to run as root.
        stop_signal: asks for a clean stop.
        death_signal: what the server gets when the supervisor itself is gone.
        stop_timeout_s: how long a clean stop may take.
    """

    argv: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    stop_timeout_s: float = 15.0


@dataclass(frozen=True)
class Tether:
    """What ties a child to this process where the kernel cannot: a pipe that closes when we end."""

    read_end: int
    write_end: int

    @classmethod
    def create(cls) -> "Tether | None":
        """Return a pipe, or None on Linux, where the kernel does it."""
        return None if sys.platform == "linux" else cls(*os.pipe())


def spawn(launch: Launch, log: Path, tether: Tether | None = None) -> subprocess.Popen[bytes]:
    """Start a server in its own session, so that Ctrl-C reaches the supervisor's caller only.

    The death signal is tied to the thread that calls this: that thread must live as long as the server may.
    """
    leash = [sys.executable, "-I", "-S", str(LEASH), "--parent", str(os.getpid())]
    leash += ["--death-signal", str(int(launch.death_signal))]
    if launch.user is not None:
        leash += ["--user", launch.user]
    if tether is not None:
        leash += ["--pipe", str(tether.read_end)]
    if log.exists() and log.stat().st_size > LONGEST_LOG:
        log.replace(log.with_name(f"{log.name}.1"))
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 (our own argument lists, no shell)
            [*leash, "--", *launch.argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=launch.directory,
            env={**os.environ, **launch.environment},
            start_new_session=True,
            pass_fds=() if tether is None else (tether.read_end,),
        )


def run(launch: Launch, log: Path) -> int:
    """Run a program to its end, on the same leash, and return its exit code."""
    return spawn(launch, log, Tether.create()).wait()


def stop(process: subprocess.Popen[bytes], launch: Launch) -> None:
    """Ask for a clean stop, wait a bounded time, then kill."""
    if process.poll() is not None:
        return
    process.send_signal(launch.stop_signal)
    try:
        process.wait(launch.stop_timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_lines(log: Path, count: int = 3) -> str:
    """Return the end of a log on one line, for an error message."""
    if not log.exists():
        return ""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-count:])
