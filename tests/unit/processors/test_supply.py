"""Supply: a meter's own word, its silence, and what turns out to be none."""

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
