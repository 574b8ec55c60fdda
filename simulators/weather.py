"""Temperature and cloud of each region, as functions of seed and time alone."""

import numpy as np

from schemas.layout import Floats
from simulators.local_time import DAY_S
from simulators.randomness import keys, salt, smooth
from simulators.regions import REGIONS

_COLDEST_DAY = 19.0
_WARMEST_HOUR_UTC = 13.5
_YEAR_DAYS = 365.2425

#: Clear-sky day on a roof that faces south at 35 degrees, fitted to pvlib's for these regions [kWh/m2].
_LONGEST_DAY = 171.0
_CLEAR_MEAN_KWH = 5.6
_CLEAR_SWING_KWH = 2.5

#: Fronts: (period [days], standard deviation [K]); together about the 4.5 K by which daily means differ from their
#: climate in central Europe.
_FRONTS = ((3.0, 3.4), (11.0, 3.4))
_FRONT_SALTS = tuple(salt("front", str(period)) for period, _ in _FRONTS)

_FREQUENCY = salt("frequency")

#: Clouds: (period [hours], weight in the standard normal sum).
_CLOUD_LAYERS = ((40.0, 0.75), (5.0, 0.50), (0.35, 0.45))
_CLOUD_SALTS = tuple(salt("cloud", str(period)) for period, _ in _CLOUD_LAYERS)


class Weather:
    """The weather of one seed.

    Args:
        seed: of the whole simulation.
    """

    def __init__(self, seed: int) -> None:
        self._keys = keys(seed, "weather", np.arange(len(REGIONS)))
        self._mean_c = np.array([region.mean_c for region in REGIONS])
        self._swing_c = np.array([region.swing_c for region in REGIONS])
        self._cloudiness = np.array([region.cloudiness for region in REGIONS])

    def daily_mean_c(self, days: Floats) -> Floats:
        """Return the temperature without its daily cycle, float64[t, regions] [degree Celsius].

        Args:
            days: float64[t], days since the simulation's epoch, with fractions.
        """
        year = np.cos(2 * np.pi * (days - _COLDEST_DAY) / _YEAR_DAYS)[:, None]
        climate = self._mean_c - self._swing_c * year
        fronts = [
            deviation / 0.8 * smooth(self._keys, purpose, days / period)
            for (period, deviation), purpose in zip(_FRONTS, _FRONT_SALTS, strict=True)
        ]
        total: Floats = climate + sum(fronts)
        return total

    def temperature_c(self, seconds: Floats) -> Floats:
        """Return the air temperature, float64[t, regions] [degree Celsius].

        Args:
            seconds: float64[t], seconds since the simulation's epoch.
        """
        days = seconds / DAY_S
        summer = 0.5 - 0.5 * np.cos(2 * np.pi * (days - _COLDEST_DAY) / _YEAR_DAYS)
        cycle = np.cos(2 * np.pi * (days - _WARMEST_HOUR_UTC / 24))
        return self.daily_mean_c(days) + ((2.0 + 3.5 * summer) * cycle)[:, None]

    def sunshine_kwh(self, days: Floats) -> Floats:
        """Return about what a day brings to a square metre of a southern roof, float64[t, regions] [kWh/m2].

        Args:
            days: float64[t], whole days since the epoch.
        """
        hours = np.array([8.5, 10.5, 12.5, 14.5])
        share = self.clear_share(((days[:, None] + hours / 24) * DAY_S).reshape(-1))
        year = np.cos(2 * np.pi * (days - _LONGEST_DAY) / _YEAR_DAYS)[:, None]
        clear = _CLEAR_MEAN_KWH + _CLEAR_SWING_KWH * year
        total: Floats = clear * share.reshape(len(days), len(hours), -1).mean(axis=1)
        return total

    def frequency_hz(self, seconds: Floats) -> Floats:
        """Return the mains frequency of the whole grid, float64[t] [Hz].

        Args:
            seconds: float64[t], seconds since the simulation's epoch.
        """
        # Continental Europe keeps within about 20 mHz of nominal most of the time.
        deviation = smooth(self._keys[:1], _FREQUENCY, seconds / 240.0) + smooth(
            self._keys[:1], _FREQUENCY, seconds / 17
        )
        return 50.0 + 0.013 * deviation[:, 0]

    def clear_share(self, seconds: Floats) -> Floats:
        """Return which share of the clear-sky radiation comes through, float64[t, regions] in 0.08 to 1.

        Args:
            seconds: float64[t], seconds since the simulation's epoch.
        """
        hours = seconds / 3600
        layers = [
            weight / 0.8 * smooth(self._keys, purpose, hours / period)
            for (period, weight), purpose in zip(_CLOUD_LAYERS, _CLOUD_SALTS, strict=True)
        ]
        cover = self._cloudiness + 0.42 * sum(layers)
        share: Floats = 1.0 - 0.92 * np.clip(cover, 0.0, 1.0)
        return share
