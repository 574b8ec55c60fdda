from pathlib import Path

import pytest

from schemas.readings import ReadingBatch
from simulators.replay.formats import FORMATS, find_format
from simulators.replay.recorded import Order, open_recorded
from simulators.replay.recording import UnknownFormat

ROWS = [(2, "B"), (0, "B"), (1, "A"), (0, "A"), (2, "A")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "readings.csv"
    lines = [f"{meter},2026-01-01T00:0{minute}:00Z" for minute, meter in ROWS]
    file.write_text("\n".join(["meter_number,reading_time", *lines, ""]))
    return file


def rows(batches: list[ReadingBatch]) -> list[tuple[int, str]]:
    return [(row["reading_time"].minute, row["meter_number"]) for batch in batches for row in batch.records.to_pylist()]


def test_readings_are_sent_as_they_happened(path: Path) -> None:
    recorded = open_recorded(path, "plain_csv")
    assert recorded.total == 5
    assert rows(list(recorded.batches)) == sorted(ROWS, key=lambda row: row[0])


def test_readings_can_be_sent_in_the_order_of_the_file(path: Path) -> None:
    recorded = open_recorded(path, "plain_csv", order=Order.FILE)
    assert recorded.total == 5
    assert rows(list(recorded.batches)) == ROWS


def test_shuffling_keeps_every_reading_and_repeats_with_its_seed(path: Path) -> None:
    orders = [rows(list(open_recorded(path, "plain_csv", shuffle_seed=seed).batches)) for seed in (1, 1, 2)]
    assert sorted(orders[0]) == sorted(ROWS)
    assert orders[0] == orders[1] != orders[2]


def test_a_limit_takes_the_first_of_the_file_and_then_orders_them(path: Path) -> None:
    recorded = open_recorded(path, "plain_csv", limit=3)
    assert recorded.total == 3
    assert rows(list(recorded.batches)) == [(0, "B"), (1, "A"), (2, "B")]


def test_a_file_without_readings_is_no_reading(path: Path) -> None:
    path.write_text("meter_number,reading_time\n")
    assert rows(list(open_recorded(path, "plain_csv", order=Order.FILE).batches)) == []
    assert rows(list(open_recorded(path, "plain_csv").batches)) == []


def test_an_unknown_format_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        UnknownFormat, match="dsmr_p1, green_button, mapped_csv, nem12, plain_csv, sgsc_meters, uci_household"
    ):
        find_format("nope")


def test_formats_are_found_under_their_own_names() -> None:
    assert all(name == form.name and form.summary for name, form in FORMATS.items())
