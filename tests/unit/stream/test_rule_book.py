"""The rule set in force: from a file that changes while the engine runs."""

from pathlib import Path

import numpy as np
import pytest

from processors.judging import Judging
from processors.state import MeterState
from processors.validate import Limits
from processors.vee.catalogue import BY_ID
from processors.vee.rule_set import RuleSet
from schemas.errors import ConfigurationError, ServiceUnavailable
from stream.vee.calendars import calendar
from stream.vee.rule_book import DEFAULT, RuleBook, load_rules
from stream.worker.flow import PartitionFlow
from tests.builders import HOUR_US, START_US, payload, reading, record

ZERO = "version = {}\n[rules.zero_energy]\nwarn = {}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(ZERO.format(1, 5))
    return path


def test_a_change_of_the_file_takes_effect_between_two_batches_and_no_reading_is_lost(file: Path) -> None:
    kept = list[RuleSet]()
    book = RuleBook(file, kept.append)
    book.keep()
    flow = PartitionFlow("t", 0, MeterState(), np.empty(0, np.int64), Limits(), Judging(), rules=book.current)

    def take(offset: int) -> tuple[int, int]:
        body = payload(reading("M1", START_US + offset * HOUR_US, consumption_kwh=0.0))
        step = flow.process([record(offset, body)])
        assert step is not None
        return int(step.findings.warned[0]), int(step.findings.rule_set[0])

    assert take(0) == (0, 1)
    assert not book.refresh()
    file.write_text(ZERO.format(2, 0.5))
    assert book.refresh()
    assert take(1) == (1 << BY_ID["zero_energy"].bit, 2)
    assert flow.next_offset == 2
    assert [rules.version for rules in kept] == [1, 2]


def test_a_file_that_cannot_be_used_leaves_the_rules_as_they_were(file: Path) -> None:
    book = RuleBook(file, lambda _: None)
    file.write_text("version = 2\n[rules.zero]\nwarn = 1")
    assert not book.refresh()
    file.unlink()
    assert not book.refresh()
    assert book.current().version == 1
    file.write_text(ZERO.format(3, 1))
    assert book.refresh()


@pytest.mark.parametrize("error", [ServiceUnavailable("database", "away"), ConfigurationError("used before")])
def test_rules_that_cannot_be_written_down_say_nothing(file: Path, error: Exception) -> None:
    def keep(_: RuleSet) -> None:
        raise error

    book = RuleBook(file, keep)
    file.write_text(ZERO.format(2, 1))
    assert not book.refresh()
    assert book.current().version == 1


def test_a_missing_file_and_an_unknown_zone_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml cannot be read"):
        load_rules(tmp_path / "nowhere.toml")
    place = tmp_path / "rules.toml"
    place.write_text('version = 1\nzone = "Europe/Atlantis"')
    with pytest.raises(ConfigurationError, match=r"rules\.toml: zone: there is no time zone 'Europe/Atlantis'"):
        load_rules(place)
    place.write_text('version = 1\ncountry = "XQ"')
    with pytest.raises(ConfigurationError, match=r"country: 'XQ' is not known"):
        load_rules(place)


def test_the_rule_set_of_the_engine_is_in_its_package() -> None:
    assert load_rules(None).text == DEFAULT.read_text()


def test_clocks_are_set_when_the_zone_says_so() -> None:
    dutch = calendar("Europe/Amsterdam", "NL")
    spring = 1_711_846_800_000_000  # 2024-03-31T01:00:00Z
    assert spring in dutch.changes_us
    local = dutch.local_us(np.array([spring - 1, spring])) // HOUR_US
    assert np.diff(local).tolist() == [2]
    day = np.array([19_812, 19_813])  # that Saturday and Sunday
    assert dutch.seam(day).tolist() == [False, True]
    kings_day = np.array([19_840])  # Saturday 2024-04-27
    assert dutch.weekday(kings_day).tolist() == [6]
    assert calendar("UTC").weekday(kings_day).tolist() == [5]
