"""NEM12 files: readings of any meters as the Australian market exchanges them, with quality, method and reason.

Source: AEMO, Meter Data File Format Specification NEM12. A value without a measure is written as 0 with quality N. An
actual value needs no reason; a substitute (S, F) needs a method and a reason, an estimate (E) a method: where
the source named none, method 18 (alternate) and the reason 0 with a text say so.
"""

import re
from collections.abc import Iterator
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import ConfigurationError
from schemas.layout import Floats, Ints, instant_of
from schemas.readings import ReadingBatch

DAY_US = 86_400_000_000
#: The market's clock: UTC+10 all year [us].
OFFSET_US = 36_000_000_000
#: Measure -> suffix of a meter that has none, and the unit.
_MEASURES = {
    "consumption_kwh": ("E1", "kWh"),
    "export_kwh": ("B1", "kWh"),
    "reactive_kvarh": ("Q1", "kVArh"),
    "voltage": ("V1", "V"),
}
_NAMED = re.compile(r"(?P<nmi>.+)-(?P<suffix>[A-Z]\d)")
_MINUTE_US = 60_000_000
_ALTERNATE = "18"


def nem12_lines(batch: ReadingBatch, made_at: datetime, sender: str, receiver: str) -> Iterator[str]:
    """Yield the lines of a NEM12 file, without line ends.

    Args:
        batch: readings in any order, one of each meter and time; `reading_time` is the end of an interval.
        made_at: when the file is made.
        sender: participant that sends it.
        receiver: participant that gets it.

    Raises:
        ConfigurationError: readings of a meter do not lie on one grid of intervals; the message names it.
    """
    yield f"100,NEM12,{made_at:%Y%m%d%H%M},{sender},{receiver}"
    names = batch.meter_number.dictionary_encode()
    which = names.indices.to_numpy()
    for place, name in enumerate(names.dictionary.to_pylist()):
        mine = batch.take(np.flatnonzero(which == place))
        mine = mine.take(np.argsort(mine.time_us, kind="stable"))
        for measure, (suffix, unit) in _MEASURES.items():
            if mine.column(measure).null_count < len(mine):
                yield from _stream(mine, name, measure, suffix, unit, made_at)
    yield "900"


def _stream(mine: ReadingBatch, name: str, measure: str, suffix: str, unit: str, made_at: datetime) -> Iterator[str]:
    match = _NAMED.fullmatch(name)
    nmi, register = (match["nmi"], match["suffix"]) if match else (name, suffix)
    serial = next((value for value in pc.unique(mine.column("device")).to_pylist() if value), "")
    local_us = mine.time_us + OFFSET_US
    day = (local_us - 1) // DAY_US
    length_us = _intervals_us(local_us, day, name)
    # Meters are exchanged, and with them the length of intervals changes: each length has a 200 record of its own.
    for interval_us in np.unique(length_us).tolist():
        at = np.flatnonzero(length_us == interval_us)
        yield f"200,{nmi},{register},,{register},,{serial},{unit},{interval_us // _MINUTE_US},"
        yield from _days(
            mine.take(at), measure, day[at], (local_us[at] - 1) % DAY_US // interval_us, interval_us, made_at
        )


def _days(
    mine: ReadingBatch, measure: str, day: Ints, place: Ints, interval_us: int, made_at: datetime
) -> Iterator[str]:
    days, row = np.unique(day, return_inverse=True)
    values = np.full((len(days), DAY_US // interval_us), np.nan)
    values[row, place] = mine.floats(measure)
    words, code = _qualities(mine)
    quality = np.zeros(values.shape, dtype=np.int64)
    quality[row, place] = code
    quality[np.isnan(values)] = 0
    for number, (midnight, text) in enumerate(zip(days.tolist(), _joined(values), strict=True)):
        date = f"{instant_of(midnight * DAY_US):%Y%m%d}"
        yield from _day(date, text, quality[number], words, made_at)


def _intervals_us(local_us: Ints, day: Ints, name: str) -> Ints:
    """Return the length of each reading's interval [us]: the shortest step within its day."""
    gaps = np.r_[np.diff(local_us), np.iinfo(np.int64).max]
    within = np.r_[day[1:] == day[:-1], False]
    usual = int(gaps[:-1].min()) if len(gaps) > 1 else 30 * _MINUTE_US
    starts = np.flatnonzero(np.r_[True, day[1:] != day[:-1]])
    shortest = np.minimum.reduceat(np.where(within, gaps, np.iinfo(np.int64).max), starts)
    shortest = np.where(shortest > DAY_US, usual, shortest)
    length = np.repeat(shortest, np.diff(np.r_[starts, len(day)]))
    if (length < _MINUTE_US).any() or (DAY_US % length != 0).any() or (local_us % length != 0).any():
        raise ConfigurationError(f"readings of {name} do not lie on a grid of intervals that divides a day")
    return length


def _qualities(mine: ReadingBatch) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return the distinct qualities as NEM12 fields (quality and method, reason, text), the null quality first."""
    said = mine.column("source_quality").fill_null("A").dictionary_encode()
    return ["N,,", *(_fields(text) for text in said.dictionary.to_pylist())], said.indices.to_numpy().astype(
        np.int64
    ) + 1


def _fields(text: str) -> str:
    method, _, rest = text.partition(":")
    reason, _, described = rest.partition(":")
    letter = method[:1].upper()
    if letter not in "AEFSN" or not re.fullmatch(r"[AEFSN](\d\d)?", method.upper()):
        return "A,,"
    if letter in "EFS" and len(method) == 1:
        method += _ALTERNATE
    if letter in "FS" and not reason:
        reason, described = "0", described or "reason not stated"
    return f"{method.upper()},{reason},{described.replace(',', ' ')}"


def _joined(values: Floats) -> list[str]:
    """Return each day's values as one text; a value that is not there is a 0."""
    flat = pa.array(np.round(np.nan_to_num(values.reshape(-1)), 9) + 0.0).cast(pa.string())
    offsets = pa.array(np.arange(0, values.size + 1, values.shape[1]), pa.int32())
    joined: list[str] = pc.binary_join(pa.ListArray.from_arrays(offsets, flat), ",").to_pylist()
    return joined


def _day(date: str, text: str, quality: Ints, words: list[str], made_at: datetime) -> Iterator[str]:
    stamp = f"{made_at:%Y%m%d%H%M%S}"
    starts = np.flatnonzero(np.r_[True, np.diff(quality) != 0])
    if len(starts) == 1:
        yield f"300,{date},{text},{words[quality[0]]},{stamp},"
        return
    yield f"300,{date},{text},V,,,{stamp},"
    for first, last in zip(starts.tolist(), [*starts[1:].tolist(), len(quality)], strict=True):
        yield f"400,{first + 1},{last},{words[quality[first]]}"
