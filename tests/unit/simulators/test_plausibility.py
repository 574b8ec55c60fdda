"""Simulated households live like real ones: shape of the day, bursts, and spread from day to day."""

import csv
import gzip
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest

from simulators.customers import KINDS, Sector
from simulators.grid import Grid
from simulators.local_time import local_hours
from simulators.premises import Premises
from simulators.regions import REGIONS
from simulators.weather import Weather

GRID = Grid.build(2_000, 7)
PREMISES = Premises(GRID, Weather(7))
RESIDENTIAL = [number for number, kind in enumerate(KINDS) if kind.sector is Sector.RESIDENTIAL]
#: Kinds without a car or panels, as homes were in 2012 when the real ones were measured.
PLAIN = [number for number in RESIDENTIAL if KINDS[number].name not in {"solar_battery", "ev_charging"}]


def simulated_profile(kinds: list[int]) -> np.ndarray:
    """Mean over a year and over homes, each by its own mean, by local half hour."""
    homes = np.flatnonzero(np.isin(GRID.kind, kinds))
    total = np.zeros(48)
    for day in range(5_479, 5_844, 13):
        energy = np.diff(PREMISES.day(homes, day).drawn_wh, axis=0)
        clock = (np.floor(2 * local_hours(REGIONS[0], day)) % 48).astype(int)
        np.add.at(total, clock, (energy / np.maximum(energy.mean(axis=0), 1)).mean(axis=1))
    return total / total.mean()


def sgsc(shared_data: Path) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Half hour since 1970 by the local clock, and energy [kWh], of each of ten homes."""
    table = pyarrow.csv.read_csv(shared_data / "sgsc_meters" / "smart_meter10.csv.gz")
    slot = table["reading_datetime"].to_numpy().astype("datetime64[s]").astype(np.int64) // 1800
    home, energy = table["customer_id"].to_numpy(), table["general_supply_kwh"].to_numpy()
    return {int(number): (slot[home == number], energy[home == number]) for number in np.unique(home)}


def profile(slot: np.ndarray, energy: np.ndarray) -> np.ndarray:
    mean = np.array([energy[slot % 48 == number].mean() for number in range(48)])
    return mean / mean.mean()


def london(shared_data: Path) -> np.ndarray:
    slots, energies = [], []
    with gzip.open(shared_data / "lcl_london" / "MAC000002_halfhourly.csv.gz", "rt") as file:
        for _, moment, energy in list(csv.reader(file))[1:]:
            if energy.strip() != "Null":
                slots.append(int(datetime.fromisoformat(moment[:19] + "+00:00").timestamp()) // 1800)
                energies.append(float(energy))
    return profile(np.array(slots), np.array(energies))


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
