"""What must be true of the rules whatever comes: cuts change nothing, and neither does order where a rule looks at one
reading by itself."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from processors.state import MeterState
from processors.vee.catalogue import BY_ID
from processors.vee.check import Findings, check
from processors.vee.memory import MEMORY
from schemas.readings import ReadingBatch
from tests.builders import START_US
from tests.strategies import cuts
from tests.vee import RULES

#: Rules that look at one reading and at nothing that came before.
BY_THEMSELVES = (
    *("test_mode", "maintenance", "source_estimate", "future_time", "old_time", "dst_day", "late", "demand_range"),
    *("voltage_range", "current_range", "power_factor_range", "frequency_range", "temperature_range"),
    *("negative_energy", "zero_energy", "voltage_unit", "phase_imbalance", "reactive_without_active"),
)
#: The rule set with nothing hiding anything: what hides may look at the past.
ALONE = replace(RULES, rules=tuple(replace(item, hides=frozenset()) for item in RULES.rules))
_STEPS = st.sampled_from([1, 1, 1, 1, 1, 2, 0, -1, -3, 4, 96, 960])
_OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "consumption_kwh": st.sampled_from([0.0, 0.25, 0.25, 0.3, 1.5, 250.0, None]),
    "voltage": st.sampled_from([231.0, 231.0, 229.5, 205.0, 2_300.0, None]),
    "register_kwh": st.sampled_from([None, 50.0, 50.25, 51.0, 50_000.0, 99_999.5, 0.1]),
    "demand_kw": st.sampled_from([None, 1.0, 1.2, 90.0, -2.0]),
    "export_kwh": st.sampled_from([None, 0.0, 0.5]),
    "current_amps": st.sampled_from([None, 4.0, 300.0]),
    "source_quality": st.sampled_from([None, None, "A", "E52", "S14", "test", "?"]),
    "device": st.sampled_from([None, "D1", "D2"]),
}


@st.composite
def lives(draw: st.DrawFn) -> ReadingBatch:
    """Readings of a few meters, with everything that a rule may stumble over."""
    count = draw(st.integers(0, 40))
    clock, rows = dict.fromkeys(range(3), 0), list[tuple[str, int]]()
    for _ in range(count):
        meter = draw(st.integers(0, 2))
        at = clock[meter] + draw(_STEPS) + draw(st.sampled_from([0, 0, 0, 0.01]))
        clock[meter] = max(clock[meter], at)
        rows.append((f"M{meter}", START_US + round(at * 900e6)))
    columns = {name: draw(st.lists(values, min_size=count, max_size=count)) for name, values in _OPTIONS.items()}
    return ReadingBatch.from_columns(
        meter_number=[name for name, _ in rows], reading_time=np.array([at for _, at in rows], np.int64), **columns
    )


def run(batch: ReadingBatch, parts: list[slice]) -> tuple[list[dict[str, list[Any]]], list[bytes]]:
    """What is said of each reading, and the memory afterwards, when the batch comes in parts."""
    state, found = MeterState(), list[Findings]()
    for part in parts:
        some = batch.slice(part.start, part.stop - part.start)
        rows = state.rows(some.meter_number)
        found.append(check(some, rows, state, some.time_us + 5_000_000, RULES))
        np.maximum.at(state.last_time_us, rows, some.time_us)
    names = ("flag", "failed", "warned", "nem12", "espi")
    said = {name: np.concatenate([getattr(item, name) for item in found]).tolist() for name in names}
    return [said], [getattr(state, name)[: state.extent].tobytes() for name in MEMORY]


@given(st.data())
def test_it_does_not_matter_where_a_stream_is_cut(data: st.DataObject) -> None:
    batch = data.draw(lives())
    assert run(batch, [slice(0, len(batch))]) == run(batch, data.draw(cuts(len(batch))))


@given(st.data())
def test_order_changes_nothing_for_rules_that_look_at_one_reading(data: st.DataObject) -> None:
    batch = data.draw(lives())
    order = np.array(data.draw(st.permutations(range(len(batch)))), dtype=np.intp)
    mask = sum(1 << BY_ID[name].bit for name in BY_THEMSELVES)

    def bits(of: ReadingBatch) -> list[tuple[int, int]]:
        state = MeterState()
        found = check(of, state.rows(of.meter_number), state, of.time_us + 5_000_000, ALONE)
        return [
            (fail & mask, warn & mask) for fail, warn in zip(found.failed.tolist(), found.warned.tolist(), strict=True)
        ]

    straight, mixed = bits(batch), bits(batch.take(order))
    assert mixed == [straight[place] for place in order]


@given(st.data())
def test_whole_history_in_order_is_the_same_whatever_order_it_came_in(data: st.DataObject) -> None:
    batch = data.draw(lives())
    order = np.array(data.draw(st.permutations(range(len(batch)))), dtype=np.intp)

    def settled(of: ReadingBatch) -> object:
        # What a rerun does: the first reading of each meter and time, by meter and time.
        names = np.array(of.meter_number.to_pylist(), dtype=np.str_)
        kept = of.take(np.lexsort((of.records.column("consumption_kwh").fill_null(-1).to_numpy(), of.time_us, names)))
        return run(kept, [slice(0, len(kept))])

    distinct = len({*zip(batch.meter_number.to_pylist(), batch.time_us.tolist(), strict=True)}) == len(batch)
    if distinct:
        assert settled(batch) == settled(batch.take(order))
