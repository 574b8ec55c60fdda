"""How a grid is planned: who hangs where, which customers live together, how large a transformer has to be."""

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats
from simulators.customers import KINDS
from simulators.load_shape import SOLAR_KIND, SOLAR_SIZE
from simulators.randomness import Bits, draw, fraction, keys, lane, normal, salt, uniform

Small = npt.NDArray[np.int8]
Numbers = npt.NDArray[np.int32]

#: What a meter can measure; the registry calls it `device`.
BASIC, STANDARD, ADVANCED = 0, 1, 2
DEVICES = ("basic", "standard", "advanced")

#: European low-voltage practice: 40 to 60 customers on a transformer, a dozen transformers on a medium-voltage
#: feeder, about ten feeders in a substation. Small grids get a few of each rather than one of all.
_METERS_PER_TRANSFORMER = 45
_TRANSFORMERS_PER_FEEDER = 12
_FEEDERS_PER_SUBSTATION = 10

#: Standard ratings of distribution transformers [kVA] (EN 50588-1) up to where the EU limits losses.
RATINGS_KVA: Floats = np.array([50.0, 100, 160, 250, 400, 630, 1000, 1600, 2500, 3150])
#: Share of a transformer's rating that panels may send back through it: more lifts the voltage too far.
_MOST_FED_IN = 0.7
#: Below the first a basic device, below the second a standard one.
_DEVICE_SHARES = (0.12, 0.70)

_ZONE, _PLACE, _DEVICE = salt("zone"), salt("place"), salt("device")

_SHARES: Floats = np.array([kind.share for kind in KINDS])
_THREE_PHASE: Floats = np.array([kind.three_phase for kind in KINDS])
_MEDIAN_WH: Floats = np.array([1000 * kind.daily_kwh for kind in KINDS])
_SPREAD: Floats = np.array([kind.spread for kind in KINDS])
_CEILING_WH: Floats = np.array([1000 * kind.ceiling_kwh for kind in KINDS])
_ZONES: Floats = np.array([np.nan if kind.zone is None else kind.zone for kind in KINDS])


def counts(meters: int, feeders: int | None = None) -> tuple[int, int, int]:
    """Return how many substations, feeders and transformers serve so many meters.

    Args:
        meters: how many.
        feeders: how many there are, where practice is not to say.

    Raises:
        ValueError: more feeders than transformers, or none.
    """
    transformers = -(-meters // _METERS_PER_TRANSFORMER)
    substations = -(-transformers // (_TRANSFORMERS_PER_FEEDER * _FEEDERS_PER_SUBSTATION))
    substations = min(max(substations, min(4, meters // 250)), transformers)
    if feeders is None:
        feeders = min(max(-(-transformers // _TRANSFORMERS_PER_FEEDER), 2 * substations), transformers)
    if not 0 < feeders <= transformers:
        raise ValueError(
            f"{meters:,} meters have {transformers:,} transformers, and 1 to as many feeders: not {feeders:,}"
        )
    return min(substations, feeders), feeders, transformers


def split(children: int, parents: int) -> Numbers:
    """Give neighbouring children to parents as evenly as can be, int32[children]."""
    return (np.arange(children, dtype=np.int64) * parents // children).astype(np.int32)


def uneven(children: int, parents: int, seed: int, kind: str) -> Numbers:
    """Give neighbouring children to parents, each at least one, most parents near the mean, int32[children]."""
    wish = np.exp(0.45 * normal(lane(draw(keys(seed, kind, np.arange(parents)), _PLACE, 0), 0)))
    bounds = np.cumsum(wish)
    spare = children - parents
    ends = np.rint(bounds / bounds[-1] * spare).astype(np.int64) + np.arange(1, parents + 1)
    sizes = np.diff(ends, prepend=0)
    return np.repeat(np.arange(parents, dtype=np.int32), sizes)


def customers(meter_transformer: Numbers, transformers: int, seed: int, key: Bits) -> Small:
    """Place customers: exact shares, with industry, commerce and villas near their like, int8[m]."""
    meters = len(meter_transformer)
    ends = np.rint(np.cumsum(_SHARES) * meters).astype(np.int64)
    kind = np.repeat(np.arange(len(KINDS), dtype=np.int8), np.diff(ends, prepend=0))
    bits = draw(key, _ZONE, 0)
    anywhere = fraction(lane(bits, 0))
    wanted = np.where(np.isnan(_ZONES[kind]), anywhere, _ZONES[kind] + 0.16 * normal(lane(bits, 1)))
    zone = uniform(draw(keys(seed, "zone", np.arange(transformers)), _ZONE, 0))
    offered = zone[meter_transformer] + 0.10 * normal(lane(bits, 2))
    placed = np.empty(meters, dtype=np.int8)
    placed[np.argsort(offered, kind="stable")] = kind[np.argsort(wanted, kind="stable")]
    return placed


def use(kind: Small, traits: Bits) -> Floats:
    """Return the mean use per day, float64[m] [Wh]."""
    wish = _MEDIAN_WH[kind] * np.exp(_SPREAD[kind] * normal(lane(traits, 0)))
    mean: Floats = np.rint(np.minimum(wish, _CEILING_WH[kind]))
    return mean


def ratings(daily_wh: Floats, kind: Small, meter_transformer: Numbers, transformers: int, seed: int) -> Floats:
    """Choose the next standard rating above the expected peak, with the margin that planners leave."""
    mean_kw = np.bincount(meter_transformer, daily_wh, transformers) / 24_000
    margin = 1.0 + 0.5 * uniform(draw(keys(seed, "rating", np.arange(transformers)), _PLACE, 0))
    # Peak over mean of a few dozen customers together is about 2.5, of a single customer about 6 (Rusck's curve).
    count = np.bincount(meter_transformer, minlength=transformers)
    peak_kva = mean_kw * (2.0 + 4.0 / np.sqrt(np.maximum(count, 1))) / 0.95 * margin
    # Panels all peak together, at nine tenths of their rating.
    panels_kva = np.bincount(meter_transformer, daily_wh * (kind == SOLAR_KIND), transformers) * (SOLAR_SIZE * 0.0009)
    needed = np.maximum(peak_kva, panels_kva / _MOST_FED_IN)
    chosen: Floats = RATINGS_KVA[np.minimum(np.searchsorted(RATINGS_KVA, needed), len(RATINGS_KVA) - 1)]
    return chosen


def phases(kind: Small, traits: Bits) -> Small:
    """Return 1 or 3 for each meter, int8[m]."""
    return np.where(fraction(lane(traits, 3)) < _THREE_PHASE[kind], 3, 1).astype(np.int8)


def devices(key: Bits) -> Small:
    """Return what each meter can measure, int8[m], position in DEVICES."""
    return np.digitize(fraction(lane(draw(key, _DEVICE, 0), 0)), _DEVICE_SHARES).astype(np.int8)


def positions(key: Bits) -> Floats:
    """Return how far along the low-voltage line each meter sits, float64[m] in 0 to 1."""
    return uniform(draw(key, _PLACE, 0))


def along(child_parent: Numbers, parents: int) -> Floats:
    """Return where each child sits among its parent's, in (0, 1]."""
    start = np.searchsorted(child_parent, np.arange(parents + 1))
    rank = np.arange(len(child_parent)) - start[child_parent] + 1
    place: Floats = rank / np.diff(start)[child_parent]
    return place
