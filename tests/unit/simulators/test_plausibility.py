"""Simulated households live like real ones: shape of the day, bursts, and spread from day to day."""

from pathlib import Path

import numpy as np
import pytest

from tests.homes import GRID, PLAIN, PREMISES, RESIDENTIAL, london, profile, sgsc, simulated_profile


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def test_the_day_of_residential_kinds_resembles_that_of_real_homes(shared_data: Path) -> None:
    sydney = np.mean([profile(*home) for home in sgsc(shared_data).values()], axis=0)
    every, plain = simulated_profile(RESIDENTIAL), simulated_profile(PLAIN)
    real = correlation(sydney, london(shared_data))
    found = {
        "sgsc, all kinds": correlation(sydney, every),
        "sgsc, without cars and panels": correlation(sydney, plain),
        "lcl, all kinds": correlation(london(shared_data), every),
        "lcl, without cars and panels": correlation(london(shared_data), plain),
    }
    print({name: round(value, 3) for name, value in found.items()}, "real with real", round(real, 3))  # noqa: T201
    assert min(found.values()) > 0.7
    # The simulated mean is nearer to either real one than they are to each other.
    assert min(found.values()) > real


def character(energy: np.ndarray) -> dict[str, float]:
    """Describe [days, 48] of one home: bursts, their length, and how days differ."""
    rest = (energy - energy.mean(axis=0)).reshape(-1)
    days = energy.sum(axis=1)
    return {
        "spread": rest.std() / energy.mean(),
        "next": float(np.corrcoef(rest[1:], rest[:-1])[0, 1]),
        "days": days.std() / days.mean(),
    }


@pytest.mark.parametrize(("what", "most_apart"), [("spread", 0.35), ("next", 0.2), ("days", 0.15)])
def test_bursts_and_days_vary_as_in_real_homes(shared_data: Path, what: str, most_apart: float) -> None:
    real = []
    for slot, energy in sgsc(shared_data).values():
        whole = [day for day in np.unique(slot // 48) if (slot // 48 == day).sum() == 48][:120]
        real.append(character(energy[np.isin(slot // 48, whole)].reshape(-1, 48))[what])
    homes = np.flatnonzero(np.isin(GRID.kind, PLAIN))[:200]
    days = np.stack([np.diff(PREMISES.day(homes, day).drawn_wh, axis=0) for day in range(5_600, 5_720)])
    simulated = [character(days[:, :, home].astype(np.float64))[what] for home in range(len(homes))]
    assert abs(np.median(simulated) - np.median(real)) < most_apart
