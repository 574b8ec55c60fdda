"""How hot a distribution transformer gets: the difference equations of IEC 60076-7:2018 for ONAN cooling."""

from typing import NamedTuple

import numpy as np

from schemas.layout import Floats

#: IEC 60076-7, recommended values for distribution transformers, ONAN: exponents of oil and winding, ratio of load to
#: no-load losses, rises of top oil and of hot spot over oil at rated load [K], time constants [min], k11 and k22.
#: k21 is 1, so that the winding has no second, slower term.
_OIL_EXPONENT, _WINDING_EXPONENT = 0.8, 1.6
_LOSS_RATIO = 5.0
_OIL_RISE_K, _HOT_SPOT_RISE_K = 55.0, 23.0
_OIL_MINUTES, _WINDING_MINUTES = 180.0, 4.0
_K11, _K22 = 1.0, 2.0


class Temperatures(NamedTuple):
    """Temperatures at the end of each step, float64[k, t] [degree Celsius].

    Attributes:
        top_oil: what the thermometer on the tank shows.
        hot_spot: the hottest place of the winding, which ages the insulation.
    """

    top_oil: Floats
    hot_spot: Floats


def temperatures(loading: Floats, ambient_c: Floats, step_minutes: float) -> Temperatures:
    """Follow transformers through steps of constant load and air temperature, from a steady state of the first one.

    The start is forgotten with the oil's time constant of three hours: put a day before what matters.

    Args:
        loading: float64[k, t], load over rating.
        ambient_c: float64[k, t] [degree Celsius].
        step_minutes: length of a step.
    """
    oil_end, winding_end = steady_rises(loading)
    oil_keeps = np.exp(-step_minutes / (_K11 * _OIL_MINUTES))
    winding_keeps = np.exp(-step_minutes / (_K22 * _WINDING_MINUTES))
    oil_end = oil_end + ambient_c
    top_oil, gradient = np.empty_like(oil_end), np.empty_like(winding_end)
    oil, winding = oil_end[0], winding_end[0]
    for step in range(len(loading)):
        oil = oil_end[step] + (oil - oil_end[step]) * oil_keeps
        winding = winding_end[step] + (winding - winding_end[step]) * winding_keeps
        top_oil[step], gradient[step] = oil, winding
    return Temperatures(top_oil, top_oil + gradient)


def steady_rises(loading: Floats) -> tuple[Floats, Floats]:
    """Return the rise of top oil over air and of hot spot over oil that a lasting load leads to [K]."""
    load = np.abs(loading)
    losses = (1 + load * load * _LOSS_RATIO) / (1 + _LOSS_RATIO)
    return _OIL_RISE_K * losses**_OIL_EXPONENT, _HOT_SPOT_RISE_K * load**_WINDING_EXPONENT
