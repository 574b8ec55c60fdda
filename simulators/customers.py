"""Twelve kinds of customers: how many there are of each, how much they use and when."""

from dataclasses import dataclass
from enum import StrEnum


class Sector(StrEnum):
    """Class of a meter in the registry."""

    RESIDENTIAL = "residential"
    COMMERCIAL = "commercial"
    INDUSTRIAL = "industrial"


Hours = tuple[float, ...]


@dataclass(frozen=True)
class Kind:
    """One kind of customer.

    Attributes:
        name: as in the registry.
        share: of all meters.
        sector: registry class.
        daily_kwh: median over customers of the mean use per day [kWh].
        spread: standard deviation of ln(mean use) between customers.
        ceiling_kwh: no customer of the kind uses more per day in the mean [kWh].
        bursts: how uneven the use is around its expectation; 1 is a household, less is steadier.
        weekday: relative use in each local hour of a working day.
        weekend: the same for Saturdays, Sundays and holidays, on the same scale.
        season: relative swing of the use apart from temperature, highest in mid January.
        heating: additional use per kelvin of daily mean below 15 degree Celsius, as a share of the use without it.
        cooling: the same per kelvin above 21 degree Celsius.
        three_phase: share of customers with three phases.
        power_factor: typical value.
        zone: where on the map the kind gathers: 0 is an industrial estate, 1 the outskirts, None anywhere.
    """

    name: str
    share: float
    sector: Sector
    daily_kwh: float
    spread: float
    ceiling_kwh: float
    bursts: float
    weekday: Hours
    weekend: Hours
    season: float
    heating: float
    cooling: float
    three_phase: float
    power_factor: float
    zone: float | None = None


def _hours(text: str) -> Hours:
    values = tuple(float(part) for part in text.split())
    if len(values) != 24:
        raise ValueError(f"24 hours are needed, there are {len(values)}: {text}")
    return values


_EVENING = _hours("6 5 4 4 4 6 11 13 12 10 9 9 9 9 9 9 12 15 18 19 17 15 12 8")
_EVENING_END = _hours("7 6 5 4 4 5 7 10 13 14 14 13 13 13 12 12 13 15 18 19 17 15 13 9")

KINDS = (
    Kind(
        "early_industrial", 0.03, Sector.INDUSTRIAL, 520, 0.9, 6_000, 0.30,
        _hours("4 5 7 14 22 27 29 29 28 27 26 24 22 20 16 10 7 6 5 5 4 4 4 4"),
        _hours("4 4 4 5 6 7 8 8 8 7 7 6 5 5 4 4 4 4 4 4 4 4 4 4"),
        0.04, 0.004, 0.008, 1.0, 0.89, 0.03,
    ),
    Kind(
        "business_commercial", 0.08, Sector.COMMERCIAL, 78, 0.9, 1_200, 0.45,
        _hours("3 3 3 3 3 4 7 12 20 25 27 28 27 27 27 26 25 21 14 9 6 5 4 3"),
        _hours("3 3 3 3 3 3 3 4 6 9 10 11 10 9 8 7 6 5 4 4 3 3 3 3"),
        0.05, 0.010, 0.022, 0.85, 0.93, 0.12,
    ),
    Kind("evening_residential", 0.22, Sector.RESIDENTIAL, 9.2, 0.45, 45, 1.0, _EVENING, _EVENING_END,
         0.14, 0.014, 0.010, 0.35, 0.96),
    Kind("solar_battery", 0.07, Sector.RESIDENTIAL, 11.5, 0.40, 45, 1.0, _EVENING, _EVENING_END,
         0.10, 0.020, 0.014, 0.85, 0.97, 0.85),
    Kind(
        "ev_charging", 0.09, Sector.RESIDENTIAL, 9.8, 0.40, 45, 1.0,
        _hours("6 5 4 4 4 6 11 13 11 9 8 8 9 9 9 9 11 14 17 18 17 15 12 8"), _EVENING_END,
        0.12, 0.016, 0.012, 0.80, 0.97, 0.75,
    ),
    Kind(
        "efficiency_optimiser", 0.05, Sector.RESIDENTIAL, 6.4, 0.35, 25, 0.8,
        _hours("7 8 9 8 7 6 8 9 8 8 9 10 11 11 10 8 8 9 10 11 10 9 8 7"),
        _hours("7 8 9 8 7 6 6 8 9 10 11 12 13 12 10 9 8 9 10 11 10 9 8 7"),
        0.08, 0.010, 0.008, 0.40, 0.97,
    ),
    Kind(
        "high_all_day", 0.06, Sector.RESIDENTIAL, 24, 0.35, 90, 0.7,
        _hours("14 13 13 13 13 14 16 18 18 17 17 17 18 17 17 18 19 21 23 23 22 20 18 15"),
        _hours("14 13 13 13 13 13 15 17 19 19 19 19 20 19 18 18 19 21 23 23 22 20 18 15"),
        0.08, 0.012, 0.016, 0.60, 0.95,
    ),
    Kind(
        "seasonal_heavy", 0.12, Sector.RESIDENTIAL, 14.5, 0.45, 80, 0.9,
        _hours("7 7 7 7 8 10 14 15 13 11 10 10 10 10 10 10 12 14 16 17 15 13 11 9"),
        _hours("7 7 7 7 7 8 11 13 14 13 12 12 12 12 11 11 13 14 16 17 15 13 11 9"),
        0.12, 0.085, 0.075, 0.65, 0.94, 0.80,
    ),
    Kind(
        "weekend_shift", 0.08, Sector.RESIDENTIAL, 8.6, 0.45, 45, 1.0,
        _hours("5 4 4 4 4 5 8 9 8 7 6 6 7 7 6 7 8 10 12 13 12 11 9 7"),
        _hours("7 6 5 5 4 5 7 11 16 20 22 22 22 20 18 17 17 18 20 20 18 15 12 9"),
        0.10, 0.012, 0.010, 0.35, 0.96,
    ),
    Kind(
        "night_owl", 0.06, Sector.RESIDENTIAL, 8.4, 0.45, 45, 1.0,
        _hours("16 14 12 9 7 5 5 6 6 7 8 9 10 10 10 10 11 12 13 14 14 15 16 16"),
        _hours("17 16 14 11 8 6 5 5 6 7 8 9 11 11 11 11 12 13 14 14 15 16 17 17"),
        0.08, 0.012, 0.010, 0.30, 0.96,
    ),
    Kind(
        "home_all_day", 0.09, Sector.RESIDENTIAL, 10.4, 0.40, 45, 1.0,
        _hours("6 5 5 5 5 6 10 13 14 14 13 13 14 13 12 12 14 15 17 17 15 13 10 8"),
        _hours("5 4 4 4 4 5 7 10 13 14 14 15 17 15 13 12 13 15 17 17 15 13 10 7"),
        0.12, 0.016, 0.014, 0.35, 0.96,
    ),
    Kind(
        "minimal_use", 0.05, Sector.RESIDENTIAL, 1.3, 0.35, 2.0, 0.5,
        _hours("6 6 6 6 6 6 7 8 7 6 6 6 7 6 6 6 7 9 10 10 9 8 7 6"),
        _hours("6 6 6 6 6 6 7 7 8 7 7 7 8 7 6 6 7 9 10 10 9 8 7 6"),
        0.03, 0.004, 0.002, 0.10, 0.96,
    ),
)  # fmt: skip
