"""The goals of the bench, and what a report says of each."""

from collections.abc import Mapping
from typing import Any

from tests.bench.figures import Goal

Report = Mapping[str, Any]
#: How many times as fast as each peer the engine shall be.
_TIMES = {"naive Faust": 10.0, "Quix Streams": 5.0, "Bytewax": 3.0, "PyFlink": 2.0}
ARRAYS = "json array"


def goals(report: Report) -> list[Goal]:
    """Return every goal with what was measured of it."""
    return [*_throughput(report), *_peers(report), *_time(report), *_fleet(report)]


def _at(report: Report, *path: str) -> Any:
    """Return what stands at a path, None where nothing does."""
    found: Any = report
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def _throughput(report: Report) -> list[Goal]:
    ceiling = _at(report, "backlog", "ratios", "bare COPY + upsert")
    core = _at(report, "stages", "rates_per_core", "engine without sinks")
    without = _at(report, "stages", "rates_per_core", "engine without sinks or forest")
    note = "" if without is None else f"{without:,.0f} without the forest"
    bridge = _at(report, "bridge", "single QoS 1", "messages_per_s")
    return [
        Goal("batched backlog to committed rows", 100_000, _at(report, "backlog", "medians", "meterstream"), "/s"),
        Goal("of the bare COPY + upsert", 0.7, ceiling, "x"),
        Goal("engine without sinks, per core", 400_000, core, "/s", note=note),
        Goal("bridge, single messages", 10_000, bridge, "/s", note="broker without a cost of its own"),
    ]


def _peers(report: Report) -> list[Goal]:
    found = []
    for name, times in _TIMES.items():
        missing = _at(report, "peers", ARRAYS, "missing", name)
        single = _at(report, "peers", "single json", "ratios", name)
        note = (
            f"did not run: {missing.strip().splitlines()[-1][:80]}"
            if missing
            else f"{single:.1f} x on single JSON"
            if single
            else ""
        )
        found.append(Goal(f"times {name}", times, _at(report, "peers", ARRAYS, "ratios", name), "x", note=note))
    return found


def _time(report: Report) -> list[Goal]:
    drained = _at(report, "burst", "burst", "stored_s")
    complete = _at(report, "burst", "burst", "stored") == _at(report, "burst", "burst", "readings")
    alert = _at(report, "latency", "10000", "to_alert_s", "p99")
    return [
        Goal("p99 reading to alert at 10 k/s", 1.0, alert, "s", at_least=False),
        Goal("1.2 M readings in 60 s stored within", 90.0, drained if complete else None, "s", at_least=False),
    ]


def _fleet(report: Report) -> list[Goal]:
    most = _at(report, "burst", "recovery", "1200000") or {}
    return [
        Goal("1.2 M meters recovered", 30.0, most.get("seconds"), "s", at_least=False),
        Goal("memory per meter at 1.2 M", 1_024.0, most.get("bytes_per_meter"), "bytes", at_least=False),
        Goal(
            "CPU per reading with 10 x the meters", 1.1, _at(report, "fleets", "worker_cost_ratio"), "x", at_least=False
        ),
    ]


def table(found: list[Goal]) -> str:
    """Return the goals as a Markdown table."""
    lines = ["| goal | wanted | measured | verdict | |", "|---|---|---|---|---|"]
    for goal in found:
        sign = ">=" if goal.at_least else "<="
        measured = "-" if goal.measured is None else f"{number(goal.measured)} {goal.unit}"
        lines.append(
            f"| {goal.name} | {sign} {number(goal.wanted)} {goal.unit} | {measured} | {goal.verdict} | {goal.note} |"
        )
    return "\n".join(lines)


def number(value: float) -> str:
    """Return a number as a person reads it: three digits that count."""
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
