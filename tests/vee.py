"""Rules at work on small lives of one meter."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from processors.state import MeterState
from processors.vee.catalogue import BY_ID
from processors.vee.check import Findings, check
from processors.vee.rule_set import RuleSet
from schemas.meter_class import CLASSES
from schemas.readings import ReadingBatch
from stream.vee.rule_book import own_rules
from tests.builders import START_US

RULES = own_rules()
QUARTER_S = 900
DAY_READINGS = 96
Row = dict[str, Any]


def row(at_s: float, **columns: Any) -> Row:
    """A reading so many seconds after the start."""
    return {"at_s": at_s, **columns}


def regular(count: int, step_s: float = QUARTER_S, **columns: Any) -> list[Row]:
    """Readings at a regular step; the k-th one ends its interval k steps after the start."""
    return [row(step_s * k, **columns) for k in range(1, count + 1)]


def days(count: int, kwh: float = 0.125, **columns: Any) -> list[Row]:
    """Whole days of quarter hours in which energy never stands still."""
    wobble = [kwh, kwh * 1.5, kwh * 0.5]
    return [row(QUARTER_S * k, consumption_kwh=wobble[k % 3], **columns) for k in range(1, 96 * count + 1)]


def as_batch(rows: Sequence[Row], meters: Sequence[str] | None = None) -> ReadingBatch:
    names = sorted({name for item in rows for name in item} - {"at_s", "arrived_s"})
    return ReadingBatch.from_columns(
        meter_number=meters or ["M1"] * len(rows),
        reading_time=np.array([START_US + round(item["at_s"] * 1e6) for item in rows], dtype=np.int64),
        **{name: [item.get(name) for item in rows] for name in names},
    )


def only(rule: str, settings: RuleSet = RULES, **values: float) -> RuleSet:
    """The rule set with one rule, some of its numbers changed for every class and source."""
    chosen = settings.by_id[rule]
    changed = {name: np.full_like(chosen.values[name], value) for name, value in values.items()}
    return replace(settings, rules=(replace(chosen, values={**chosen.values, **changed}, hides=frozenset()),))


def checked(
    rows: Sequence[Row], rules: RuleSet = RULES, *, state: MeterState | None = None, kind: str = "", status: int = 0
) -> Findings:
    """What the rules say of readings of meter M1, in their order."""
    state = MeterState() if state is None else state
    batch = as_batch(rows)
    at = state.rows(batch.meter_number)
    if kind or status:
        standing = (np.array([CLASSES.index(kind or "unknown")], np.uint8), np.array([status], np.uint8))
        state.register(at[:1], *standing)
    arrived = np.array([START_US + round(item.get("arrived_s", item["at_s"]) * 1e6) for item in rows], dtype=np.int64)
    found = check(batch, at, state, arrived, rules)
    state.last_time_us[at] = np.maximum(state.last_time_us[at], batch.time_us.max(initial=0))
    return found


def said(found: Findings, rule: str, position: int = -1) -> str:
    """What a rule said of one reading."""
    bit = 1 << BY_ID[rule].bit
    if found.failed[position] & bit:
        return "fail"
    return "warn" if found.warned[position] & bit else "pass"
