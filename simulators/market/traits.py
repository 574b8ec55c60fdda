"""What a market is like: its price level, its demand over the day, its renewables and its merit order."""

from dataclasses import dataclass, replace

import numpy as np

from schemas.layout import Floats
from schemas.markets import Market

#: Demand by local hour over its mean. Evening: New South Wales, January and February 2025, midday carved out by roofs.
EVENING = (
    0.95, 0.91, 0.88, 0.87, 0.89, 0.94, 0.98, 0.97, 0.93, 0.90, 0.88, 0.87, 0.88, 0.91, 0.97, 1.08, 1.18, 1.25, 1.25,
    1.22, 1.16, 1.11, 1.05, 1.00,
)  # fmt: skip
#: Two peaks, as in cold countries: Nord Pool, load forecast of 2013 to 2018.
TWO_PEAKS = (
    0.86, 0.84, 0.83, 0.83, 0.85, 0.90, 0.98, 1.07, 1.10, 1.10, 1.09, 1.08, 1.06, 1.05, 1.04, 1.05, 1.07, 1.10, 1.10,
    1.08, 1.05, 1.01, 0.96, 0.90,
)  # fmt: skip
#: Offices and cooling: Singapore, January 2023.
OFFICES = (
    0.90, 0.88, 0.86, 0.85, 0.85, 0.87, 0.91, 0.97, 1.03, 1.08, 1.10, 1.11, 1.08, 1.10, 1.10, 1.10, 1.09, 1.08, 1.08,
    1.09, 1.07, 1.04, 1.00, 0.94,
)  # fmt: skip

#: Merit orders: residual load over mean demand, and the price that serves it over the market's level. Must-run plant
#: pays to stay on at the lower end, peaking plant and demand response set the price at the upper one.
COAL_AND_SUN = (
    (0.0, 0.25, 0.45, 0.60, 0.75, 0.90, 1.05, 1.20, 1.40, 1.70),
    (-1.2, -0.55, -0.15, 0.35, 0.75, 1.0, 1.45, 2.1, 3.4, 8.0),
)
HYDRO = (
    (0.0, 0.40, 0.70, 0.90, 1.05, 1.20, 1.40, 1.70),
    (0.35, 0.68, 0.86, 0.97, 1.06, 1.15, 1.35, 2.4),
)
GAS = (
    (0.0, 0.50, 0.80, 0.90, 1.00, 1.10, 1.25, 1.50),
    (0.45, 0.52, 0.60, 0.75, 1.0, 1.38, 1.85, 4.0),
)
WIND_AND_SUN = (
    (0.0, 0.15, 0.30, 0.50, 0.70, 0.90, 1.10, 1.35, 1.70),
    (-1.4, -0.4, 0.0, 0.55, 0.85, 1.1, 1.5, 2.3, 6.0),
)
SHORT_EVENINGS = (
    (0.0, 0.50, 0.75, 0.90, 1.05, 1.20, 1.40, 1.70),
    (0.35, 0.58, 0.72, 0.85, 1.15, 2.2, 3.2, 4.0),
)
FLAT = ((0.0, 2.0), (1.0, 1.0))


@dataclass(frozen=True)
class Traits:
    """One market's character.

    Attributes:
        level: usual price [currency/unit].
        mean_mw: mean demand of one symbol [MW]; 0 where there is no demand to speak of.
        shape: demand by local hour over its mean.
        merit: residual loads over mean demand, and prices over `level`.
        solar: output at noon in clear weather, over mean demand.
        wind: mean output, over mean demand.
        fuel_sd: how far fuel moves the level over weeks, as standard deviation of its logarithm.
        noise_sd: outages and forecast errors, as standard deviation of the residual load over mean demand.
        calm_s: how quickly such noise dies away [s].
        jumps: price jumps per day, at usual residual load.
        jump: median size of a jump, over `level`; sizes are lognormal.
        jump_sigma: their spread.
        jump_s: how quickly the effect of a jump dies away [s].
        quantity: median of a trade [the market's unit].
    """

    level: float
    mean_mw: float = 0.0
    shape: tuple[float, ...] = EVENING
    merit: tuple[tuple[float, ...], tuple[float, ...]] = FLAT
    solar: float = 0.0
    wind: float = 0.0
    fuel_sd: float = 0.10
    noise_sd: float = 0.05
    calm_s: float = 2_400.0
    jumps: float = 0.3
    jump: float = 2.0
    jump_sigma: float = 0.9
    jump_s: float = 500.0
    quantity: float = 10.0

    @property
    def curve(self) -> tuple[Floats, Floats]:
        """The merit order as columns."""
        return np.array(self.merit[0]), np.array(self.merit[1])


