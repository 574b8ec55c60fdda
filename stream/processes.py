"""The engine's processes below a local directory: the notes that they leave, and what they say of themselves."""

import http.client
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

#: They answer at once, or they hang.
_TIMEOUT_S = 2.0
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 (where others listen; we connect to loopback then)


@dataclass(frozen=True)
class Samples:
    """What `/metrics` showed.

    Attributes:
        values: metric name and labels, sorted -> value.
    """

    values: dict[tuple[str, tuple[tuple[str, str], ...]], float]

    def total(self, name: str) -> float:
        """Return the sum over all labels of a metric, 0 where there is none."""
        return sum(value for (found, _), value in self.values.items() if found == name)

    def by(self, name: str, label: str) -> Counter[str]:
        """Return a metric summed up by one of its labels."""
        sums: Counter[str] = Counter()
        for (found, labels), value in self.values.items():
            if found == name:
                sums[dict(labels).get(label, "")] += int(value)
        return sums


@dataclass(frozen=True)
class Process:
    """One bridge or worker, as its note tells.

    Attributes:
        component: `bridge` or `worker`.
        pid: its process id.
        host: where it listens.
        port: where it listens.
        note: the file that says so.
    """

    component: str
    pid: int
    host: str
    port: int
    note: Path

    @property
    def alive(self) -> bool:
        """Whether there is such a process; a killed one leaves its note behind."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def health(self) -> dict[str, Any] | None:
        """Return what `/health` says, None where nobody answers."""
        body = self._get("/health")
        found: dict[str, Any] | None = None if body is None else json.loads(body)
        return found

    def samples(self) -> Samples | None:
        """Return what `/metrics` shows, None where nobody answers."""
        body = self._get("/metrics")
        if body is None:
            return None
        families = text_string_to_metric_families(body.decode())
        return Samples({(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples})

    def _get(self, path: str) -> bytes | None:
        host = "127.0.0.1" if self.host in _EVERYWHERE else self.host
        connection = http.client.HTTPConnection(host, self.port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def noted(local_dir: Path) -> list[Process]:
    """Return every process that left a note, dead ones too, bridges first."""
    found = []
    for note in sorted((local_dir / "run").glob("*-*.json")):
        try:
            about = json.loads(note.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            # It has just ended, or is just being written: the next look will tell.
            continue
        found.append(Process(about["component"], about["pid"], about["host"], about["port"], note))
    return found


def running(local_dir: Path) -> list[Process]:
    """Return the processes that live."""
    return [process for process in noted(local_dir) if process.alive]
