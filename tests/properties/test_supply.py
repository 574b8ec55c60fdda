"""Gaps in supply depend on what came and in which order, neither on batches nor on restarts."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from processors.state import COLUMNS, MeterState
from tests.strategies import cuts
from tests.supply import Partition, Said

_WORDS = st.sampled_from([None, None, None, None, None, "last_gasp", "power_up", 0.0])


@st.composite
def talk(draw: st.DrawFn) -> list[Said]:
    """Messages of a few meters: mostly in order and on time, some lost, late, early or about power."""
    said: list[Said] = []
    for quarter in range(draw(st.integers(2, 12))):
        for name in "ABCD":
            if draw(st.integers(0, 3)):
                off = draw(st.sampled_from([0, 0, 0, 0, 3.5, -20, -75]))
                said.append((name, 120 + 15 * quarter + off, draw(_WORDS)))
    return said


def remembered(state: MeterState) -> dict[str, list[int]]:
    return {name: getattr(state, name)[: state.extent].tolist() for name in COLUMNS if name.startswith("supply_")}


@given(st.data())
def test_cuts_do_not_show(data: st.DataObject) -> None:
    said = data.draw(talk())
    whole, cut = Partition(), Partition()
    if said:
        whole.take(*said)
    for part in data.draw(cuts(len(said))):
        if part.stop > part.start:
            cut.take(*said[part])
    assert cut.gaps == whole.gaps
    assert remembered(cut.state) == remembered(whole.state)


@given(st.data())
def test_what_is_taken_again_after_a_crash_changes_nothing(data: st.DataObject) -> None:
    said = data.draw(talk())
    saved_at, stored_at = sorted((data.draw(st.integers(0, len(said))), data.draw(st.integers(0, len(said)))))
    undisturbed, partition = Partition(), Partition()
    for part in data.draw(cuts(len(said))):
        if part.stop > part.start:
            undisturbed.take(*said[part])
    for begin, end in ((0, saved_at), (saved_at, stored_at)):
        if begin == saved_at:
            saved = copy.deepcopy(partition.state)
        if end > begin:
            partition.take(*said[begin:end])
    again = partition.restart(saved, saved_at)
    rest = said[saved_at:]
    for part in data.draw(cuts(len(rest))):
        if part.stop > part.start:
            again.take(*rest[part])
    assert again.gaps == undisturbed.gaps
