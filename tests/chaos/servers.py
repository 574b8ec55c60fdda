"""The local stack behind proxies, and (where the machine permits) its database on a disk that can be filled up."""

import errno
import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Self
from unittest import mock
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from stream.stack import background, ports, settings
from stream.stack.endpoints import Endpoints
from stream.stack.layout import Layout
from stream.stack.servers import Servers
from stream.stack.stack import LocalStack
from tests.chaos.proxy import Proxy, free_port

NAMES = ("kafka", "mqtt", "postgres", "redis")
_FIELDS = {"kafka": "kafka_url", "mqtt": "mqtt_url", "postgres": "database_url", "redis": "redis_url"}
_DISK_BYTES = 2 * 2**30
_start_module = background.start


class Disk:
    """A small file system of its own for the database's folder; it can be filled to the last byte.

    Attributes:
        absent: why there is none, None where there is one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._filler = folder / "filler"
        self.absent: str | None = "not asked for"

    def mount(self) -> None:
        """Make and mount it, where the machine permits."""
        self._folder.mkdir(parents=True)
        if os.geteuid() != 0:
            self.absent = "only root can mount a file system of its own for the database"
            return
        program = shutil.which("mount")
        done = program and subprocess.run(
            [program, "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(self._folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        self.absent = (
            None if done and done.returncode == 0 else f"mount: {done.stderr.strip() if done else 'not there'}"
        )

    def take_over(self, data: Path) -> None:
        """Move a server's data folder here and leave a link."""
        if self.absent is None:
            copied = self._folder / data.name
            subprocess.run([shutil.which("cp") or "cp", "-a", str(data), str(copied)], check=True)
            shutil.rmtree(data)
            data.symlink_to(copied)

    def fill(self, left_bytes: int) -> int:
        """Leave no more than this much room; return how many bytes were taken."""
        while True:
            room = os.statvfs(self._folder)
            size = max(1, room.f_bavail * room.f_frsize - left_bytes)
            with self._filler.open("wb") as file:
                try:
                    os.posix_fallocate(file.fileno(), 0, size)
                except OSError as error:
                    # The database has written since the room was measured.
                    if error.errno != errno.ENOSPC or size == 1:
                        raise
                else:
                    return size

    def clear(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Take it away with all that it holds."""
        if self.absent is None:
            subprocess.run([shutil.which("umount") or "umount", "-l", str(self._folder)], check=True)
            self.absent = "unmounted"


class ProxiedStack:
    """Kafka, MQTT, PostgreSQL and Redis, each behind a proxy; a context manager.

    Args:
        directory: where all of it lives.

    Attributes:
        stack: the servers themselves.
        proxies: server -> what stands before it.
        disk: what the database writes to.
    """

    def __init__(self, directory: Path) -> None:
        self.stack = LocalStack(directory)
        self.proxies: dict[str, Proxy] = {}
        self.disk = Disk(directory / "disk")

    def __enter__(self) -> Self:
        layout = Layout(self.stack.directory)
        layout.create()
        self.disk.mount()
        servers = Servers.build(layout, settings.load())
        if self.disk.absent is None:
            servers.postgres.prepare(lambda _detail: None)
            self.disk.take_over(layout.data("postgres"))
        taken = {server.port for server in (servers.kafka, servers.mqtt, servers.postgres, servers.redis)}
        taken.add(servers.kafka.controller_port)
        for name in NAMES:
            proxy = Proxy(free_port(ports.choose, taken), getattr(servers, name).port)
            self.proxies[name] = proxy.__enter__()
        os.environ["CHAOS_KAFKA_PORT"] = str(self.proxies["kafka"].port)
        with mock.patch("stream.stack.stack.background.start", _start):
            self.stack.up(attached=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.disk.clear()
        self.stack.down()
        for proxy in self.proxies.values():
            proxy.__exit__()
        self.disk.unmount()
        self.stack.down(purge=True)

    @property
    def endpoints(self) -> Endpoints:
        """Where the engine connects: the proxies."""
        found = self.direct
        moved = {field: _at(getattr(found, field), self.proxies[name].port) for name, field in _FIELDS.items()}
        return replace(found, **moved)

    @property
    def direct(self) -> Endpoints:
        """Where the servers are themselves; Kafka still names its proxy to whoever asks."""
        found = self.stack.status().endpoints
        assert found is not None
        return found

    def calm(self) -> None:
        """End every fault of servers and connections, and wait until all serve again."""
        self.disk.clear()
        for proxy in self.proxies.values():
            proxy.delay_s, proxy.held = 0.0, False
        for name in NAMES:
            if Layout(self.stack.directory).held(name).exists():
                self.stack.release(name)
        self.stack.wait_healthy(120)

    def tidy(self) -> None:
        """Let the database recycle its log, which a small disk has no room for."""
        url = urlsplit(self.direct.database_url)
        with psycopg.connect(
            host=url.hostname, port=url.port, user="postgres", password=url.password, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(sql.SQL("checkpoint"))

    def wait_up(self, name: str, timeout_s: float = 90.0) -> None:
        """Wait until one server is up."""
        deadline = time.monotonic() + timeout_s
        while self.stack.status().server(name).state != "up":
            assert time.monotonic() < deadline, f"{name}: {self.stack.status().server(name)}"
            time.sleep(0.05)


def _start(_module: str, *arguments: str, log: Path) -> int:
    return _start_module("tests.chaos.supervisor", *arguments, log=log)


def _at(url: str, port: int) -> str:
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{port}"))
