"""A partition whose meters lose and regain power, and the table of gaps that comes of it."""

from collections.abc import Sequence

import numpy as np

from processors.state import MeterState
from processors.supply import SupplyWatch, signs_of
from processors.validate import Limits, validate
from processors.windows import watermark
from schemas.delivery import NO_WATERMARK_US
from schemas.readings import ReadingBatch
from schemas.supply import CAUSES, SupplyChanges
from tests.builders import MINUTE_US, START_US, batch

#: Meter, minute, word: None for a reading, else `last_gasp`, `power_up` or a voltage.
Said = tuple[str, float, str | float | None]
START_S = START_US // 1_000_000
EVERY = 15


def readings(said: Sequence[Said]) -> ReadingBatch:
    words = [word if isinstance(word, str) else None for *_, word in said]
    volts = [230.0 if word is None else word if isinstance(word, float) else None for *_, word in said]
    return batch(
        [name for name, *_ in said],
        [round(START_US + minute * MINUTE_US) for _, minute, _ in said],
        voltage=np.array(volts, dtype=np.float64),
        source_quality=words,
    )


class Partition:
    """One partition's watch, with what it has told so far applied as a table would."""

    def __init__(self) -> None:
        self.state = MeterState()
        self.watch = SupplyWatch(self.state)
        self.offset = self.stored = 0
        self.mark_us = NO_WATERMARK_US
        self.gaps: dict[tuple[str, float], tuple[float | None, float | None, str]] = {}

    def take(self, *said: Said, at: float | None = None) -> SupplyChanges:
        """Take what comes a second after it was said, or all of it at one minute."""
        found = readings(said)
        arrived_us = found.time_us + 1_000_000 if at is None else np.full(len(found), round(START_US + at * MINUTE_US))
        offset = np.arange(self.offset, self.offset + len(found))
        self.offset += len(found)
        refused = validate(found, arrived_us, Limits())
        valid = found.where(refused == 0)
        rows = self.state.rows(valid.meter_number)
        changes = self.watch.take(signs_of(found, refused, arrived_us, offset, rows, self.state))
        self.apply(changes.where(changes.offset >= self.stored))
        self.mark_us = int(watermark(valid.time_us, arrived_us[refused == 0], self.mark_us)[-1])
        return changes

    def restart(self, state: MeterState, offset: int) -> "Partition":
        """A new process with a state of before, at an offset that it takes again; the table is as it was."""
        again = Partition()
        again.state, again.watch, again.offset = state, SupplyWatch(state), offset
        again.watch.resume(self.mark_us)
        again.gaps, again.mark_us, again.stored = dict(self.gaps), self.mark_us, self.offset
        return again

    def apply(self, changes: SupplyChanges) -> None:
        told = set(changes.meter_number.tolist())
        self.gaps = {key: gap for key, gap in self.gaps.items() if gap[1] is not None or key[0] not in told}
        columns = (changes.lit_s, changes.dark_s, changes.back_s, changes.cause)
        for name, lit, dark, back, cause in zip(changes.meter_number, *(c.tolist() for c in columns), strict=True):
            if lit:
                self.gaps[name, minutes(lit)] = (minutes(dark), minutes(back), str(CAUSES[cause]))

    def run(self, names: str, first: int, last: int) -> None:
        """Readings of some meters, every quarter of an hour, from one quarter to another one."""
        for quarter in range(first, last + 1):
            self.take(*((name, EVERY * quarter, None) for name in names))


def minutes(seconds: int) -> float | None:
    return (seconds - START_S) / 60 if seconds else None
