"""Runs of sources: one entry where the source changes, however the records are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.record_sources import LONGEST, changes, name_of, runs

RECORDS = [(3, "a"), (4, "a"), (7, ""), (8, "b"), (9, "b")]


def test_a_run_begins_where_the_source_changes() -> None:
    assert runs(RECORDS) == ((3, "a"), (7, ""), (8, "b"))
    assert runs([]) == ()


@pytest.mark.parametrize(
    ("known", "from_offset", "new"),
    [
        (None, 3, ((3, "a"), (7, ""), (8, "b"))),
        ("a", 3, ((7, ""), (8, "b"))),
        ("b", 3, ((3, "a"), (7, ""), (8, "b"))),
        (None, 4, ((4, "a"), (7, ""), (8, "b"))),
        ("a", 7, ((7, ""), (8, "b"))),
        ("b", 9, ()),
        ("", 8, ((8, "b"),)),
    ],
)
def test_only_what_is_not_stored_is_new(known: str | None, from_offset: int, new: tuple[tuple[int, str], ...]) -> None:
    assert changes(runs(RECORDS), known, from_offset) == new


@given(st.lists(st.sampled_from(["", "a", "b"]), min_size=1, max_size=12), st.lists(st.integers(0, 12), max_size=4))
def test_cutting_the_stream_anywhere_leaves_the_same_runs(sources: list[str], cuts: list[int]) -> None:
    records = list(enumerate(sources))
    stored: list[tuple[int, str]] = []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(records)], strict=True):
        known = stored[-1][1] if stored else None
        stored += changes(runs(records[begin:end]), known, begin)
    assert tuple(stored) == runs(records)


@pytest.mark.parametrize(
    ("header", "name"),
    [(None, ""), ("", ""), ("hes-1", "hes-1"), ("a\0b", ""), ("line\n", ""), ("x" * (LONGEST + 1), "x" * LONGEST)],
)
def test_a_header_that_is_no_name_names_nothing(header: str | None, name: str) -> None:
    assert name_of(header) == name
