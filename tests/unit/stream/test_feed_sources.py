"""Words of a source to places: days, folders, links."""

from datetime import date
from pathlib import Path

import pytest

from schemas.errors import ConfigurationError
from stream.feed.sources import links, name_of, places

TODAY = date(2026, 3, 1)


def test_a_url_of_a_day_stands_for_the_days_until_tomorrow() -> None:
    found = places("https://example.org/%Y/p_%Y%m%d.csv", "*", TODAY, 1)
    assert found == [f"https://example.org/2026/p_2026{day}.csv" for day in ("0228", "0301", "0302")]


def test_a_plain_url_stands_for_itself() -> None:
    assert places("https://example.org/p.csv", "*", TODAY, 5) == ["https://example.org/p.csv"]


def test_a_folder_stands_for_its_files_in_their_order(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "d.csv").mkdir()
    assert places(str(tmp_path), "*.csv", TODAY, 1) == [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match="is no file, no folder and no URL"):
        places("nothing.csv", "*", TODAY, 1)


def test_links_lead_to_files_of_the_same_host_each_once() -> None:
    page = b"""<html><A HREF="/r/">up</A> <a href="/r/P_1.zip">1</a> <a href=P_2.zip>2</a> <a href="/r/P_1.zip">1</a>
        <a href="https://other.org/P_3.zip">3</a> <a href="notes.txt">n</a> <a name="x">x</a> <a href="ftp://h/P_4.zip">"""
    found = links(page, "http://example.org/r/", "P_*.zip")
    assert found == ["http://example.org/r/P_1.zip", "http://example.org/r/P_2.zip"]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("https://h/a/p.csv?x=1/2", "p.csv"),
        ("/data/IEX_RTM.csv", "IEX_RTM.csv"),
        ("https://h/", "index"),
        ("https://h/a%2Fb.csv", "a_b.csv"),
    ],
)
def test_a_place_has_the_name_of_its_file(place: str, name: str) -> None:
    assert name_of(place) == name
