"""Each reading beside its meter's past, and the memory moved on."""

import numpy as np

from processors.compiled import own
from processors.state import MeterState
from processors.vee.calendar import Calendar
from processors.vee.facts import Past
from processors.vee.following_pass import Order, Shown, follow_all
from processors.vee.memory import memory_of
from schemas.layout import Ints, Mask, Positions
from schemas.readings import ReadingBatch


def follow(
    batch: ReadingBatch,
    rows: Positions,
    state: MeterState,
    hour: Ints,
    device: "np.ndarray[tuple[int], np.dtype[np.uint32]]",
    estimated: Mask,
    calendar: Calendar,
    skip: Mask | None = None,
) -> tuple[Past, Order]:
    """Describe the past of each reading that is in order, and let the memory learn from it.

    Args:
        batch: n readings in the order of their partition.
        rows: intp[n], state row of each reading's meter.
        state: of the partition; its memory is changed in place.
        hour: int64[n], local hour that each interval ended in.
        device: uint32[n], murmur2 of the device's number, 0 without one.
        estimated: bool[n], the source calls it estimated.
        calendar: the clock on the wall.
        skip: bool[n], readings that the state has already seen; they are not in order.

    Returns: the past of each, and how they follow each other; neither depends on how the stream was cut into batches.
    """
    count = len(batch)
    past = Past.unknown(count)
    order = Order(np.zeros(count, dtype=bool), np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int8))
    shown = Shown(
        own(batch.time_us),
        calendar.day(batch.time_us),
        hour,
        np.zeros(count, dtype=bool) if skip is None else own(skip),
        own(batch.floats("consumption_kwh")),
        own(batch.floats("register_kwh")),
        own(batch.floats("voltage")),
        own(estimated),
        device,
    )
    follow_all(memory_of(state), own(rows), shown, own(calendar.holidays), order, past)
    return past, order