_AMERICAN = Traits(38.0, 9_000, EVENING, COAL_AND_SUN, solar=0.25, wind=0.12, jumps=0.6, jump=3.0)
_EUROPEAN = Traits(75.0, 12_000, TWO_PEAKS, WIND_AND_SUN, solar=0.40, wind=0.25, jumps=0.15, jump=1.0)
_PAPER = Traits(75.0, fuel_sd=0.12, noise_sd=0.0, jumps=0.0, quantity=1_000.0)

#: Levels are means of recent years, rounded; those of the markets with a real record in the tests are fitted to it.
TRAITS: dict[str, Traits] = {
    "aemo_nem": Traits(
        77.0, 7_300, EVENING, COAL_AND_SUN, solar=0.50, wind=0.10, fuel_sd=0.15, noise_sd=0.10, calm_s=1_200.0,
        jumps=0.9, jump=9.0, jump_sigma=2.2, jump_s=750.0,
    ),
    "omie": replace(_EUROPEAN, level=62.0, mean_mw=26_000, solar=0.55),
    "nordpool": Traits(
        30.0, 5_000, TWO_PEAKS, HYDRO, wind=0.20, fuel_sd=0.28, noise_sd=0.06, calm_s=7_200.0, jumps=0.02, jump=0.8,
    ),
    "epex": replace(_EUROPEAN, mean_mw=30_000),
    "epex_intraday": replace(_EUROPEAN, mean_mw=30_000, noise_sd=0.10, jumps=0.5, jump=1.5),
    "tennet_nl": replace(_EUROPEAN, level=100.0, noise_sd=0.14, calm_s=900.0, jumps=2.0, jump=2.0),
    "usep_singapore": Traits(
        142.0, 6_200, OFFICES, GAS, solar=0.06, fuel_sd=0.12, noise_sd=0.05, jumps=1.0, jump=5.0, jump_sigma=1.5,
        jump_s=2_400.0,
    ),
    "iex_india": Traits(
        3_700.0, 12_000, EVENING, SHORT_EVENINGS, solar=0.30, wind=0.05, noise_sd=0.05, calm_s=3_600.0, jumps=0.1,
        jump=0.5,
    ),
    "caiso": replace(_AMERICAN, level=42.0, solar=0.50),
    "pjm": replace(_AMERICAN, mean_mw=18_000, solar=0.08, wind=0.05),
    "ercot": replace(_AMERICAN, solar=0.35, wind=0.25, jumps=1.0, jump=6.0, jump_sigma=1.5),
    "miso": replace(_AMERICAN, level=34.0, solar=0.08, wind=0.18),
    "nyiso": replace(_AMERICAN, level=45.0, mean_mw=1_700, solar=0.08, wind=0.04),
    "iso_ne": replace(_AMERICAN, level=50.0, mean_mw=2_300, solar=0.20, wind=0.04),
    "spp": replace(_AMERICAN, level=28.0, mean_mw=15_000, solar=0.05, wind=0.38),
    "ieso": replace(_AMERICAN, level=50.0, mean_mw=1_600, solar=0.05, wind=0.08),
    "jepx": Traits(12_000.0, 10_000, OFFICES, WIND_AND_SUN, solar=0.40, noise_sd=0.04, jumps=0.1, jump=1.0),
    "eu_ets": replace(_PAPER, level=75.0, fuel_sd=0.20),
    "guarantees_of_origin": replace(_PAPER, level=1.2, fuel_sd=0.35, quantity=5_000.0),
}  # fmt: skip


def traits_of(market: Market) -> Traits:
    """Return the character of a market; one that a user has defined is like a European one, or like paper."""
    if market.market in TRAITS:
        return TRAITS[market.market]
    return _PAPER if market.kind in {"allowances", "certificates"} else _EUROPEAN
