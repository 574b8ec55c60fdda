"""A recorded file, opened: its readings in the order in which they shall be sent, and how many there are."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path

from schemas.readings import ReadingBatch
from simulators.replay.arrange import by_time, limited, shuffled
from simulators.replay.formats import find_format
from simulators.replay.recording import Findings, Options


class Order(StrEnum):
    """In which order readings are sent."""

    TIME = "time"
    FILE = "file"


@dataclass(frozen=True)
class Recorded:
    """An opened file.

    Attributes:
        batches: its readings; reading goes on while they are taken.
        total: how many there will be at most, for progress.
        findings: what could not be read; complete when the batches have ended.
    """

    batches: Iterator[ReadingBatch]
    total: int
    findings: Findings


def open_recorded(
    path: Path,
    format_name: str,
    options: Options | None = None,
    *,
    order: Order = Order.TIME,
    shuffle_seed: int | None = None,
    limit: int | None = None,
) -> Recorded:
    """Open a file; one that cannot be of this format is refused here, before anything is sent.

    A file whose format keeps the order of time is streamed, and so is any with `Order.FILE`; others are read whole
    first (about 230 bytes of memory per reading).

    Args:
        path: the file, gzip or not.
        format_name: one of `formats.FORMATS`.
        options: what the file does not say itself.
        order: the order of sending.
        shuffle_seed: send in a random order instead.
        limit: only the first readings of the file.

    Raises:
        MeterstreamError: unknown format, wrong file for it, or an option that contradicts it.
    """
    form = find_format(format_name)
    findings = Findings()
    batches = form.read(path, options or Options(), findings)
    if limit is not None:
        batches = limited(batches, limit)
    if shuffle_seed is None and (form.in_order or order is Order.FILE):
        # The first batch is read now, so that a wrong file shows before anything is sent.
        first = next(batches, ReadingBatch.empty())
        total = form.count(path)
        return Recorded(chain([first], batches), total if limit is None else min(total, limit), findings)
    whole = ReadingBatch.concat(list(batches))
    arranged = by_time(whole) if shuffle_seed is None else shuffled(whole, shuffle_seed)
    return Recorded(arranged, len(whole), findings)
