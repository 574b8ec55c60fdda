"""What a filled database is asked: the questions of people, and every query of every panel, as Grafana would ask it."""

import os
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from panels.board import Dashboard
from tests import grafana
from tests.bench.storage_fill import Bench

MOST_MS = 500.0
#: Questions of people; `now`, `meter`, its `key` and `feeder` are filled in.
QUESTIONS = {
    "newest reading of a meter": "SELECT * FROM meter_latest WHERE meter_number = {meter}",
    "newest reading of every meter": "SELECT meter_number, reading_time, consumption_kwh FROM meter_latest",
    "a meter's last week, best, by the hour": (
        "SELECT * FROM resample({meter}, {now} - interval '7 days', {now}, '1 hour', 'best', 'interpolate')"
    ),
    "a meter's last 30 days by hour": (
        "SELECT * FROM meter_hours WHERE meter_id = {key} AND hour >= {now} - interval '30 days' ORDER BY hour"
    ),
    "a meter's days": "SELECT * FROM meter_days WHERE meter_id = {key} ORDER BY day",
    "a meter's months": "SELECT * FROM meter_months WHERE meter_id = {key} ORDER BY month",
    "load of a feeder by hour, last week": (
        "SELECT window_start, energy_kwh FROM element_windows WHERE element = 'feeder/' || {feeder} "
        "AND window_s = 3600 AND customer_class IS NULL AND window_start >= {now} - interval '7 days' ORDER BY 1"
    ),
    "load of all by hour, last day": (
        "SELECT starts_at, sum(energy_uwh) / 1e12 FROM meter_hour_totals WHERE starts_at >= {now} - interval '1 day' "
        "GROUP BY 1 ORDER BY 1"
    ),
    "the ten meters that used most in a week, best": (
        "SELECT * FROM top_meters(({now} - interval '7 days')::date, ({now} - interval '1 day')::date)"
    ),
    "the ten feeders that used most in a week, best": (
        "SELECT * FROM top_elements('feeder', ({now} - interval '7 days')::date, ({now} - interval '1 day')::date)"
    ),
    "the ten meters with the worst voltage yesterday": (
        "SELECT meter_number, voltage_outside_share FROM meter_days "
        "WHERE starts_at = date_trunc('day', {now} - interval '1 day', 'UTC') ORDER BY 2 DESC NULLS LAST, 1 LIMIT 10"
    ),
}
_SINCE = re.compile(r"now-(\d+)([hd])")


@dataclass(frozen=True)
class Answer:
    """How one question was answered.

    Attributes:
        question: its name.
        median_ms: of three times [ms].
        cpu_ms: what it costs the server's process, without parallel workers [ms]; NaN where that runs elsewhere. On a
            machine that is not ours alone this is what can be compared.
        first_ms: the time before these [ms].
        rows: how many came.
        plan: of EXPLAIN (ANALYZE, BUFFERS).
    """

    question: str
    median_ms: float
    cpu_ms: float
    first_ms: float
    rows: int
    plan: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        return asdict(self)

    @property
    def scans(self) -> str:
        """Name what the plan reads most of, briefly."""
        nodes = [
            match
            for line in self.plan
            if (match := re.search(r"(\w[\w ]* Scan\b[\w ]*?) (?:using (\S+) )?on (\S+)", line))
        ]
        found = dict.fromkeys(f"{node[1].strip()} {node[2] or node[3]}" for node in nodes)
        return "; ".join(list(found)[:3])


def questions(bench: Bench) -> Iterator[tuple[str, str]]:
    """Yield each question with its SQL: those of people first, then panels over the time that each board shows."""
    meter = bench.one("SELECT meter_number FROM smart_meters ORDER BY 1 OFFSET %s", bench.meters // 2)
    feeder = bench.one("SELECT min(name) FROM feeders")
    # With TimescaleDB a join with what has the number would go through the totals of all meters.
    key = f"(SELECT meter_id FROM smart_meters WHERE meter_number = '{meter}')"
    for name, question in QUESTIONS.items():
        now = f"timestamptz '{bench.end.isoformat()}'"
        yield name, question.format(meter=f"'{meter}'", key=key, feeder=f"'{feeder}'", now=now)
    for board, panel in grafana.sql_panels():
        yield f"{board.name}: {panel.title}", written(bench, board, panel.sql, meter)


def written(bench: Bench, board: Dashboard, sql: str, meter: str) -> str:
    """Return a panel's query as Grafana asks it when the board is opened, at the end of the readings."""
    found = _SINCE.fullmatch(board.since)
    assert found is not None
    span = timedelta(hours=int(found[1]) * (24 if found[2] == "d" else 1))
    choices = {**grafana.FIRST, "region": None, "feeder": None, **grafana.first_choices(board), "meter": meter}
    interval = "15m" if span <= timedelta(days=1) else "1h"
    asked = grafana.with_choices(sql, choices)
    return grafana.with_macros(asked, bench.end - span, bench.end, timescale=bench.timescale, interval=interval)


def asked(bench: Bench) -> list[Answer]:
    """Ask every question three times after a first one, and then for its plan."""
    bench.connection.execute("SET max_parallel_workers_per_gather = 0")
    found = []
    for name, statement in questions(bench):
        took, cpu = list[float](), list[float]()
        for _ in range(4):
            began, used = time.perf_counter(), _cpu_ms(bench)
            rows = len(bench.connection.execute(statement.encode()).fetchall())
            took.append(1e3 * (time.perf_counter() - began))
            cpu.append(_cpu_ms(bench) - used)
        plan = bench.connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {statement}".encode()).fetchall()
        times = statistics.median(took[1:]), statistics.mean(cpu[1:]), took[0]
        found.append(Answer(name, *times, rows, [line for (line,) in plan]))
    return found


def _cpu_ms(bench: Bench) -> float:
    """Return how much of a processor the connection's process has used so far [ms]."""
    try:
        said = Path(f"/proc/{bench.connection.info.backend_pid}/stat").read_text()
    except OSError:
        return float("nan")
    user, system = said.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) * 1e3 / os.sysconf("SC_CLK_TCK")


def table(answers: list[Answer]) -> str:
    """Return one line per question, slowest first."""
    lines = ["| question | ms | ms of CPU | at first | rows | reads |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {of.question} | {of.median_ms:,.1f} | {of.cpu_ms:,.0f} | {of.first_ms:,.0f} | {of.rows:,} | {of.scans} |"
        for of in sorted(answers, key=lambda of: -of.median_ms)
    ]
    return "\n".join(lines)
