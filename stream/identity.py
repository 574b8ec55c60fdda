"""A name for a process that is the same after a restart and different from that of every other one beside it."""

import fcntl
import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import ConfigurationError

_SLOTS = 64


@contextmanager
def identity(component: str, configured: str, local_dir: Path) -> Iterator[str]:
    """Hold a name for as long as the context lasts.

    Unless one is configured, it is made of the host, the directory and the first slot that no running process of the
    component holds. A lock marks the slot, and the kernel gives it back even after `kill -9`, so the next process takes
    up what its predecessor left: the MQTT session of a bridge, the partitions of a worker.

    Raises:
        ConfigurationError: every slot is taken.
    """
    if configured:
        yield configured
        return
    place = f"{socket.gethostname()}\0{local_dir.resolve()}"
    digest = hashlib.sha256(place.encode()).hexdigest()[:10]
    folder = local_dir / "run"
    folder.mkdir(parents=True, exist_ok=True)
    for slot in range(_SLOTS):
        lock = os.open(folder / f"{component}-slot-{slot}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            yield f"meterstream-{component}-{digest}-{slot}"
        finally:
            os.close(lock)
        return
    raise ConfigurationError(f"{_SLOTS} {component}s run from {local_dir} already; use another local_dir")
