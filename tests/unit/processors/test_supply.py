"""Supply: a meter's own word, its silence, and what turns out to be none."""

import pytest

from tests.supply import Partition


def test_a_last_gasp_opens_a_gap_and_power_up_closes_it_to_the_second() -> None:
    partition = Partition()
    partition.run("AB", 0, 2)
    partition.take(("A", 35.05, "last_gasp"))
    assert partition.gaps == {("A", 30): (35.05, None, "last_gasp")}
    partition.run("B", 3, 5)
    partition.take(("A", 80.5, "power_up"))
    assert partition.gaps == {("A", 30): (35.05, 80.5, "last_gasp")}


def test_silence_is_known_two_intervals_after_the_newest_reading_and_taken_back_when_the_readings_come_late() -> None:
    partition = Partition()
    partition.run("AB", 0, 2)
    partition.run("B", 3, 3)
    assert not partition.gaps
    partition.run("B", 4, 4)
    assert partition.gaps == {("A", 30): (None, None, "silence")}
    partition.take(("A", 45, None))
    assert not partition.gaps
    partition.take(("A", 60, None))
    assert not partition.gaps


def test_one_lost_reading_is_no_gap_two_in_a_row_are_one() -> None:
    partition = Partition()
    partition.run("ABC", 0, 2)
    partition.run("C", 3, 3)
    partition.run("BC", 4, 4)
    partition.run("ABC", 5, 6)
    assert partition.gaps == {("A", 30): (None, 75, "silence")}


def test_hardly_any_voltage_is_refused_as_a_reading_and_heard_as_a_word() -> None:
    partition = Partition()
    partition.run("AB", 0, 2)
    partition.take(("A", 45, 0.0), ("B", 45, None), ("unknown", 45, 0.0))
    assert partition.gaps == {("A", 30): (45, None, "zero_voltage")}
    assert partition.state.row("unknown") is None
    partition.take(("A", 60, 3.0), ("B", 60, None))
    partition.take(("A", 75, None))
    assert partition.gaps == {("A", 30): (45, 75, "zero_voltage")}


def test_a_voltage_in_another_unit_or_of_one_phase_is_no_outage() -> None:
    partition = Partition()
    partition.run("AB", 0, 2)
    partition.take(("A", 45, 0.23))
    assert not partition.gaps


def test_a_word_that_power_is_back_is_enough_however_short_the_gap() -> None:
    partition = Partition()
    partition.run("AB", 0, 2)
    partition.take(("A", 41, "power_up"))
    assert partition.gaps == {("A", 30): (None, 41, "power_up")}


def test_a_feed_that_stands_still_darkens_nobody_and_nobody_is_silent_who_was_never_heard() -> None:
    partition = Partition()
    partition.run("AB", 0, 2)
    partition.take(("C", 45, None))
    assert not partition.gaps
    assert partition.state.row("C") is not None


def test_a_reading_of_before_the_last_gasp_that_comes_after_it_moves_the_beginning_of_the_gap() -> None:
    partition = Partition()
    partition.run("AB", 0, 2)
    partition.take(("A", 50, "last_gasp"))
    partition.take(("A", 45, None))
    assert partition.gaps == {("A", 45): (50, None, "last_gasp")}


def test_an_interval_that_changes_is_followed() -> None:
    partition = Partition()
    partition.run("AB", 0, 2)
    for minute in range(35, 130, 5):
        partition.take(("A", minute, None), ("B", minute, None))
    row = partition.state.row("A")
    assert row is not None
    assert partition.state.supply_interval_s[row] == 300
    partition.take(("B", 135, None))
    assert partition.gaps == {("A", 125): (None, None, "silence")}


def quarters(partition: Partition, hours: range, every_h: int) -> None:
    """B reads and sends every quarter of an hour; A reads as often, and sends it all at once every so many hours."""
    for hour in hours:
        partition.run("B", 4 * hour + 1, 4 * hour + 4)
        if (hour + 1) % every_h == 0:
            last = 60 * (hour + 1)
            partition.take(*(("A", minute, None) for minute in range(last - 60 * every_h + 15, last + 1, 15)), at=last)


@pytest.mark.parametrize("every_h", [1, 24])
def test_a_meter_that_uploads_in_bulk_is_not_silent_in_between_and_is_after_nearly_two_uploads(every_h: int) -> None:
    partition = Partition()
    quarters(partition, range(2 * every_h), every_h)
    seen = []
    for hour in range(2 * every_h, 6 * every_h):
        quarters(partition, range(hour, hour + 1), every_h)
        seen.append(dict(partition.gaps))
    assert not any(seen)
    partition.run("B", 24 * every_h + 1, 24 * every_h + int(7.5 * every_h))
    assert not partition.gaps
    partition.run("B", 24 * every_h + int(7.5 * every_h) + 1, 24 * every_h + 8 * every_h)
    assert partition.gaps == {("A", 360 * every_h): (None, None, "silence")}


def test_what_was_held_up_once_makes_a_meter_no_bulk_uploader() -> None:
    partition = Partition()
    partition.run("AB", 0, 4)
    partition.run("B", 5, 28)
    partition.take(*(("A", minute, None) for minute in range(75, 421, 15)), at=421)
    partition.run("AB", 29, 33)
    assert not partition.gaps
    partition.run("B", 34, 35)
    assert partition.gaps == {("A", 495): (None, None, "silence")}
