"""What every place of newest values promises: an older reading never replaces a newer one, whoever writes."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from schemas.delivery import Rows
from sinks.sink import Latest
from tests.builders import START_US, batch, rows
from tests.contracts import found
from tests.contracts.backings import LatestBacking, unique


def at(meter: str, *times_us: int, newest: bool = True) -> Rows:
    return rows(batch(meter, list(times_us), consumption_kwh=1.0), newest=newest)


@pytest.mark.parametrize("cls", found.latests(), ids=lambda cls: cls.__name__)
def test_it_takes_what_the_protocol_says(cls: type) -> None:
    assert found.same_signatures(cls, Latest)


async def test_the_newest_of_each_meter_is_kept(latest: Latest, latest_backing: LatestBacking) -> None:
    one, two = unique("m"), unique("m")
    found_rows = rows(batch([one, two, one], [START_US, START_US + 5, START_US + 1]), [1, 2, 1])
    await latest.write(found_rows)
    assert (latest_backing.time_us(one), latest_backing.time_us(two)) == (START_US + 1, START_US + 5)


async def test_an_older_one_never_replaces_a_newer_one(latest: Latest, latest_backing: LatestBacking) -> None:
    meter = unique("m")
    for time_us in (START_US, START_US + 2, START_US + 1, START_US):
        await latest.write(at(meter, time_us))
    assert latest_backing.time_us(meter) == START_US + 2
    await latest.write(at(meter, START_US + 9, START_US + 3))
    assert latest_backing.time_us(meter) == START_US + 9


async def test_the_same_one_again_changes_nothing(latest: Latest, latest_backing: LatestBacking) -> None:
    meter = unique("m")
    for _ in range(3):
        await latest.write(at(meter, START_US))
    assert latest_backing.time_us(meter) == START_US


async def test_it_says_how_many_values_it_replaced(latest: Latest) -> None:
    meter = unique("m")
    assert await latest.write(at(meter, START_US + 1)) == 1
    assert await latest.write(at(meter, START_US)) == 0


async def test_what_did_not_move_its_meter_forward_is_not_kept(latest: Latest, latest_backing: LatestBacking) -> None:
    meter = unique("m")
    await latest.write(at(meter, START_US, newest=False))
    assert latest_backing.time_us(meter) is None
    both = rows(batch(meter, [START_US, START_US + 1]))
    await latest.write(replace(both, newest=np.array([True, False])))
    assert latest_backing.time_us(meter) == START_US


async def test_two_writers_that_interleave_leave_the_newest(latest: Latest, latest_backing: LatestBacking) -> None:
    meters = [unique("m") for _ in range(50)]
    other = latest_backing.connect()
    await other.open()

    async def write(sink: Latest, order: list[int]) -> None:
        for step in order:
            await sink.write(rows(batch(meters, [START_US + step] * 50), list(range(50))))
            await asyncio.sleep(0)

    await asyncio.gather(write(latest, [1, 8, 3, 4, 9, 2]), write(other, [7, 2, 10, 5, 6, 1]))
    await other.close()
    assert {latest_backing.time_us(meter) for meter in meters} == {START_US + 10}


async def test_more_meters_than_fit_one_call_are_all_kept(latest: Latest, latest_backing: LatestBacking) -> None:
    meters = [unique("m") for _ in range(2_500)]
    await latest.write(rows(batch(meters, [START_US] * 2_500), list(range(2_500))))
    assert {latest_backing.time_us(meter) for meter in (meters[0], meters[999], meters[1_000], meters[-1])} == {
        START_US
    }


async def test_no_rows_are_no_work(latest: Latest) -> None:
    assert await latest.write(rows(batch([], []))) == 0
