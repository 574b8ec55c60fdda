"""Processor time and memory of processes with their children, sampled while a run lasts."""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.bench.figures import between

_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_EVERY_S = 0.2
_PROC = Path("/proc")


def _parents() -> dict[int, list[int]]:
    children: dict[int, list[int]] = defaultdict(list)
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children[int(fields[1])].append(int(entry.name))
    return children


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; none where the process is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def family(pid: int, children: Mapping[int, list[int]] | None = None) -> list[int]:
    """Return a process and everything below it."""
    known = _parents() if children is None else children
    found = [pid]
    for member in found:
        found.extend(known.get(member, []))
    return found


def cpu_s(pids: list[int]) -> float:
    """Return processor time of processes, and of their children that have ended [s]."""
    return sum(sum(map(int, fields[11:15])) for pid in pids if (fields := _stat(pid))) * _TICK_S


def memory_bytes(pid: int) -> int:
    """Return resident memory of one process [bytes], 0 where it is gone."""
    fields = _stat(pid)
    return int(fields[21]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


class Watch:
    """Samples named process trees in a thread; a context manager.

    Args:
        pids: name -> process ids.
    """

    def __init__(self, pids: Mapping[str, list[int]]) -> None:
        self._pids = dict(pids)
        self._samples: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.peak_bytes: dict[str, int] = defaultdict(int)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        children = _parents()
        for name, roots in self._pids.items():
            members = [member for root in roots for member in family(root, children)]
            spent = cpu_s(members)
            before = self._samples[name][-1][1] if self._samples[name] else 0.0
            # A child that has just ended is counted by its parent a moment later: time never runs backwards.
            self._samples[name].append((time.time(), max(spent, before)))
            self.peak_bytes[name] = max(self.peak_bytes[name], sum(map(memory_bytes, members)))

    def spent(self, began_s: float, ended_s: float) -> dict[str, float]:
        """Return processor time between two times [s since 1970] by name [s]."""
        return {name: between(samples, began_s, ended_s) for name, samples in self._samples.items()}
