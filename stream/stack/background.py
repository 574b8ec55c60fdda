"""Starts the supervisor so that it may outlive its starter, which subprocess.Popen takes for a leak."""

import os
import sys
from pathlib import Path


def start(module: str, *arguments: str, log: Path) -> int:
    """Run a Python module as a child whose output goes to a log, and return its process id."""
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    argv = [sys.executable, "-m", module, *arguments]
    return os.posix_spawn(sys.executable, argv, os.environ, file_actions=actions)


def has_ended(child: int) -> bool:
    """Tell whether a child has ended; if so its process id is no longer ours to use."""
    try:
        return os.waitpid(child, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True
