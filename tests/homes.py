"""Real homes of the shared data beside simulated ones: shape of the day, for tests and for the documents' picture."""

import csv
import gzip
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.csv

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
    profile = daily_course(kinds, range(5_479, 5_844, 13))
    return profile / profile.mean()


def daily_course(kinds: list[int], days: Sequence[int]) -> np.ndarray:
    """Mean over days and homes of the energy drawn by local half hour, in units of each home's usual mean."""
    homes = np.flatnonzero(np.isin(GRID.kind, kinds))
    total = np.zeros(48)
    for day in days:
        energy = np.diff(PREMISES.day(homes, day).drawn_wh, axis=0)
        clock = (np.floor(2 * local_hours(REGIONS[0], day)) % 48).astype(int)
        np.add.at(total, clock, (48 * energy / GRID.daily_wh[homes]).mean(axis=1))
    return total / len(days)


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
