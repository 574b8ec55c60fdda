"""What the whole rule set costs per reading."""

import time

import numpy as np
import pytest

from processors.state import MeterState
from processors.vee.check import check
from schemas.readings import ReadingBatch
from tests.builders import START_US
from tests.vee import RULES

ROWS = 10_000
#: Processor time per reading of one core [us].
MOST_US = 4.0
QUARTER_US = 900_000_000


def batches(meters: int, count: int) -> list[ReadingBatch]:
    """Full readings of a fleet, quarter hour by quarter hour."""
    chance = np.random.default_rng(7)
    names = np.array([f"M{number:08d}" for number in range(meters)])
    per, register, found = ROWS // meters, np.full(meters, 500.0), list[ReadingBatch]()
    for number in range(count):
        energy = np.round(chance.gamma(2.0, 0.1, (per, meters)), 4)
        standing = register + np.cumsum(energy, axis=0)
        register = standing[-1]
        volts, factor = np.round(chance.normal(230, 2, ROWS), 1), np.round(chance.uniform(0.9, 1, ROWS), 3)
        demand = energy.reshape(-1) * 4
        found.append(
            ReadingBatch.from_columns(
                meter_number=np.tile(names, per),
                reading_time=START_US + QUARTER_US * (number * per + np.repeat(np.arange(per), meters)),
                consumption_kwh=energy.reshape(-1),
                demand_kw=demand,
                voltage=volts,
                current_amps=np.round(demand * 1e3 / volts / factor, 2),
                power_factor=factor,
                register_kwh=np.round(standing.reshape(-1), 4),
                export_kwh=np.zeros(ROWS),
                reactive_kvarh=energy.reshape(-1) * 0.2,
                frequency_hz=np.full(ROWS, 50.0),
                temperature_c=np.full(ROWS, 20.0),
            )
        )
    return found


@pytest.mark.parametrize("meters", [100, 1_000, 10_000])
def test_all_rules_cost_at_most_four_microseconds_per_reading(meters: int) -> None:
    state, spent = MeterState(), list[float]()
    for batch in batches(meters, 24):
        rows = state.rows(batch.meter_number)
        began = time.process_time()
        check(batch, rows, state, batch.time_us + 5_000_000, RULES)
        spent.append(time.process_time() - began)
        np.maximum.at(state.last_time_us, rows, batch.time_us)
    cost_us = sum(spent) / len(spent) / ROWS * 1e6
    print(f"{meters:,} meters: {cost_us:.2f} us per reading, {len(RULES.rules)} rules")  # noqa: T201 - the figure
    assert cost_us <= MOST_US
