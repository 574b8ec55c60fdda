"""One number for everything that a run sends, the same in whatever order and by however many processes it is made."""

import hashlib

import numpy as np

from schemas.layout import Ints
from schemas.readings import ReadingBatch
from schemas.supply import LAST_GASP, POWER_UP
from simulators.dispatch import Dispatch
from simulators.randomness import Bits, draw, salt

_MASK = (1 << 64) - 1
_ROW, _COLUMN, _GARBAGE = salt("row"), salt("column"), salt("garbage")


def fingerprint(sent: Dispatch) -> int:
    """Return the sum of the hashes of all that is sent, modulo 2^64; add up those of parts to get that of the whole."""
    total = int(_rows(sent.batch, sent.meter, sent.due_s.view(np.uint64)).sum(dtype=np.uint64))
    for item in sent.garbage:
        text = f"{item.due_s!r} {item.meter} ".encode() + item.payload
        total += int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") ^ _GARBAGE
    return total & _MASK


def _rows(batch: ReadingBatch, meter: Ints, due: Bits) -> Bits:
    rows = draw(meter.astype(np.uint64), _ROW, batch.time_us)
    for name in batch.layout.floats:
        rows = draw(rows ^ batch.floats(name).view(np.uint64), _COLUMN, 0)
    sequence = batch.column("sequence").fill_null(-1).to_numpy(zero_copy_only=False)
    quality = batch.column("source_quality")
    words = np.zeros(len(batch), dtype=np.uint64)
    if quality.null_count < len(batch):
        texts = quality.fill_null("").to_numpy(zero_copy_only=False)
        words = ((texts == LAST_GASP) + 2 * (texts == POWER_UP)).astype(np.uint64)
    return draw(draw(rows ^ sequence.view(np.uint64), _COLUMN, 0) ^ due, _COLUMN, 0) ^ words
