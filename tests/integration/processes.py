"""Engine processes for tests that kill them: started like an operator would, ended by their own id."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from stream.stack.stack import LocalStack

#: Exit code by which a process asks to be started anew.
RESTART = 70


class EngineProcess:
    """One `meterstream` process with the settings of a stack.

    Args:
        command: words after `meterstream`.
        local_dir: directory of the stack that serves it.
        settings: further METERSTREAM_ variables.
    """

    def __init__(self, command: str, local_dir: Path, **settings: str) -> None:
        self.command = command
        self._local_dir = local_dir
        self._log = local_dir / "logs" / f"{'-'.join(command.split()[:2])}.log"
        self._environment = {**os.environ, "METERSTREAM_LOCAL_DIR": str(local_dir), **settings}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def returncode(self) -> int | None:
        """How it ended, None while it runs."""
        return self._process.poll() if self._process else None

    @property
    def log(self) -> str:
        return self._log.read_text()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stream.cli", *self.command.split()], env=self._environment, stderr=log
            )

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def wait(self) -> int:
        assert self._process is not None
        return self._process.wait(timeout=30)

    def stop(self) -> int:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            # It must not outlive its test; whoever looks at the code sees that it had to be killed.
            self.kill()
            return self._process.wait()

    def wait_ready(self, timeout_s: float = 120.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not self.health().get("ready"):
            assert self._process is not None
            if self._process.poll() == RESTART:
                self.start()  # as a supervisor would
            assert self._process.poll() is None, f"{self.command} ended by itself:\n{self.log[-3000:]}"
            assert time.monotonic() < deadline, f"{self.command} is not ready:\n{self.log[-3000:]}"
            time.sleep(0.2)

    def health(self) -> dict[str, Any]:
        assert self._process is not None
        component = self.command.split()[1]
        note = self._local_dir / "run" / f"{component}-{self._process.pid}.json"
        try:
            port = json.loads(note.read_text())["port"]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                found = json.load(refusal)
        except (OSError, ValueError):
            return {}
        return found


def command(stack: LocalStack, *words: str, timeout_s: float = 300.0) -> str:
    """Run `meterstream` as a person would, and return what it printed."""
    environment = {**os.environ, "METERSTREAM_LOCAL_DIR": str(stack.directory)}
    answer = subprocess.run(
        [sys.executable, "-m", "stream.cli", *words],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert answer.returncode == 0, f"{words} ended with {answer.returncode}:\n{answer.stdout}\n{answer.stderr}"
    return answer.stdout


def reconcile(stack: LocalStack) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command(stack, "reconcile", "--json"))
    return found


def database_url(stack: LocalStack) -> str:
    endpoints = stack.endpoints()
    assert endpoints is not None
    return endpoints.database_url


def query(stack: LocalStack, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url(stack)) as connection:
        return connection.execute(statement.encode()).fetchall()


def wait_until(stack: LocalStack, statement: str, value: int, timeout_s: float = 120.0) -> None:
    """Wait until a statement's one number has reached a value."""
    deadline = time.monotonic() + timeout_s
    while (found := query(stack, statement)[0][0] or 0) < value:
        assert time.monotonic() < deadline, f"{statement}: {found}, {value} expected"
        time.sleep(0.5)
