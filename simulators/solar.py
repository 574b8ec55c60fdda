"""Photovoltaic generation: pvlib's clear sky on tilted panels, times what the clouds let through."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats, Ints
from simulators.grid import Grid
from simulators.load_shape import PERFORMANCE, SOLAR_KIND, SOLAR_SIZE
from simulators.local_time import DAY_S, EPOCH_DAY, HALF_HOURS, date_of
from simulators.randomness import draw, fraction, lane, normal, salt
from simulators.regions import REGIONS, Region
from simulators.weather import Weather

#: Roofs: (tilt [degree], azimuth [degree from north], share of all).
ROOFS = ((35, 180, 0.40), (30, 135, 0.20), (30, 225, 0.20), (25, 90, 0.10), (25, 270, 0.10))
_ROOF_SHARES = np.cumsum([share for _, _, share in ROOFS])[:-1]
#: Linke turbidity of central European towns, yearly mean (SoDa monthly maps: 2.8 in winter to 4 in summer).
_TURBIDITY = 3.4
#: Terrestrial minus universal time [s] and refraction at the horizon [degree]: pvlib's own defaults.
_DELTA_T_S = 67.0
_REFRACTION = 0.5667
#: Samples of the clear sky within a half hour.
_SAMPLES = 3
_ROOF, _SIZE = salt("roof"), salt("panels")


@dataclass(frozen=True)
class Solar:
    """The panels of a grid: one roof at each meter of the kind.

    Args:
        grid: whose meters.
        weather: whose clouds.
    """

    grid: Grid
    weather: Weather

    @cached_property
    def owner(self) -> npt.NDArray[np.intp]:
        """Meters that have panels, rising."""
        return np.flatnonzero(self.grid.kind == SOLAR_KIND)

    def peak_w(self, meters: Ints) -> Floats:
        """Return the rated power, float64[n] [W]: what owners buy to cover 1.2 to 2.4 times their use over the year."""
        wish = (
            self.grid.daily_wh[meters]
            * SOLAR_SIZE
            * (0.67 + 0.66 * fraction(lane(draw(self.grid.keys[meters], _SIZE, 0), 0)))
        )
        return np.clip(wish, 1_500.0, 20_000.0)

    def expected_wh(self, meters: Ints, sunshine_kwh: Floats) -> Floats:
        """Return about what a day brings, float64[n] [Wh], from each region's sunshine, float64[regions] [kWh/m2]."""
        energy: Floats = self.peak_w(meters) * PERFORMANCE * sunshine_kwh[self.grid.meter_region[meters]]
        return energy

    def generated(self, meters: Ints, day: int) -> Floats:
        """Return the energy generated in each half hour of a UTC day, float64[48, n] [Wh]."""
        seconds = day * DAY_S + 900 + 1800 * np.arange(HALF_HOURS, dtype=np.float64)
        clear = self.weather.clear_share(seconds)[:, :, None]
        here = set(self.grid.substation_region.tolist())
        dark = np.zeros((HALF_HOURS, len(ROOFS)))
        skies = [clear_sky(region, day) if number in here else dark for number, region in enumerate(REGIONS)]
        plane = np.stack(skies, axis=1) * clear
        roof = np.digitize(fraction(lane(draw(self.grid.keys[meters], _ROOF, 0), 0)), _ROOF_SHARES)
        column = self.grid.meter_region[meters] * len(ROOFS) + roof
        sunshine = plane.reshape(HALF_HOURS, -1).take(column, axis=1)
        # Single clouds pass over single roofs.
        counters = day * HALF_HOURS + np.arange(HALF_HOURS)
        passing = normal(lane(draw(self.grid.keys[meters], _ROOF, counters[:, None]), 1))
        local = np.clip(1.0 + 0.12 * passing, 0.6, 1.2)
        energy: Floats = sunshine * local * (self.peak_w(meters) * (PERFORMANCE * 0.5 / 1000.0))
        return energy


@lru_cache(maxsize=64)
def clear_sky(region: Region, day: int) -> Floats:
    """Return the clear-sky radiation on each kind of roof, float64[48, roofs] [W/m2], mean of each half hour.

    Source: Ineichen and Perez (2002) clear sky and the isotropic sky model, as pvlib has them.
    """
    # Loading pvlib takes a second that only sunshine should cost.
    import pvlib  # noqa: PLC0415

    step_s = 1800 // _SAMPLES
    seconds = (EPOCH_DAY + day) * DAY_S + step_s * (np.arange(HALF_HOURS * _SAMPLES) + 0.5)
    pressure_pa = pvlib.atmosphere.alt2pres(region.altitude_m)
    # The functions on plain arrays: the ones on pandas indexes take ten times as long.
    zenith, _, _, _, bearing, _ = pvlib.spa.solar_position(
        seconds, region.latitude, region.longitude, region.altitude_m, pressure_pa / 100, 12.0, _DELTA_T_S, _REFRACTION
    )
    airmass = pvlib.atmosphere.get_absolute_airmass(pvlib.atmosphere.get_relative_airmass(zenith), pressure_pa)
    outside = pvlib.irradiance.get_extra_radiation(date_of(day).timetuple().tm_yday)
    # At night the model divides by the sine of no elevation and takes the smaller result: no light.
    with np.errstate(divide="ignore", invalid="ignore"):
        sky = pvlib.clearsky.ineichen(zenith, airmass, _TURBIDITY, region.altitude_m, outside)
    tilt, azimuth = np.array([roof[:2] for roof in ROOFS], dtype=np.float64).T[:, :, None]
    plane = pvlib.irradiance.get_total_irradiance(tilt, azimuth, zenith, bearing, sky["dni"], sky["ghi"], sky["dhi"])[
        "poa_global"
    ]
    values: Floats = plane.reshape(len(ROOFS), HALF_HOURS, _SAMPLES).mean(axis=2).T
    return np.maximum(values, 0.0)
