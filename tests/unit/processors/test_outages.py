"""Outages: the highest element that explains the gaps of meters, and what explains nothing."""

import numpy as np

from processors.gaps import Gaps
from processors.outages import Grid, Outage, OutageRules, infer
from schemas.supply import GASPED, SILENCE

#: Two regions of a substation each, two feeders of two transformers, ten meters each.
PER, TRANSFORMERS = 10, 8
NUMBERS = np.arange(TRANSFORMERS)
GRID = Grid(NUMBERS + 1, np.stack([NUMBERS, NUMBERS // 2, NUMBERS // 4, NUMBERS // 4]), np.full(TRANSFORMERS, PER))
LIT, EVERY = 900_000, 900


def gaps(
    meters: range | list[int], dark_s: int = LIT + 300, back_s: int = 0, words: float = 1.0, lit_s: int = LIT
) -> Gaps:
    """Gaps of some meters, ten per transformer; a share of them said so themselves."""
    meter = np.array(meters)
    told = meter * 7 % 20 < words * 20
    count = np.full(len(meter), 1)
    return Gaps(
        meter,
        meter // PER + 1,
        lit_s * count,
        np.where(told, dark_s + meter % 7, 0),
        back_s * count,
        EVERY * count,
        np.where(told, GASPED, SILENCE),
        told & (back_s > 0),
    )


def both(*parts: Gaps) -> Gaps:
    return Gaps(*(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])))


def told(outages: list[Outage]) -> list[tuple[int, int, int]]:
    return [(outage.level, outage.element, len(outage.members)) for outage in outages]


def test_a_transformer_without_power_is_one_outage_and_starts_with_the_first_gasp() -> None:
    outage = infer(gaps(range(20, 30)), GRID, OutageRules())[0]
    assert told([outage]) == [(0, 2, 10)]
    assert (outage.started.at_s, outage.ended.at_s, outage.told) == (LIT + 300, 0, 10)


def test_a_feeder_takes_its_transformers() -> None:
    assert told(infer(gaps(range(20, 40), words=0.85), GRID, OutageRules())) == [(1, 1, 20)]


def test_a_substation_with_one_feeder_alive_is_one_feeder_less() -> None:
    assert told(infer(gaps(range(20, 40)), GRID, OutageRules())) == [(1, 1, 20)]
    assert told(infer(gaps(range(40)), GRID, OutageRules())) == [(2, 0, 40)]


def test_single_meters_and_half_a_transformer_are_no_outage() -> None:
    assert not infer(gaps([3, 17, 28, 55, 79]), GRID, OutageRules())
    assert not infer(gaps(range(20, 25)), GRID, OutageRules())


def test_meters_that_went_dark_at_different_times_are_no_outage() -> None:
    one_by_one = [
        gaps([meter], LIT + 3_600 * (meter - 20), lit_s=LIT + 3_600 * (meter - 20) - 300) for meter in range(20, 30)
    ]
    assert not infer(both(*one_by_one), GRID, OutageRules())


def test_silence_alone_is_enough_for_what_is_not_everything() -> None:
    outage = infer(gaps(range(20, 40), words=0.0), GRID, OutageRules())[0]
    assert told([outage]) == [(1, 1, 20)]
    assert (outage.started.after_s, outage.started.at_s, outage.started.by_s) == (LIT, LIT + 450, LIT + 900)


def test_silence_of_everything_or_of_a_region_is_a_feed_that_failed_unless_meters_say_otherwise() -> None:
    rules = OutageRules()
    assert not infer(gaps(range(80), words=0.0), GRID, rules)
    assert told(infer(gaps(range(80), words=0.5), GRID, rules)) == [(2, 0, 40), (2, 1, 40)]


def test_two_outages_of_one_transformer_are_two() -> None:
    again = gaps(range(20, 30), LIT + 9_000, lit_s=LIT + 8_100)
    found = infer(both(gaps(range(20, 30), back_s=LIT + 5_000), again), GRID, OutageRules())
    assert [(outage.started.at_s, outage.ended.at_s) for outage in found] == [
        (LIT + 300, LIT + 5_000),
        (LIT + 9_000, 0),
    ]


def test_it_is_over_when_all_but_a_few_are_back() -> None:
    back, gone = gaps(range(20, 39), back_s=LIT + 4_000), gaps([39])
    assert infer(both(back, gone), GRID, OutageRules())[0].ended.at_s == LIT + 4_000
    assert infer(both(gaps(range(20, 38), back_s=LIT + 4_000), gaps([38, 39])), GRID, OutageRules())[0].ended.at_s == 0


def test_meters_without_a_place_explain_nothing() -> None:
    lost = gaps(range(200, 210))
    assert not infer(lost, GRID, OutageRules())
    assert not infer(lost, Grid(NUMBERS[:0], np.zeros((4, 0), dtype=np.int64), NUMBERS[:0]), OutageRules())
