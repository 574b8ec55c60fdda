"""A short look at the codecs (`make fuzz` is the long one), and proof that the look sees harm."""

from itertools import islice

import numpy as np
import pytest

from schemas.codec import Decoded
from schemas.readings import ReadingBatch
from schemas.ticks import TickBatch
from tests.fuzz import neighbours
from tests.fuzz.mutations import payloads
from tests.fuzz.neighbours import Harmed, culprit, hold


@pytest.mark.parametrize("into", [ReadingBatch, TickBatch], ids=["readings", "ticks"])
def test_no_payload_raises_anything_or_harms_its_neighbours(into: type[ReadingBatch] | type[TickBatch]) -> None:
    stream = payloads(seed=7)
    for _ in range(30):
        chosen = list(islice(stream, 50))
        assert hold([data for data, _ in chosen], [kind for _, kind in chosen], into) >= 0


def test_the_same_seed_makes_the_same_payloads() -> None:
    assert list(islice(payloads(3), 200)) == list(islice(payloads(3), 200))


@pytest.mark.parametrize("harm", ["raised", "lost", "vanished"])
def test_harm_is_seen_and_its_cause_is_found(harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = neighbours.decode

    def broken(data: list[bytes], kinds: list[str | None], into: type[ReadingBatch]) -> Decoded[ReadingBatch]:
        found = decode(data, kinds, into)
        at = next((index for index, item in enumerate(data) if item == b"evil"), None)
        if at is None:
            return found
        if harm == "raised":
            raise ValueError("evil")
        if harm == "vanished":
            return Decoded(found.batch, found.source, [fault for fault in found.faults if fault.source != at])
        keep = found.source != at + 1
        return Decoded(found.batch.where(keep), found.source[np.flatnonzero(keep)], found.faults)

    monkeypatch.setattr(neighbours, "decode", broken)
    data, kinds = [b"{}", b"17", b"evil", b"null"], [None] * 4
    with pytest.raises(Harmed):
        hold(data, kinds, ReadingBatch)
    assert culprit(data, kinds, ReadingBatch) == "[(b'evil', None)]"
