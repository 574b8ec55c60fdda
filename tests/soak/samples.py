"""What a soak looks at, now and then: memory, open files, lag, rows, the size of the database."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import psycopg

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Sample:
    """One look.

    Attributes:
        at_s: since the load began [s].
        rss_mb: resident memory by process [MB].
        files: open files by process.
        cpu_s: processor time by process [s].
        lag_records: records that wait to be taken.
        rows: readings stored.
        database_mb: size of the database [MB].
    """

    at_s: float
    rss_mb: dict[str, float] = field(default_factory=dict)
    files: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    lag_records: float = 0.0
    rows: float = 0.0
    database_mb: float = 0.0

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    def of_process(self, name: str, pid: int) -> None:
        """Look at one process; one that has just ended is passed over."""
        try:
            statm = Path(f"/proc/{pid}/statm").read_text().split()
            times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        except (OSError, IndexError):
            return
        self.rss_mb[name] = int(statm[1]) * _PAGE / 2**20
        self.cpu_s[name] = (int(times[11]) + int(times[12])) / _TICK
        self.files[name] = float(files)

    def of_database(self, url: str) -> None:
        """Look at the books and at the size."""
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            found = connection.execute(
                "SELECT coalesce(sum(stored), 0)::float8, pg_database_size(current_database())::float8 "
                "FROM stream_offsets"
            ).fetchone()
        assert found is not None
        self.rows, self.database_mb = found[0], found[1] / 2**20


def slope(times_s: list[float], values: list[float], after_s: float) -> float | None:
    """Return the growth per hour by least squares, from a time on; None with too little to go by."""
    chosen = [(at, value) for at, value in zip(times_s, values, strict=True) if at >= after_s]
    if len(chosen) < 5:
        return None
    at, value = np.array(chosen).T
    return float(np.polyfit(at / 3600.0, value, 1)[0])


def series(samples: list[Sample], what: str) -> dict[str, tuple[list[float], list[float]]]:
    """Return name -> (times, values) of one of the attributes, for each process or for the whole."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for sample in samples:
        value = getattr(sample, what)
        for name, number in value.items() if isinstance(value, Mapping) else [(what, value)]:
            times, values = found.setdefault(name, ([], []))
            times.append(sample.at_s)
            values.append(number)
    return found
