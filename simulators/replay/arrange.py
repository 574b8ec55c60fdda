"""The order in which recorded readings are sent: as they happened, as they stand in the file, or shuffled."""

from collections.abc import Iterator

import numpy as np

from schemas.readings import ReadingBatch

#: Rows per batch that come out of a sorted or shuffled file.
BATCH_ROWS = 20_000


def limited(batches: Iterator[ReadingBatch], most: int) -> Iterator[ReadingBatch]:
    """Yield the first readings only, and read no further than needed."""
    left = most
    while left > 0 and (batch := next(batches, None)) is not None:
        yield batch.slice(0, min(left, len(batch)))
        left -= len(batch)


def by_time(whole: ReadingBatch) -> Iterator[ReadingBatch]:
    """Yield readings as they happened; those of one instant stay in the order of the file."""
    return _taken(whole, np.argsort(whole.time_us, kind="stable"))


def shuffled(whole: ReadingBatch, seed: int) -> Iterator[ReadingBatch]:
    """Yield readings in a random order, the same one for the same seed."""
    return _taken(whole, np.random.default_rng(seed).permutation(len(whole)))


def _taken(whole: ReadingBatch, order: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Iterator[ReadingBatch]:
    for start in range(0, len(order), BATCH_ROWS):
        yield whole.take(order[start : start + BATCH_ROWS])
