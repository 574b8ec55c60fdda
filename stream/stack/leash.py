"""Exec wrapper: become another program that dies with its parent, as an ordinary user where root is refused.

Run as a script (`python -I leash.py OPTIONS -- PROGRAM ARGUMENT...`), so that forking needs no code between fork and
exec in the threaded supervisor. Standard library only.
"""

import argparse
import ctypes
import os
import pwd
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def keep_file_access(libc: ctypes.CDLL, capability: int) -> bool:
    """Keep one capability through the change of user and through exec; tell whether the kernel agreed."""
    header = _Header(CAPABILITY_VERSION_3, 0)
    mask = 1 << capability
    sets = (_Sets * 2)(_Sets(mask, mask, mask), _Sets(0, 0, 0))
    if libc.capset(ctypes.byref(header), ctypes.byref(sets)) != 0:
        return False
    return bool(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0)


def become(user: str) -> None:
    """Drop from root to `user`.

    A checkout or a data directory under /root is closed to that user, and opening such folders to everyone would be
    worse than what is done here: of root's powers only the passage through folders stays.
    """
    entry = pwd.getpwnam(user)
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if libc is not None:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    if libc is not None:
        # READ_SEARCH is enough, but containers usually grant OVERRIDE only. Neither is fine too in an open folder.
        _ = keep_file_access(libc, CAP_DAC_READ_SEARCH) or keep_file_access(libc, CAP_DAC_OVERRIDE)


def die_with_parent(parent: int, death_signal: int) -> None:
    """Ask the kernel for `death_signal` at the parent's end; the parent may have ended before we asked."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(f"the parent {parent} is gone")


def watch_pipe(pipe: int, death_signal: int) -> None:
    """Fork a watcher that signals this process when the parent's end of the pipe closes (no prctl on macOS)."""
    server = os.getpid()
    if os.fork() != 0:
        os.close(pipe)
        return
    os.set_blocking(pipe, False)
    while os.getppid() == server:
        try:
            if os.read(pipe, 1) == b"":
                os.kill(server, death_signal)
                break
        except BlockingIOError:
            time.sleep(0.2)
    os._exit(0)


def main() -> None:
    """Read the options and become the program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--death-signal", type=int, default=int(signal.SIGKILL))
    parser.add_argument("--user")
    parser.add_argument("--pipe", type=int)
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()
    if options.user is not None:
        become(options.user)
    # After the change of user, which makes the kernel forget the death signal.
    if options.pipe is None:
        die_with_parent(options.parent, options.death_signal)
    else:
        watch_pipe(options.pipe, options.death_signal)
    os.execv(options.program[0], options.program)  # noqa: S606 (the very purpose of this file)


if __name__ == "__main__":
    main()
