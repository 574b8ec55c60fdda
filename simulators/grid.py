"""The grid that a fleet lives in: regions, substations, feeders, transformers and meters, as columns."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats, Ints
from simulators import planning
from simulators.load_shape import REACTIONS, SHIFTS, profile_number
from simulators.planning import Numbers, Small
from simulators.randomness import Bits, draw, fraction, keys, lane, salt
from simulators.regions import REGIONS

MAX_METERS = 10_000_000
#: A run of meters, or some of them by position.
Rows = slice | npt.NDArray[np.intp]

_TRAITS = salt("traits")


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
    def build(cls, meters: int, seed: int, feeders: int | None = None) -> "Grid":
        """Lay out a grid.

        Args:
            meters: how many.
            seed: equal seeds and counts give equal grids.
            feeders: how many feed them; as practice has it, unless said.

        Raises:
            ValueError: no meters, more than there are meter numbers, or more feeders than transformers.
        """
        if not 0 < meters <= MAX_METERS:
            raise ValueError(f"a grid has 1 to {MAX_METERS:,} meters, not {meters:,}")
        substations, feeders, transformers = planning.counts(meters, feeders)
        feeder_substation = planning.split(feeders, substations)
        substation_region = planning.split(substations, min(substations, len(REGIONS)))
        transformer_feeder = planning.uneven(transformers, feeders, seed, "feeder")
        meter_transformer = planning.uneven(meters, transformers, seed, "transformer")
        key = keys(seed, "meter", np.arange(meters))
        kind = planning.customers(meter_transformer, transformers, seed, key)
        traits = draw(key, _TRAITS, 0)
        daily_wh = planning.use(kind, traits)
        region = substation_region[feeder_substation[transformer_feeder[meter_transformer]]]
        reaction = (fraction(lane(traits, 1)) * len(REACTIONS)).astype(np.int64)
        shift = (fraction(lane(traits, 2)) * len(SHIFTS)).astype(np.int64)
        return cls(
            seed=seed,
            substation_region=substation_region,
            feeder_substation=feeder_substation,
            transformer_feeder=transformer_feeder,
            transformer_kva=planning.ratings(daily_wh, kind, meter_transformer, transformers, seed),
            transformer_position=planning.along(transformer_feeder, feeders),
            meter_transformer=meter_transformer,
            kind=kind,
            phases=planning.phases(kind, traits),
            device=planning.devices(key),
            daily_wh=daily_wh,
            profile=profile_number(kind.astype(np.int64), region.astype(np.int64), reaction, shift),
            position=planning.positions(key),
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
    def transformer_meter_numbers(self) -> npt.NDArray[np.bytes_]:
        """Numbers of the meters at the transformers themselves, S9[t]."""
        return np.char.add(b"X", np.char.zfill(np.arange(len(self.transformer_kva)).astype("S8"), 8))

    @cached_property
    def sender_numbers(self) -> npt.NDArray[np.bytes_]:
        """Numbers of everything that sends, S9[m + t]: customers' meters, then those at the transformers."""
        return np.concatenate([self.meter_numbers, self.transformer_meter_numbers])

    @cached_property
    def sender_transformer(self) -> Numbers:
        """Transformer of everything that sends, int32[m + t]."""
        return np.concatenate([self.meter_transformer, np.arange(len(self.transformer_kva), dtype=np.int32)])

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
