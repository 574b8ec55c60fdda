"""Many alerts of one part of the grid are one problem of what feeds them."""

import pytest

from processors.lifecycle import changes
from processors.lifecycle.advance import Turn
from processors.lifecycle.grouping import crowded, group, spots_of
from processors.lifecycle.place import Place
from schemas.alert_events import AlertState, Change
from schemas.alerts import AlertKind, Severity
from tests.alerting import RULES, opened


def sagging(
    count: int, transformer: str = "T1", feeder: str = "F1", first: int = 0, minutes: float = 0
) -> list[AlertState]:
    place = Place("NSW", "S1", feeder, transformer)
    return [opened(minutes, f"meter/M{number}", place) for number in range(first, first + count)]


def grouped(
    orphans: list[AlertState], meters: dict[str, int], parents: list[AlertState] | None = None
) -> tuple[Turn, list[AlertState]]:
    turn = Turn()
    group(turn, orphans, parents or [], meters, RULES)
    return turn, [state for state in turn.changed if state.children]


def test_enough_meters_of_a_transformer_become_one_alert() -> None:
    meters = sagging(5)
    turn, (parent,) = grouped(meters, {"transformer/T1": 20, "feeder/F1": 500, "substation/S1": 5_000})
    assert (parent.element, parent.children, parent.customers, parent.region) == ("transformer/T1", 5, 5, "NSW")
    assert parent.message == "5 meters below transformer T1: voltage sag"
    assert [turn.current(meter).parent_id for meter in meters] == [parent.alert_id] * 5
    changes_made = [news.change for news in turn.news]
    assert changes_made == [Change.OPENED, *[Change.ATTACHED] * 5, Change.UPDATED]


@pytest.mark.parametrize(
    ("orphans", "meters"),
    [
        (sagging(4), 4),
        (sagging(5), 26),
        ([*sagging(3), *sagging(3, first=3, minutes=31)], 20),
        ([*sagging(3), *sagging(3, "T2", "F2", first=3)], 20),
    ],
    ids=["too few", "too small a share", "too far apart", "of different ones"],
)
def test_what_is_not_enough_stays_apart(orphans: list[AlertState], meters: int) -> None:
    turn, parents = grouped(orphans, {"transformer/T1": meters, "transformer/T2": meters, "substation/S1": 5_000})
    assert parents == turn.news == []


def test_a_whole_feeder_is_one_problem_and_a_critical_one() -> None:
    orphans = [*sagging(1_000, "T1"), *sagging(1_000, "T2", first=1_000)]
    turn, (parent,) = grouped(orphans, {"feeder/F1": 2_000, "transformer/T1": 1_000, "substation/S1": 50_000})
    assert (parent.element, parent.children, parent.customers) == ("feeder/F1", 2_000, 2_000)
    assert parent.severity is Severity.CRITICAL
    assert parent.transformer is None
    assert sum(news.change is Change.ATTACHED for news in turn.news) == 2_000


def test_more_of_them_join_the_alert_that_stands_and_it_is_told_once() -> None:
    _, (parent,) = grouped(sagging(5), {"transformer/T1": 20})
    turn, (grown,) = grouped(sagging(6, first=5), {"transformer/T1": 20}, [parent])
    assert (grown.alert_id, grown.children, grown.customers, grown.severity) == (parent.alert_id, 11, 11, "warning")
    assert [news.change for news in turn.news] == [*[Change.ATTACHED] * 6, Change.UPDATED]


def test_transformers_of_a_feeder_become_its_parts() -> None:
    _, (one,) = grouped(sagging(10), {"transformer/T1": 20, "feeder/F1": 90})
    orphans = [one, *sagging(10, "T2", first=10)]
    turn, parents = grouped(orphans, {"transformer/T2": 20, "feeder/F1": 90}, [one])
    feeder = next(parent for parent in parents if parent.element == "feeder/F1")
    assert (feeder.children, feeder.customers) == (11, 20)
    assert turn.current(one).parent_id == feeder.alert_id


def test_what_is_not_known_of_the_grid_is_never_grouped() -> None:
    orphans = [opened(0, f"meter/M{number}") for number in range(100)]
    assert grouped(orphans, {})[0].news == []
    assert spots_of(orphans[0]) == []


def test_kinds_that_are_not_grouped_stay_apart() -> None:
    prices = [opened(0, f"market/omie/{n}", Place(feeder="F1"), kind=AlertKind.PRICE_SPIKE) for n in range(50)]
    assert grouped(prices, {})[0].news == []


def test_only_elements_that_enough_may_come_from_are_counted() -> None:
    orphans = [*sagging(5, "T1", "F1"), *sagging(4, "T2", "F2", first=5)]
    assert crowded(orphans, RULES) == {"transformer/T1", "feeder/F1", "substation/S1"}


def test_a_part_that_ended_and_returned_joins_again() -> None:
    _, (parent,) = grouped(sagging(5), {"transformer/T1": 20})
    back = changes.attach(sagging(1)[0], parent).alert.model_copy(update={"parent_id": None})
    turn, _ = grouped([back], {}, [parent])
    assert turn.current(back).parent_id == parent.alert_id
