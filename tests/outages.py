"""A simulated fleet with known outages, sent through partitions of the engine into a real database."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np
import psycopg

from processors.outages import OutageRules
from processors.partition import partition_of
from schemas import arrow_codec
from schemas.alerts import Alert
from schemas.registry import RegistryEntry
from simulators.cohorts import cohorts
from simulators.dispatch import Dispatch, Dispatcher, Timing
from simulators.faults import FaultClass
from simulators.fleet import Fleet
from simulators.grid import Grid
from simulators.labels import Label, labels
from simulators.local_time import DAY_S, EPOCH_DAY
from simulators.outages import restorations
from simulators.profile import FaultRate, Profile
from simulators.registry import registry, transformer_registry
from simulators.schedule import Events, Window, schedule
from simulators.transformers import TransformerMeters
from sinks.memory import MemoryStore
from sinks.outages_outbox import OutagesOutbox
from sinks.timescale import TimescaleStore
from stream.worker.intake import Record
from tests.builders import ARROW, record
from tests.flow.engine import Engine

START_S = 5_900 * DAY_S
#: An outage that began so near a label's start is the one that it labels.
_NEAR = timedelta(hours=1)
OUTAGES = (FaultClass.TRANSFORMER_OUTAGE, FaultClass.FEEDER_OUTAGE)


@dataclass(frozen=True)
class Scene:
    """A fleet and what happens to it.

    Attributes:
        grid: its grid.
        faults: what happens.
        interval_s: between readings [s]; None for a mixture of 5, 15 and 30 minutes.
        end_s: end of the run [s since the simulation's epoch].
        words: whether meters say last gasps, and that power is back.
        transformer_meters: whether transformers have meters of their own.
    """

    grid: Grid
    faults: Events
    interval_s: int | None
    end_s: int
    words: bool = True
    transformer_meters: bool = False

    @classmethod
    def of(
        cls,
        meters: int,
        hours: int,
        faults: dict[FaultClass, dict[str, Any]],
        interval_s: int | None = 900,
        **more: Any,
    ) -> "Scene":
        grid, end_s = Grid.build(meters, 7), START_S + hours * 3_600
        profile = Profile(faults={fault: FaultRate.model_validate(rate) for fault, rate in faults.items()})
        return cls(grid, schedule(profile, grid, 7, Window(START_S, end_s, 900)), interval_s, end_s, **more)

    @property
    def truth(self) -> list[Label]:
        """Labels of outages, ordered by start."""
        return list(labels(self.faults.of(*OUTAGES), self.grid))

    @property
    def silent_meters(self) -> list[Label]:
        """Labels of meters that were silent for other reasons."""
        return list(labels(self.faults.of(FaultClass.METER_OUTAGE, FaultClass.MISSING), self.grid))

    def entries(self) -> list[RegistryEntry]:
        rows = registry(self.grid, self.faults).to_pylist()
        if self.transformer_meters:
            rows += transformer_registry(self.grid).to_pylist()
        return [
            RegistryEntry.model_validate({name: row[name] for name in row if row[name] is not None}) for row in rows
        ]

    def sent(self, minutes: int = 15) -> Iterator[Dispatch]:
        """What is sent, by the quarter-hour."""
        fleet = Fleet(self.grid, 7, faults=self.faults)
        rows = self.grid.meters * 6 * minutes // 15
        more = TransformerMeters(fleet) if self.transformer_meters else None
        dispatcher = Dispatcher(fleet, cohorts(fleet, self.interval_s), Timing(20.0), more)
        for part in dispatcher.run(START_S, self.end_s, rows):
            keep = np.ones(len(part.batch), dtype=bool)
            if not self.words:
                keep = part.batch.column("source_quality").is_null().to_numpy(zero_copy_only=False)
            steps = np.flatnonzero(np.diff(part.due_s // 60)) + 1
            for rows_ in np.split(np.arange(len(part.batch)), steps):
                kept = rows_[keep[rows_]]
                if len(kept):
                    yield Dispatch(part.batch.take(kept), part.due_s[kept], part.meter[kept])

    def customer_minutes(self) -> float:
        """What the labels come to, each transformer of a feeder with its own end [min]."""
        each = restorations(self.faults.of(*OUTAGES), self.grid)
        return float(((each.last - each.first) * (each.end_s - each.start_s)).sum() / 60)


@dataclass(frozen=True)
class Found:
    """An outage as the engine has it."""

    element: str
    started_at: datetime
    ended_at: datetime | None
    customers: int
    cause: str
    revision: int
    found_at: datetime


async def ignored(_signs: list[Alert]) -> None:
    """Hand signs on to nobody; the database has them."""


async def play_outages(scene: Scene, url: str, lives: int = 1) -> None:
    """Let the engine see all of it, and infer outages every minute of the scene; arguments as `play`."""
    outages = OutagesOutbox(url, OutageRules(), settle_s=0.0)
    await play(scene, url, lambda: outages.hand_on(ignored), lives=lives)
    await outages.close()


async def play(
    scene: Scene, url: str, beside: Callable[[], Awaitable[object]], partitions: int = 4, lives: int = 1
) -> None:
    """Let the engine see all of it.

    Args:
        scene: what happens.
        url: of an empty database.
        beside: what goes on beside the flow, called in each minute in which anything comes, and in the end.
        partitions: of the topic.
        lives: how many workers; each but the last is killed, and the next one takes what was not saved again.
    """
    store = TimescaleStore(url, lateness_s=60.0)
    await store.register(scene.entries())
    engine, offset, minute = Engine(store=cast("MemoryStore", store)), [0] * partitions, 0.0
    log: dict[int, list[Record]] = {number: [] for number in range(partitions)}
    parts = list(scene.sent())
    for turn, part in enumerate(parts):
        if lives > 1 and turn % (len(parts) // lives) == 1:
            engine = engine.restart()
            await engine.process({number: kept for number, kept in log.items() if kept})
        elif turn % 100 == 50:
            for number in engine.flows:
                engine.save(number, shards=None if turn % 200 == 50 else 0)
        of = partition_of(part.batch.meter_number, partitions)
        arrived_us = round((EPOCH_DAY * DAY_S + float(part.due_s[-1])) * 1e6)
        taken = {}
        for number in np.unique(of).tolist():
            value = arrow_codec.write(part.batch.where(of == number))
            taken[number] = [record(offset[number], value, ARROW, arrived_us)]
            log[number] += taken[number]
            offset[number] += 1
        await engine.process(taken)
        if part.due_s[-1] // 60 > minute:
            minute = part.due_s[-1] // 60
            await beside()
    await beside()
    await store.close()


def found(url: str) -> list[Found]:
    """Outages that were found, ordered by start."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT element, started_at, ended_at, customers, cause, revision, found_at FROM grid_outages "
            "WHERE NOT withdrawn ORDER BY started_at, element"
        ).fetchall()
    return [Found(*row) for row in rows]


def wanted(label: Label) -> str:
    return f"{label.element_kind}/{label.element}"


def table(scene: Scene, outages: list[Found]) -> str:
    """Labels beside what was found of each, and what was found besides."""
    named = ("began", 8), ("events", 6), ("known after", 11), ("customers", 13), ("start", 7), ("end", 7)
    lines = [f"{'element':20} {' '.join(name.rjust(width) for name, width in named)}  known by"]
    for label in scene.truth:
        mine = [one for one in outages if one.element == wanted(label) and abs(one.started_at - label.start) < _NEAR]
        line = f"{wanted(label):20} {label.start:%H:%M:%S} {len(mine):6}"
        for one in mine:
            after_min = (one.found_at - label.start).total_seconds() / 60
            end = "open" if one.ended_at is None else f"{(one.ended_at - label.end).total_seconds():+.0f} s"
            line += f" {after_min:7.1f} min {one.customers:5} of {len(label.meters):4}"
            line += f" {(one.started_at - label.start).total_seconds():+5.0f} s {end:>7}  {one.cause}"
        lines.append(line)
    known = [wanted(label) for label in scene.truth]
    return "\n".join([*lines, *(f"{one.element:20} was not injected" for one in outages if one.element not in known)])
