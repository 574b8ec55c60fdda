"""The report of an evaluation: a page of tables with its pictures, and the same as plain data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.evaluation.bench import TUNING, Result
from models.evaluation.healthy import Alarms, promised


def as_json(results: Sequence[Result], healthy: dict[str, Alarms]) -> dict[str, Any]:
    """Return everything that was measured."""
    return {
        "tuned_on": list(TUNING),
        "detectors": [
            {
                "detector": one.detector,
                "bound": one.bound,
                "mean_event_f1": round(one.mean_event_f1, 4),
                "sets": {group: _measures(one, group) for group in one.tallies},
            }
            for one in results
        ],
        "healthy": {name: vars(found) for name, found in healthy.items()},
        "promised_per_10k_meter_days": promised(),
    }


def _measures(result: Result, group: str) -> dict[str, float | int]:
    found = result.tallies[group]
    return {
        "anomalies": found.windows,
        "found": found.found,
        "false_alarms": found.wrong,
        "event_precision": round(found.event_precision, 4),
        "event_recall": round(found.event_recall, 4),
        "event_f1": round(found.event_f1, 4),
        "event_f1_in_hindsight": round(result.hindsight[group], 4),
        "point_f1": round(found.point_f1, 4),
        "average_precision": round(result.areas[group], 4),
        "mean_delay_intervals": round(found.mean_delay, 2),
        "false_alarms_per_day": round(found.wrong / max(found.days, 1e-9), 4),
        "nab_score": round(found.nab_score, 2),
    }


def tables(results: Sequence[Result], healthy: dict[str, Alarms]) -> str:
    """Return the tables in Markdown."""
    groups = list(results[0].tallies) if results else []
    lines = ["Event-wise F1 by data set:", "", *_overview(groups, {one.detector: _event_f1(one) for one in results})]
    lines += ["", "With the best threshold for each data set itself, chosen in hindsight:", ""]
    lines += _overview(groups, {one.detector: one.hindsight for one in results})
    for group in groups:
        names = list(_measures(results[0], group))
        lines += ["", f"{group}:", "", "| detector | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        lines += [
            f"| {one.detector} | " + " | ".join(f"{value:g}" for value in _measures(one, group).values()) + " |"
            for one in results
        ]
    if healthy:
        lines += ["", "Alerts on clean data, per 10,000 meter-days:", ""]
        lines += ["| data | meter-days | alerts | critical |", "|---|---|---|---|"]
        lines += [
            f"| {name} | {one.meter_days:,.0f} | {one.warnings:,.0f} | {one.critical:,.0f} |"
            for name, one in healthy.items()
        ]
    return "\n".join(lines) + "\n"


def _event_f1(result: Result) -> dict[str, float]:
    return {group: found.event_f1 for group, found in result.tallies.items()}


def _overview(groups: Sequence[str], figures: dict[str, dict[str, float]]) -> list[str]:
    """Return a table of detectors by data set, the best in the mean first."""
    means = {name: sum(found.values()) / len(groups) for name, found in figures.items()}
    lines = ["| detector | " + " | ".join(groups) + " | mean |", "|---" * (len(groups) + 2) + "|"]
    for name in sorted(figures, key=lambda one: -means[one]):
        cells = " | ".join(f"{figures[name][group]:.2f}" for group in groups)
        lines.append(f"| {name} | {cells} | {means[name]:.2f} |")
    return lines


def write(folder: Path, text: str, pictures: Sequence[str]) -> Path:
    """Write the page `report.md` into a folder."""
    page = folder / "report.md"
    shown = "".join(f"\n![{name}]({name})\n" for name in pictures)
    page.write_text(
        f"# How good the scores are\n\nTuned on series named {', '.join(TUNING)}; none is reported.\n\n{text}{shown}"
    )
    return page
