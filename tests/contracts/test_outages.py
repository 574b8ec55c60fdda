"""Outages in a real database: one event with the right extent, restored by itself, restated when late data comes."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from processors.outages import OutageRules
from schemas.registry import RegistryEntry
from schemas.supply import SupplyChanges
from simulators.faults import FaultClass
from sinks.outages_outbox import OutagesOutbox
from sinks.timescale import TimescaleStore
from tests.builders import START_US, batch, delivery, rows
from tests.contracts.test_any_store import nothing
from tests.contracts.writing import query
from tests.outages import Scene, found, ignored, play_outages, table, wanted

pytestmark = pytest.mark.integration

_MINUTE_US = 60_000_000
_START = datetime.fromtimestamp(START_US / 1e6, UTC)
#: What happens beside outages: none of it is one.
_NOISE: dict[FaultClass, dict[str, Any]] = {
    FaultClass.MISSING: {"count": 120, "minutes": [15, 90]},
    FaultClass.METER_OUTAGE: {"count": 12, "minutes": [120, 480]},
    FaultClass.LATE: {"count": 30, "size": [1_800, 7_200]},
    FaultClass.REORDERED: {"count": 30},
}
_OUTAGES: dict[FaultClass, dict[str, Any]] = {
    FaultClass.TRANSFORMER_OUTAGE: {"count": 5, "minutes": [45, 120]},
    FaultClass.FEEDER_OUTAGE: {"count": 2, "minutes": [60, 120]},
}


@pytest.mark.parametrize(
    ("interval_s", "words", "lives"),
    [(900, True, 1), (None, True, 4), (900, False, 1)],
    ids=["last gasps", "mixed intervals, killed workers", "silence alone"],
)
async def test_every_injected_outage_becomes_one_event(
    url: str, interval_s: int | None, words: bool, lives: int
) -> None:
    scene = Scene.of(1_000, 10, _OUTAGES | _NOISE, interval_s, words=words)
    await play_outages(scene, url, lives=lives)
    outages = found(url)
    served, minutes, interrupted, least, most = query(
        url,
        "SELECT sum(customers)::int, sum(customer_minutes), sum(customer_interruptions)::int, "
        "sum(saidi_least * customers), sum(saidi_most * customers) FROM reliability(%s, %s)",
        scene.truth[0].start - timedelta(days=1),
        datetime.now(UTC),
    )[0]
    true = scene.customer_minutes()
    told = f"SAIDI {minutes / served:.3f} min ({least / served:.2f} to {most / served:.2f}) of {true / served:.3f}"
    sys.stdout.write(f"\n{table(scene, outages)}\n{told}, {interrupted} interruptions\n")
    assert sorted(one.element for one in outages) == sorted(map(wanted, scene.truth))
    longest = timedelta(seconds=interval_s or 1_800)
    for label in scene.truth:
        mine = next(one for one in outages if one.element == wanted(label))
        silent = sum(len(set(label.meters) & set(other.meters)) for other in scene.silent_meters)
        assert len(label.meters) - silent <= mine.customers <= len(label.meters)
        assert mine.ended_at is not None
        assert mine.found_at - label.start <= 2 * longest
        slack = timedelta(seconds=10 if words else 450)
        assert abs(mine.started_at - label.start) <= slack
        assert abs(mine.ended_at - label.end) <= slack
    # Meters that were silent by themselves are in no outage, or are off for longer.
    aside = sum(mine.customers for mine in outages) / sum(len(label.meters) for label in scene.truth)
    assert abs(minutes - true * aside) / served <= (1 if words else 5)
    assert words or least <= true * aside <= most


class Village:
    """Two transformers of three meters, and one who writes what their meters come to."""

    def __init__(self, url: str) -> None:
        self.store, self.url, self.offset = TimescaleStore(url, lateness_s=60.0), url, 0
        self.outbox = OutagesOutbox(url, OutageRules(told=0.0), settle_s=0.0)

    async def register(self) -> None:
        places = {"substation": "S1", "region": "North", "feeder": "F1", "status": "active"}
        names = {"A": "T1", "B": "T1", "C": "T1", "D": "T2", "E": "T2", "F": "T2"}
        said = [{"meter_number": meter, "transformer": name, **places} for meter, name in names.items()]
        await self.store.register([RegistryEntry.model_validate(one) for one in said])

    async def gaps(self, *told: tuple[str, float, float, float]) -> None:
        """Tell gaps of meters: newest reading with power, first sign that it is gone, return [min]; 0: none."""
        names, *minutes = zip(*told, strict=True)
        lit, dark, back = (np.array([m and START_US // 10**6 + round(m * 60) for m in column]) for column in minutes)
        count = np.full(len(told), self.offset)
        cause = np.where(dark > 0, 3, 0).astype(np.int8)
        said = (dark > 0) & (back > 0)
        changes = SupplyChanges(np.array(names, dtype=object), count, lit, dark, back, 0 * count + 900, cause, said)
        await self._write([], supply=changes)

    async def late(self, meter: str, *minutes: float) -> None:
        """Let readings come that are not newer than the meter's newest."""
        await self._write([(meter, minute) for minute in minutes])

    async def _write(self, readings: list[tuple[str, float]], **more: Any) -> None:
        await self.store.position("meters.raw", "life", 0, 0)
        meters = [meter for meter, _ in readings]
        of = batch(meters, [START_US + round(minute * _MINUTE_US) for _, minute in readings], voltage=230.0)
        meter_id, _ = await self.store.resolve(meters)
        made = rows(of, meter_id.tolist(), offset=self.offset, newest=False)
        said = delivery(made, self.offset, self.offset + 1, topic="meters.raw", topic_id="life", **more)
        await self.store.write(said, nothing)
        self.offset += 1
        await self.outbox.hand_on(ignored)

    def outages(self) -> list[tuple[Any, ...]]:
        found = (
            "SELECT element, started_at, ended_at, customers, revision, withdrawn FROM grid_outages ORDER BY outage_id"
        )
        return [(e, minutes_of(s), minutes_of(x), *rest) for e, s, x, *rest in query(self.url, found)]

    def kept(self) -> list[tuple[Any, ...]]:
        found = query(
            self.url,
            "SELECT meter_number, lit_at, dark_at, back_at, cause FROM supply_gaps JOIN smart_meters USING (meter_id) "
            "ORDER BY 1, 2",
        )
        return [(name, *map(minutes_of, times), cause) for name, *times, cause in found]


