"""A simulated fleet whose transformers have meters of their own, hour by hour, as the engine's balance sees it."""

from dataclasses import dataclass, fields, replace

import numpy as np

from processors.balance_findings import Neighbourhood
from processors.losses import Hours
from schemas.layout import Floats, Mask
from simulators.faults import NUMBER, FaultClass
from simulators.fleet import Fleet
from simulators.grid import Grid
from simulators.registry import named_transformers
from simulators.schedule import Events
from simulators.span import Span
from simulators.transformers import TransformerMeters


@dataclass(frozen=True)
class Measured:
    """What meters say, whole kWh as counted.

    Attributes:
        hours: of all transformers, customers where the registry has them.
        counted_kwh: float64[h, m], net, NaN where an hour of a meter is missing.
        stands: int64[m], transformer of the registry.
        rating_kva: float64[t].
    """

    hours: Hours
    counted_kwh: Floats
    stands: np.typing.NDArray[np.int64]
    rating_kva: Floats


def thefts(grid: Grid, thieves: dict[int, float], start_s: int, end_s: int) -> Events:
    """Make meters count so much less of what is drawn, from a moment on.

    Args:
        grid: whose.
        thieves: meter -> share that goes past it.
        start_s, end_s: seconds since the epoch.
    """
    return _events(grid, FaultClass.THEFT, thieves, start_s, end_s)


def misplaced(grid: Grid, meters: list[int], start_s: int, end_s: int) -> Events:
    """Write meters down at other transformers."""
    return _events(grid, FaultClass.WRONG_TRANSFORMER, dict.fromkeys(meters, 1.0), start_s, end_s)


def _events(grid: Grid, fault: FaultClass, sizes: dict[int, float], start_s: int, end_s: int) -> Events:
    meter = np.array(sorted(sizes), dtype=np.int64)
    each = np.ones(len(meter), dtype=np.int64)
    return Events(
        fault=np.full(len(meter), NUMBER[fault], dtype=np.int8),
        element=meter,
        first=meter,
        last=meter + 1,
        start_s=start_s * each,
        end_s=end_s * each,
        size=np.array([sizes[number] for number in meter.tolist()]),
        bits=grid.keys[meter],
    )


def measured(grid: Grid, faults: Events, first_day: int, days: int, *, lost: float = 0.0, seed: int = 7) -> Measured:
    """Measure some days; some hours of customers are lost, each by itself.

    Args:
        grid: whose.
        faults: what happens.
        first_day: since the epoch.
        days: how many.
        lost: share of the hours of meters that never come.
        seed: of behaviour, and of what is lost.
    """
    fleet, meters = Fleet(grid, seed, faults=faults), np.arange(grid.meters)
    own = TransformerMeters(fleet)
    flows, drawn, fed = list[Floats](), list[Floats](), list[Floats]()
    for day in range(first_day, first_day + days):
        span = Span(day, 0, 24, 60)
        columns = fleet.slab(span, meters).columns
        drawn.append(columns["consumption_kwh"])
        fed.append(np.nan_to_num(columns["export_kwh"]))
        flows.append(own.flow(span).total_wh / 1000.0)
    consumed, exported = np.concatenate(drawn), np.concatenate(fed)
    missing: Mask = np.random.default_rng(seed).random(consumed.shape) < lost
    stands = named_transformers(grid, faults)
    transformers = len(grid.transformer_kva)

    def summed(values: Floats) -> Floats:
        total = np.zeros((transformers, len(values)))
        np.add.at(total, stands, values.T)
        return total

    net = consumed - exported
    hours = Hours(
        own_kwh=np.concatenate(flows).T,
        customers_kwh=summed(np.where(missing, 0.0, net)),
        exported_kwh=summed(np.where(missing, 0.0, exported)),
        complete=summed(missing.astype(np.float64)) == 0,
    )
    return Measured(hours, np.where(missing, np.nan, net), stands, grid.transformer_kva)


def thief_for(grid: Grid, found: Measured, transformer: int, share: float) -> dict[int, float]:
    """Return customers of a transformer, the largest first, whose theft comes to a share of its energy."""
    mine = np.flatnonzero(grid.meter_transformer == transformer)
    used = np.nansum(np.maximum(found.counted_kwh[:, mine], 0.0), axis=0)
    order = np.argsort(-used)
    wanted, thieves = share * used.sum(), dict[int, float]()
    for number in order.tolist():
        if wanted <= 1e-9 * used.sum():
            break
        part = min(0.9, wanted / used[number])
        thieves[int(mine[number])] = part
        wanted -= part * used[number]
    return thieves


def with_errors(found: Measured, seed: int = 3) -> Measured:
    """Let each meter count wrong by a share of its own: of class B (1 %) customers, of class 0.5 transformers."""
    rng = np.random.default_rng(seed)
    counted = found.counted_kwh * (1 + rng.uniform(-0.01, 0.01, found.counted_kwh.shape[1]))
    customers = np.zeros(found.hours.own_kwh.shape)
    np.add.at(customers, found.stands, np.nan_to_num(counted).T)
    own = found.hours.own_kwh * (1 + rng.uniform(-0.005, 0.005, len(customers)))[:, None]
    hours = replace(found.hours, own_kwh=own, customers_kwh=customers)
    return replace(found, counted_kwh=counted, hours=hours)


def neighbourhood(found: Measured, since: int, until: int) -> Neighbourhood:
    """Return some hours as the engine examines them; the first one begins at 0 s."""
    part = slice(since, until)
    return Neighbourhood(
        names=[f"T{number}" for number in range(len(found.rating_kva))],
        hours=Hours(*(getattr(found.hours, field.name)[:, part] for field in fields(Hours))),
        since_s=0,
        rating_kva=found.rating_kva,
        customers=[f"M{number}" for number in range(found.counted_kwh.shape[1])],
        counted_kwh=found.counted_kwh[part],
        stands=found.stands,
    )
