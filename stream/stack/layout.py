"""Where a stack keeps its files: one directory, one name each."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FOLDERS = ("data", "conf", "logs", "held", "scratch")


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Keep every other process that asks for the same lock file waiting."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Layout:
    """The files of the stack under one directory."""

    directory: Path

    @property
    def state(self) -> Path:
        """What runs now: written by the supervisor, read by everyone."""
        return self.directory / "stack.json"

    @property
    def ports(self) -> Path:
        """The remembered ports."""
        return self.directory / "ports.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor for as long as it lives; contains its process id."""
        return self.directory / "supervisor.lock"

    @property
    def launch_lock(self) -> Path:
        """Held by whoever is about to start a supervisor."""
        return self.directory / "launch.lock"

    @property
    def password(self) -> Path:
        """The database password, made once."""
        return self.directory / "postgres.password"

    def data(self, server: str) -> Path:
        """Return the folder that holds what a server must not lose."""
        return self.directory / "data" / server

    def conf(self, server: str) -> Path:
        """Return the folder with the configuration that is written anew at every start."""
        return self.directory / "conf" / server

    def log(self, program: str) -> Path:
        """Return the log file of a server or of the supervisor."""
        return self.directory / "logs" / f"{program}.log"

    def scratch(self, server: str) -> Path:
        """Return an empty folder for what a server unpacks at its start, and leaves behind when it is killed."""
        folder = self.directory / "scratch" / server
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def held(self, server: str) -> Path:
        """Return the mark that tells the supervisor to leave a server down."""
        return self.directory / "held" / server

    def create(self) -> None:
        """Make the folders; the directory itself is private, since it holds a password."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in _FOLDERS:
            (self.directory / folder).mkdir(exist_ok=True)

    def purge(self) -> None:
        """Remove what the stack made, and the directory when nothing else is in it."""
        for folder in _FOLDERS:
            shutil.rmtree(self.directory / folder, ignore_errors=True)
        for file in (self.state, self.ports, self.password, self.lock, self.launch_lock):
            file.unlink(missing_ok=True)
        if self.directory.exists() and not any(self.directory.iterdir()):
            self.directory.rmdir()


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    beside.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a file that is only ever replaced whole, None where there is no file."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return content