def minutes_of(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - _START).total_seconds() / 60


@pytest.fixture
async def village(url: str) -> Any:
    made = Village(url)
    await made.register()
    yield made
    await made.store.close()
    await made.outbox.close()


async def test_an_outage_grows_from_a_transformer_to_its_feeder_and_ends_with_its_gaps(village: Village) -> None:
    await village.gaps(("A", 15, 20, 0), ("B", 15, 20, 0), ("C", 15, 20, 0))
    assert village.outages() == [("transformer/T1", 20, None, 3, 0, False)]
    await village.gaps(("D", 15, 21, 0), ("E", 15, 0, 0), ("F", 15, 0, 0))
    assert village.outages() == [("feeder/F1", 20, None, 6, 1, False)]
    await village.gaps(*((meter, 15, 20, 50) for meter in "ABC"))
    await village.gaps(("D", 15, 21, 60), ("E", 15, 0, 60), ("F", 15, 0, 60))
    assert village.outages() == [("feeder/F1", 20, 60, 6, 2, False)]
    found = query(village.url, "SELECT outages, customer_interruptions, customer_minutes, saidi_minutes, saifi, "
                  "caidi_minutes FROM reliability_months")  # fmt: skip
    assert found == [(1, 6, 210.0, 35.0, 1.0, 35.0)]


async def test_readings_that_come_after_all_take_an_outage_back(village: Village) -> None:
    silent = [(meter, 15.0, 0.0, 0.0) for meter in "ABC"]
    await village.gaps(*silent)
    assert village.outages() == [("transformer/T1", 22.5, None, 3, 0, False)]
    await village.gaps(*((meter, 0.0, 0.0, 0.0) for meter in "ABC"))
    assert village.kept() == []
    assert village.outages() == [("transformer/T1", 22.5, None, 3, 1, True)]
    assert query(village.url, "SELECT count(*) FROM grid_interruptions") == [(0,)]


async def test_the_same_again_changes_nothing(village: Village) -> None:
    told = [(meter, 15.0, 20.0, 50.0) for meter in "ABC"]
    for _ in range(2):
        await village.gaps(*told)
    assert village.outages() == [("transformer/T1", 20, 50, 3, 0, False)]
    assert len(village.kept()) == 3


async def test_a_late_reading_cuts_a_gap_that_is_over_and_what_is_left_counts_where_it_is_long_enough(
    village: Village,
) -> None:
    await village.gaps(("A", 15, 0, 135))
    await village.late("A", 90)
    assert village.kept() == [("A", 15, None, 90, "silence"), ("A", 90, None, 135, "silence")]
    await village.late("A", 30, 45, 60, 75, 105)
    assert village.kept() == []
    await village.gaps(("B", 15, 62, 135))
    await village.late("B", 30, 60)
    assert village.kept() == [("B", 60, 62, 135, "last_gasp")]


async def test_interruptions_of_up_to_five_minutes_are_not_sustained(village: Village) -> None:
    await village.gaps(*((meter, 15, 20, 24) for meter in "ABC"))
    assert village.outages() == [("transformer/T1", 20, 24, 3, 0, False)]
    told = query(village.url, "SELECT outages, customer_interruptions, caidi_minutes FROM reliability_months")
    assert told == [(0, 0, None)]
