"""The process that owns the servers of one stack: `python -m stream.stack.supervisor DIRECTORY`."""

import argparse
import fcntl
import os
import signal
import sys
import threading
from pathlib import Path
from typing import IO

from stream.stack.keeper import Keeper
from stream.stack.layout import Layout
from stream.stack.servers import Servers
from stream.stack.settings import StackSettings, load
from stream.stack.status import ServerState, ServerStatus, StackStatus, StatusBoard

#: How soon the end of the caller is noticed [s].
POLL_S = 0.2


def take_lock(layout: Layout) -> IO[str] | None:
    """Lock the directory for as long as the file stays open; None where another supervisor has it."""
    file = layout.lock.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def owner(layout: Layout) -> int | None:
    """Return the process id of the living supervisor of a directory, None where there is none."""
    try:
        with layout.lock.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0) or None
    except FileNotFoundError:
        return None
    return None


def supervise(layout: Layout, settings: StackSettings, caller: int | None) -> None:
    """Start every server, keep them alive until told to end, and stop them.

    Args:
        layout: the stack's directory, locked by this process.
        settings: the knobs.
        caller: the parent process to end with, None to stay on without it.
    """
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ending.set())
    servers = Servers.build(layout, settings)
    entries = tuple(
        ServerStatus(name=server.name, product=server.product, state=ServerState.STARTING, pid=None, port=server.port)
        for server in (servers.kafka, servers.mqtt, servers.postgres, servers.redis)
    )
    board = StatusBoard(
        layout,
        StackStatus(
            supervisor_pid=os.getpid(), attached=caller is not None, servers=entries, endpoints=servers.endpoints()
        ),
    )
    keepers = [Keeper(server, layout, board, settings.start_timeout_s) for server in servers.all()]
    for keeper in keepers:
        keeper.start()
    # A parent that ends hands its children to another: no polling of process ids, which are used again.
    while not ending.wait(POLL_S) and (caller is None or os.getppid() == caller):
        pass
    for keeper in keepers:
        keeper.end()
    for keeper in keepers:
        keeper.stopped()
    board.close()


def main() -> None:
    """Run the supervisor of the directory that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--caller", type=int, help="end with this parent process")
    options = parser.parse_args()
    layout = Layout(options.directory)
    layout.create()
    # Ctrl-C in the terminal is for the caller, who then asks for a clean stop.
    os.setsid()
    lock = take_lock(layout)
    if lock is None:
        sys.exit(f"another supervisor owns {options.directory}")
    with lock:
        supervise(layout, load(), options.caller)


if __name__ == "__main__":
    main()
