"""The grid that a fleet lives in: regions, substations, feeders, transformers and meters, as columns."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.layout import Floats, Ints
from simulators.customers import KINDS
from simulators.load_shape import REACTIONS, SHIFTS, profile_number
from simulators.randomness import Bits, draw, fraction, keys, lane, normal, salt, uniform
from simulators.regions import REGIONS

MAX_METERS = 10_000_000
#: Standard ratings of distribution transformers [kVA] (EN 50588-1).
RATINGS_KVA: Floats = np.array([50.0, 100, 160, 250, 400, 630, 1000, 1600, 2500, 4000])

#: European low-voltage practice: 40 to 60 customers on a transformer, a dozen transformers on a medium-voltage
#: feeder, about ten feeders in a substation. Small grids get a few of each rather than one of all.
_METERS_PER_TRANSFORMER = 45
_TRANSFORMERS_PER_FEEDER = 12
_FEEDERS_PER_SUBSTATION = 10

_METER = "meter"
_TRAITS, _MORE_TRAITS, _ZONE, _PLACE = salt("traits"), salt("more traits"), salt("zone"), salt("place")

Small = npt.NDArray[np.int8]
Numbers = npt.NDArray[np.int32]

#: What a meter can measure; the registry calls it `device`.
BASIC, STANDARD, ADVANCED = 0, 1, 2
DEVICES = ("basic", "standard", "advanced")


@dataclass(frozen=True)
class Grid:
    """Columns of the grid's elements; meters of a transformer, transformers of a feeder and so on are neighbours.

    Attributes:
        seed: of the whole simulation.
        substation_region: int32[s], position in REGIONS.
        feeder_substation: int32[f].
        transformer_feeder: int32[t].
        transformer_kva: float64[t], rating [kVA].
        transformer_position: float64[t], distance along the feeder, 0 (substation) to 1 (end).
        meter_transformer: int32[m], rising.
        kind: int8[m], position in KINDS.
        phases: int8[m], 1 or 3.
        device: int8[m], what the meter measures.
        daily_wh: float64[m], mean use per day [Wh].
        profile: int64[m], day profile of `load_shape`.
        position: float64[m], distance along the low-voltage line, 0 to 1.
        keys: uint64[m], generator keys.
    """

    seed: int
    substation_region: Numbers = field(repr=False)
    feeder_substation: Numbers = field(repr=False)
    transformer_feeder: Numbers = field(repr=False)
    transformer_kva: Floats = field(repr=False)
    transformer_position: Floats = field(repr=False)
    meter_transformer: Numbers = field(repr=False)
    kind: Small = field(repr=False)
    phases: Small = field(repr=False)
    device: Small = field(repr=False)
    daily_wh: Floats = field(repr=False)
    profile: Ints = field(repr=False)
    position: Floats = field(repr=False)
    keys: Bits = field(repr=False)

    @classmethod
    def build(cls, meters: int, seed: int) -> "Grid":
        """Lay out a grid.

        Args:
            meters: how many.
            seed: equal seeds and counts give equal grids.

        Raises:
            ValueError: no meters, or more than there are meter numbers.
        """
        if not 0 < meters <= MAX_METERS:
            raise ValueError(f"a grid has 1 to {MAX_METERS:,} meters, not {meters:,}")
        transformers = -(-meters // _METERS_PER_TRANSFORMER)
        substations = max(-(-transformers // (_TRANSFORMERS_PER_FEEDER * _FEEDERS_PER_SUBSTATION)), 1)
        substations = min(max(substations, min(4, meters // 250)), transformers)
        feeders = min(max(-(-transformers // _TRANSFORMERS_PER_FEEDER), 2 * substations), transformers)
        feeder_substation = _split(feeders, substations)
        substation_region = _split(substations, min(substations, len(REGIONS)))
        transformer_feeder = _uneven(transformers, feeders, seed, "feeder")
        meter_transformer = _uneven(meters, transformers, seed, "transformer")
        key = keys(seed, _METER, np.arange(meters))
        kind = _kinds(meter_transformer, transformers, seed, key)
        traits, more = draw(key, _TRAITS, 0), draw(key, _MORE_TRAITS, 0)
        daily_wh = _daily_wh(kind, traits)
        region = substation_region[feeder_substation[transformer_feeder[meter_transformer]]]
        reaction = (fraction(lane(traits, 1)) * len(REACTIONS)).astype(np.int64)
        shift = (fraction(lane(traits, 2)) * len(SHIFTS)).astype(np.int64)
        return cls(
            seed=seed,
            substation_region=substation_region,
            feeder_substation=feeder_substation,
            transformer_feeder=transformer_feeder,
            transformer_kva=_ratings(daily_wh, meter_transformer, transformers, seed),
            transformer_position=_along(transformer_feeder, feeders),
            meter_transformer=meter_transformer,
            kind=kind,
            phases=np.where(fraction(lane(traits, 3)) < _THREE_PHASE[kind], 3, 1).astype(np.int8),
            device=np.digitize(fraction(lane(more, 0)), _DEVICE_SHARES).astype(np.int8),
            daily_wh=daily_wh,
            profile=profile_number(kind.astype(np.int64), region.astype(np.int64), reaction, shift),
            position=uniform(draw(key, _PLACE, 0)),
            keys=key,
        )

    @property
    def meters(self) -> int:
        """How many meters there are."""
        return len(self.kind)

    @cached_property
    def meter_numbers(self) -> npt.NDArray[np.bytes_]:
        """Meter numbers, S9[m]: all of one length, so that batches copy them as one block."""
        return np.char.add(b"M", np.char.zfill(np.arange(self.meters).astype("S8"), 8))

    @cached_property
    def transformer_start(self) -> Ints:
        """First meter of each transformer and, last, the number of meters, int64[t + 1]."""
        return np.searchsorted(self.meter_transformer, np.arange(len(self.transformer_kva) + 1))

    @cached_property
    def feeder_start(self) -> Ints:
        """First transformer of each feeder and, last, the number of transformers, int64[f + 1]."""
        return np.searchsorted(self.transformer_feeder, np.arange(len(self.feeder_substation) + 1))

    @cached_property
    def meter_feeder(self) -> Numbers:
        """Feeder of each meter, int32[m]."""
        return self.transformer_feeder[self.meter_transformer]

    @cached_property
    def meter_region(self) -> Numbers:
        """Region of each meter, int32[m]."""
        return self.substation_region[self.feeder_substation[self.meter_feeder]]

    def registry(self) -> pa.RecordBatch:
        """Return what the registry says of each meter."""
        feeder = self.meter_feeder
        substation = self.feeder_substation[feeder]
        sectors, kinds = [kind.sector.value for kind in KINDS], [kind.name for kind in KINDS]
        columns = {
            "meter_number": pa.array(self.meter_numbers.astype("U9")),
            "transformer": _names("T", self.meter_transformer, 6),
            "feeder": _names("F", feeder, 5),
            "substation": _names("S", substation, 4),
            "region": _decoded([region.name for region in REGIONS], self.substation_region[substation]),
            "class": _decoded(sectors, self.kind),
            "kind": _decoded(kinds, self.kind),
            "device": _decoded(list(DEVICES), self.device),
            "phases": pa.array(self.phases),
            "transformer_kva": pa.array(self.transformer_kva[self.meter_transformer]),
        }
        return pa.RecordBatch.from_pydict(columns)


_SHARES: Floats = np.array([kind.share for kind in KINDS])
_THREE_PHASE: Floats = np.array([kind.three_phase for kind in KINDS])
_MEDIAN_WH: Floats = np.array([1000 * kind.daily_kwh for kind in KINDS])
_SPREAD: Floats = np.array([kind.spread for kind in KINDS])
_CEILING_WH: Floats = np.array([1000 * kind.ceiling_kwh for kind in KINDS])
_ZONES: Floats = np.array([np.nan if kind.zone is None else kind.zone for kind in KINDS])
#: Below the first a basic device, below the second a standard one.
_DEVICE_SHARES = (0.12, 0.70)


def _split(children: int, parents: int) -> Numbers:
    """Give neighbouring children to parents as evenly as can be, int32[children]."""
    return (np.arange(children, dtype=np.int64) * parents // children).astype(np.int32)


def _uneven(children: int, parents: int, seed: int, kind: str) -> Numbers:
    """Give neighbouring children to parents, each at least one, most parents near the mean, int32[children]."""
    wish = np.exp(0.45 * normal(lane(draw(keys(seed, kind, np.arange(parents)), _PLACE, 0), 0)))
    bounds = np.cumsum(wish)
    spare = children - parents
    ends = np.rint(bounds / bounds[-1] * spare).astype(np.int64) + np.arange(1, parents + 1)
    sizes = np.diff(ends, prepend=0)
    return np.repeat(np.arange(parents, dtype=np.int32), sizes)


def _kinds(meter_transformer: Numbers, transformers: int, seed: int, key: Bits) -> Small:
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


def _daily_wh(kind: Small, traits: Bits) -> Floats:
    wish = _MEDIAN_WH[kind] * np.exp(_SPREAD[kind] * normal(lane(traits, 0)))
    mean: Floats = np.rint(np.minimum(wish, _CEILING_WH[kind]))
    return mean


def _ratings(daily_wh: Floats, meter_transformer: Numbers, transformers: int, seed: int) -> Floats:
    """Choose the next standard rating above the expected peak, with the margin that planners leave."""
    mean_kw = np.bincount(meter_transformer, daily_wh, transformers) / 24_000
    margin = 1.0 + 0.5 * uniform(draw(keys(seed, "rating", np.arange(transformers)), _PLACE, 0))
    # Peak over mean of a few dozen customers together is about 2.5, of a single customer about 6 (Rusck's curve).
    count = np.bincount(meter_transformer, minlength=transformers)
    peak_kva = mean_kw * (2.0 + 4.0 / np.sqrt(np.maximum(count, 1))) / 0.95 * margin
    return RATINGS_KVA[np.minimum(np.searchsorted(RATINGS_KVA, peak_kva), len(RATINGS_KVA) - 1)]


def _along(child_parent: Numbers, parents: int) -> Floats:
    """Return where each child sits among its parent's, in (0, 1]."""
    start = np.searchsorted(child_parent, np.arange(parents + 1))
    rank = np.arange(len(child_parent)) - start[child_parent] + 1
    return rank / np.diff(start)[child_parent]


def _names(letter: str, numbers: Numbers, width: int) -> pa.Array:
    names = pa.array([f"{letter}{number:0{width}d}" for number in range(int(numbers.max()) + 1)])
    return names.take(pa.array(numbers))


def _decoded(names: list[str], codes: npt.NDArray[np.integer]) -> pa.Array:
    return pa.array(names).take(pa.array(codes))
