"""One number for all ticks of a run, the same in whatever order and by however many processes they are made."""

import numpy as np

from simulators.market.listing import Listing
from simulators.market.ticks import KINDS, TickShipment
from simulators.randomness import Bits, draw, salt

_ROW, _COLUMN = salt("tick row"), salt("tick column")


def tick_fingerprint(sent: TickShipment, names: Bits) -> int:
    """Return the sum of the hashes of all ticks, modulo 2^64; add up those of parts to get that of the whole.

    Args:
        sent: the ticks.
        names: uint64[n], what stands for each symbol of the listing, from `name_keys`.
    """
    rows = draw(names[sent.sender], _ROW, sent.time_us)
    kinds = np.asarray(sent.column("kind").dictionary_encode().indices).astype(np.int64)
    known = [KINDS.index(kind) for kind in sent.column("kind").dictionary_encode().dictionary.to_pylist()]
    words = np.array(known, dtype=np.int64)[kinds] if len(sent) else kinds
    revision = sent.column("revision").fill_null(-1).to_numpy(zero_copy_only=False)
    for numbers in (words, revision, sent.due_s.view(np.int64)):
        rows = draw(rows ^ numbers.view(np.uint64), _COLUMN, 0)
    for name in sent.layout.floats:
        rows = draw(rows ^ sent.floats(name).view(np.uint64), _COLUMN, 0)
    return int(rows.sum(dtype=np.uint64))


def name_keys(listing: Listing) -> Bits:
    """Return what stands for each symbol of a listing, uint64[n]."""
    return np.array([salt("symbol name", name) for name in listing.names], dtype=np.uint64)
