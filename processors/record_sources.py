"""Where the records of one partition come from, as runs: one entry where the source changes, nothing per reading."""

from collections.abc import Iterable
from itertools import groupby

#: First offset of each run, rising, and the source of its records; empty where they name none.
Runs = tuple[tuple[int, str], ...]

#: A longer name is cut [characters].
LONGEST = 100


def name_of(header: str | None) -> str:
    """Return a source as it is judged by and stored: empty where none is named, or what is no text."""
    return header[:LONGEST] if header and header.isprintable() else ""


def runs(records: Iterable[tuple[int, str]]) -> Runs:
    """Return the runs of records, given as offset and source, rising in offset."""
    return tuple((next(group)[0], name) for name, group in groupby(records, key=lambda record: record[1]))


def changes(found: Runs, known: str | None, from_offset: int) -> Runs:
    """Return what is new of some runs where those before an offset are stored already.

    Args:
        found: runs of records, which may begin before `from_offset` and end after it.
        known: source of the last record that is stored; None where that is not known.
        from_offset: first offset that is not stored.

    Returns: the same runs without those that are stored, and without a first one that goes on as `known`.
    """
    ahead = [entry for entry in found if entry[0] > from_offset]
    begun = [(from_offset, name) for first, name in found if first <= from_offset][-1:]
    due = begun + ahead
    return tuple(due[1:] if due and due[0][1] == known else due)
