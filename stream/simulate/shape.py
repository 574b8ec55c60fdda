"""What a fleet looks like before it sends anything: for people who want to know what they are about to start."""

import resource
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from simulators.customers import KINDS
from simulators.dispatch import Dispatcher
from simulators.faults import CLASSES
from simulators.local_time import DAY_S
from simulators.planning import DEVICES
from stream.simulate.plan import Plan


@dataclass(frozen=True)
class Shape:
    """A fleet in figures.

    Attributes:
        meters: how many.
        transformers: how many.
        feeders: how many.
        substations: how many.
        regions: how many.
        kinds: meters of each kind of customer.
        devices: meters of each kind of device.
        three_phase: meters with three phases.
        transformer_mva: sum of the transformers' ratings [MVA].
        readings: in the whole run, before faults.
        readings_per_s: on average, at the run's speed-up; None when it has none.
        peak_load_mw: highest load of the first day [MW].
        mean_load_mw: mean load of the first day [MW].
        heaviest_loading: highest load of any transformer on that day, over its rating.
        faults: of each class.
        built_s: time it took to build all this [s].
        memory_gb: most memory that this process has held [GB].
    """

    meters: int
    transformers: int
    feeders: int
    substations: int
    regions: int
    kinds: dict[str, int]
    devices: dict[str, int]
    three_phase: int
    transformer_mva: float
    readings: int
    readings_per_s: float | None
    peak_load_mw: float
    mean_load_mw: float
    heaviest_loading: float
    faults: dict[str, int]
    built_s: float
    memory_gb: float

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def shape_of(plan: Plan) -> Shape:
    """Build a whole fleet, work out its first day, and describe it."""
    began = time.monotonic()
    dispatcher = replace(plan, publishers=1).dispatcher(0)
    fleet, grid = dispatcher.fleet, dispatcher.fleet.grid
    load_w = fleet.day(plan.start_s // DAY_S).load_w
    whole_w = load_w.sum(axis=1)
    readings = _readings(dispatcher, plan)
    seconds = (plan.end_s - plan.start_s) / plan.speedup
    return Shape(
        meters=grid.meters,
        transformers=len(grid.transformer_kva),
        feeders=len(grid.feeder_substation),
        substations=len(grid.substation_region),
        regions=len(np.unique(grid.substation_region)),
        kinds=_counted([kind.name for kind in KINDS], grid.kind),
        devices=_counted(DEVICES, grid.device),
        three_phase=int((grid.phases == 3).sum()),
        transformer_mva=round(float(grid.transformer_kva.sum()) / 1000, 3),
        readings=readings,
        readings_per_s=round(readings / seconds, 3) if seconds else None,
        peak_load_mw=round(float(whole_w.max()) / 1e6, 3),
        mean_load_mw=round(float(whole_w.mean()) / 1e6, 3),
        heaviest_loading=round(float((load_w / 950 / grid.transformer_kva).max()), 3),
        faults={name: count for name, count in _counted(CLASSES, fleet.faults.fault).items() if count},
        built_s=round(time.monotonic() - began, 2),
        memory_gb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    )


def _readings(dispatcher: Dispatcher, plan: Plan) -> int:
    span_minutes = (plan.end_s - plan.start_s) // 60
    return sum(len(cohort.meters) * (span_minutes // cohort.minutes) for cohort in dispatcher.cohorts)


def _counted(names: list[str] | tuple[str, ...], numbers: np.typing.NDArray[np.integer]) -> dict[str, int]:
    counts = np.bincount(numbers, minlength=len(names)).tolist()
    return {str(name): count for name, count in zip(names, counts, strict=True)}
