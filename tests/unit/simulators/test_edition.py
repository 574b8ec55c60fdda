"""Editions of a place: what stood there is no news, what was changed in place is a revision."""

import numpy as np

from schemas.ticks import TickBatch
from simulators.feeds.edition import Edition
from tests.builders import START_US

STEP_US = 300_000_000


def ticks(*rows: tuple[int, float | None, int]) -> TickBatch:
    """Ticks of one symbol from (interval, price, revision)."""
    return TickBatch.from_columns(
        market=["aemo_nem"] * len(rows),
        symbol=["NSW1"] * len(rows),
        kind=["settlement"] * len(rows),
        tick_time=START_US + STEP_US * np.array([row[0] for row in rows], dtype=np.int64),
        price=[row[1] for row in rows],
        revision=[row[2] or None for row in rows],
    )


def published(news: TickBatch) -> list[tuple[int, float | None, int]]:
    steps = ((news.time_us - START_US) // STEP_US).tolist()
    return list(zip(steps, news.column("price").to_pylist(), news.revisions.tolist(), strict=True))


def run(*editions: TickBatch) -> list[list[tuple[int, float | None, int]]]:
    stood, found = Edition.none(), list[list[tuple[int, float | None, int]]]()
    for batch in editions:
        stood, news = stood.followed_by(batch)
        found.append(published(news))
    return found


def test_a_window_that_moves_on_brings_only_what_it_did_not_hold() -> None:
    assert run(ticks((0, 50.0, 0), (1, 60.0, 0)), ticks((1, 60.0, 0), (2, 70.0, 0))) == [
        [(0, 50.0, 0), (1, 60.0, 0)],
        [(2, 70.0, 0)],
    ]


def test_the_same_again_is_no_news() -> None:
    assert run(ticks((0, 50.0, 0)), ticks((0, 50.0, 0)))[1] == []


def test_a_figure_that_is_changed_in_place_is_a_revision_also_when_it_changes_back() -> None:
    assert run(ticks((0, 50.0, 0)), ticks((0, 55.0, 0)), ticks((0, 55.0, 0)), ticks((0, 50.0, 0))) == [
        [(0, 50.0, 0)],
        [(0, 55.0, 1)],
        [],
        [(0, 50.0, 2)],
    ]


def test_a_figure_that_comes_where_there_was_none_is_a_revision() -> None:
    assert run(ticks((0, None, 0)), ticks((0, 50.0, 0)))[1] == [(0, 50.0, 1)]


def test_runs_of_the_publisher_keep_their_numbers_and_a_change_comes_after_them() -> None:
    assert run(ticks((0, 50.0, 0), (0, 52.0, 1)), ticks((0, 51.0, 0), (0, 52.0, 1), (0, 53.0, 2)))[1] == [
        (0, 51.0, 3),
        (0, 53.0, 2),
    ]


def test_a_run_whose_number_was_taken_by_a_change_gets_the_next_one() -> None:
    changed = ticks((0, 51.0, 0))
    assert run(ticks((0, 50.0, 0)), changed, ticks((0, 51.0, 0), (0, 52.0, 1)))[2] == [(0, 52.0, 2)]


def test_nothing_is_followed_by_nothing() -> None:
    edition, news = Edition.none().followed_by(ticks())
    assert (len(edition.batch), len(news)) == (0, 0)
