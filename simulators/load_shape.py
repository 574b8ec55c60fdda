"""Expected use of each kind of customer: how it spreads over the days of the years and over the hours of a day."""

from dataclasses import dataclass

import numpy as np

from schemas.layout import Floats, Ints, Mask
from simulators.customers import KINDS
from simulators.local_time import HALF_HOURS, local_hours, rest_days
from simulators.regions import REGIONS, Region
from simulators.weather import Weather

#: How strongly customers of one kind react to temperature: gas heating, average, electric heating.
REACTIONS = (0.4, 1.0, 1.6)
#: How much earlier or later than the average of their kind customers live [hours].
SHIFTS = tuple(step / 6 for step in range(-5, 6))

SOLAR_KIND = next(number for number, kind in enumerate(KINDS) if kind.name == "solar_battery")
#: Rated power of panels [kW] over mean daily use [kWh], on average; and inverter and other losses.
SOLAR_SIZE = 0.675
PERFORMANCE = 0.84

_WEEKDAY = np.array([kind.weekday for kind in KINDS])
_WEEKEND = np.array([kind.weekend for kind in KINDS])
_WEEK_MEAN = (5 * _WEEKDAY.mean(axis=1) + 2 * _WEEKEND.mean(axis=1)) / 7
_HEATING = np.array([kind.heating for kind in KINDS])
_COOLING = np.array([kind.cooling for kind in KINDS])
_SEASON = np.array([kind.season for kind in KINDS])
_REACTIONS = np.array(REACTIONS)

#: Above and below these daily means customers cool and heat [degree Celsius]; the usual degree-day bases.
_HEAT_BELOW = 15.0
_COOL_ABOVE = 21.0
#: Mean of (15 - T)+ and (T - 21)+ over the years of the regions [K]; keeps the mean use at its nominal value.
_MEAN_HEATING_K = 6.2
_MEAN_COOLING_K = 0.35


def profile_count() -> int:
    """Return how many day profiles there are."""
    return len(KINDS) * len(REGIONS) * len(REACTIONS) * len(SHIFTS)


def profile_number(kind: Ints, region: Ints, reaction: Ints, shift: Ints) -> Ints:
    """Return the day profile of customers of these kinds, regions, reactions and shifts (positions in their tables)."""
    return ((kind * len(REGIONS) + region) * len(REACTIONS) + reaction) * len(SHIFTS) + shift


def year_number(profile: Ints) -> Ints:
    """Return the year profile (without the shift) of day profiles."""
    return profile // len(SHIFTS)


def drawn_number(profile: Ints) -> Ints:
    """Return the year profile of what homes with panels and a battery still draw from the grid."""
    return year_number(profile) + (len(KINDS) - SOLAR_KIND) * len(REGIONS) * len(REACTIONS)


@dataclass(frozen=True)
class LoadShape:
    """The expectations of one seed's weather.

    Args:
        weather: whose temperatures customers react to.
    """

    weather: Weather

    def days(self, days: int) -> Floats:
        """Return expected use from the epoch to the start of each day, [mean days of use].

        Returns: float64[days + 1, year profiles]; the last block is for `drawn_number`.
        """
        numbers = np.arange(days, dtype=np.float64)
        temperature = self.weather.daily_mean_c(numbers + 0.5)
        rest = np.stack([rest_days(region, days) for region in REGIONS], axis=1)
        level = np.where(rest[:, None, :], *(self._levels()))
        winter = np.cos(2 * np.pi * (numbers - 14) / 365.2425)
        level = level * (1 + _SEASON[None, :, None] * winter[:, None, None])
        thermal = self._thermal(temperature, level[..., None])
        drawn = thermal[:, SOLAR_KIND] * self._drawn_share(numbers, level[:, SOLAR_KIND])[..., None]
        every = np.concatenate([thermal.reshape(days, -1), drawn.reshape(days, -1)], axis=1)
        total = np.zeros((days + 1, every.shape[1]))
        np.cumsum(every, axis=0, out=total[1:])
        return total

    def _drawn_share(self, days: Floats, level: Floats) -> Floats:
        """Return which share of their use homes with panels and a battery draw from the grid, float64[days, regions].

        The curve follows what the battery rule of `storage` leaves over a year of `solar`: 9 % in June, 75 % in
        December.
        """
        cover = SOLAR_SIZE * PERFORMANCE * self.weather.sunshine_kwh(days) / level
        share: Floats = 1.0 - 0.93 * (1.0 - np.exp(-1.0 * cover))
        return share

    def day(self, day: int) -> Floats:
        """Return expected use from a UTC day's start to each half hour, float64[49, day profiles], in no unit."""
        seconds = day * 86_400 + 900 + 1800 * np.arange(HALF_HOURS)
        temperature = self.weather.temperature_c(seconds.astype(np.float64))
        total = np.zeros((HALF_HOURS + 1, profile_count()))
        level = np.stack([self._clock_levels(region, day) for region in REGIONS], axis=2)
        density = self._thermal(temperature, level[:, :, :, None, :])
        np.cumsum(density.reshape(HALF_HOURS, -1), axis=0, out=total[1:])
        return total

    @staticmethod
    def _levels() -> tuple[Floats, Floats]:
        weekend = _WEEKEND.mean(axis=1) / _WEEK_MEAN
        weekday = _WEEKDAY.mean(axis=1) / _WEEK_MEAN
        return weekend[None, :, None], weekday[None, :, None]

    @staticmethod
    def _thermal(temperature: Floats, level: Floats) -> Floats:
        """Add heating and cooling: float64[t, kinds, regions, reactions(, shifts)] from level, which has those axes."""
        heat = np.maximum(0.0, _HEAT_BELOW - temperature)[:, None, :] * _HEATING[None, :, None]
        cool = np.maximum(0.0, temperature - _COOL_ABOVE)[:, None, :] * _COOLING[None, :, None]
        mean = _HEATING * _MEAN_HEATING_K + _COOLING * _MEAN_COOLING_K
        extra = (heat + cool)[..., None] * _REACTIONS
        whole = 1.0 + mean[:, None, None] * _REACTIONS
        if level.ndim > extra.ndim:
            extra, whole = extra[..., None], whole[..., None]
        total: Floats = (level + extra) / whole
        return total

    @staticmethod
    def _clock_levels(region: Region, day: int) -> Floats:
        """Return relative use by half hour, kind and shift, float64[48, kinds, shifts]."""
        hours = local_hours(region, day)[:, None] - np.array(SHIFTS)
        rest = rest_days(region, day + 2)
        return hourly_level(hours, rest[np.clip(day + np.floor(hours / 24).astype(int), 0, day + 1)])


def hourly_level(hours: Floats, rest: Mask) -> Floats:
    """Return the use relative to the week's mean, read off the hourly tables with straight lines between.

    Args:
        hours: float64[t, s], local clock [h]; values outside 0 to 24 wrap.
        rest: bool[t, s], whether the local day is a rest day.

    Returns: float64[t, kinds, s].
    """
    position = (hours - 0.5) % 24
    left = np.floor(position).astype(int)
    part = (position - left)[:, None, :]
    right = (left + 1) % 24
    tables = np.stack([_WEEKDAY, _WEEKEND]) / _WEEK_MEAN[:, None]
    table = tables[rest.astype(int)[:, None, :], np.arange(len(KINDS))[None, :, None], left[:, None, :]]
    after = tables[rest.astype(int)[:, None, :], np.arange(len(KINDS))[None, :, None], right[:, None, :]]
    level: Floats = table * (1 - part) + after * part
    return level
