"""The registry as CSV: what is written is read back, and whatever is wrong is named with its line."""

from datetime import UTC, datetime

import pytest

from schemas.registry import RegistryEntry
from schemas.registry_csv import COLUMNS, read, write

ENTRIES = [
    RegistryEntry(
        meter_number="M1", transformer="T1", feeder="F1", substation="S1", region="R", timezone="Europe/Berlin"
    ),
    RegistryEntry.model_validate(
        {"meter_number": "X1", "transformer": "T1", "transformer_kva": 400, "class": "transformer", "phase": "L1L2L3"}
    ),
    RegistryEntry.model_validate({"meter_number": 'M"2, old', "class": "residential", "zone": "aemo_nem/NSW1"}),
    RegistryEntry(meter_number="M1", transformer="T2", valid_from=datetime(2026, 3, 1, tzinfo=UTC), status="removed"),
]


def problems(*lines: str) -> list[tuple[int, str]]:
    return [(problem.line, problem.detail) for problem in read(lines).problems]


def test_what_is_written_is_read_back() -> None:
    text = "".join(write(ENTRIES))
    assert text.splitlines()[0] == ",".join(COLUMNS)
    found = read(text.splitlines(keepends=True))
    assert found.problems == []
    assert found.entries == ENTRIES
    assert found.unplaced == 1
    assert read(write([])).entries == []


def test_older_places_of_a_meter_come_first_whatever_the_order_of_the_lines() -> None:
    found = read(
        ["meter_number,transformer,valid_from", "M,T3,2026-03-01T00:00:00Z", "M,T1,", "M,T2,2026-02-01T00:00:00+01:00"]
    )
    assert [entry.transformer for entry in found.entries] == ["T1", "T2", "T3"]


@pytest.mark.parametrize("header", ["", "transformer,feeder", "meter_number,colour", "meter_number,meter_number"])
def test_a_header_that_does_not_fit_is_refused_as_a_whole(header: str) -> None:
    ((line, detail),) = problems(header, "M1,T1")
    assert line == 1
    assert "columns are meter_number, transformer" in detail


def test_each_wrong_line_is_named_and_the_others_are_read() -> None:
    lines = [
        "meter_number,transformer,valid_from,timezone,zone",
        "M1,T1,,,",
        ",T1,,,",
        "M3,T1,yesterday,,",
        "M4,T1,2026-01-01T00:00:00,,",
        "M5,T1,,Mars/Olympus,",
        "M6,T1,,,nowhere",
        "M7,T1",
        "",
        "M" * 51 + ",T1,,,",
    ]
    found = read(lines)
    assert [entry.meter_number for entry in found.entries] == ["M1"]
    assert [problem.line for problem in found.problems] == [3, 4, 5, 6, 7, 8, 10]
    assert "there is no time zone 'Mars/Olympus'" in found.problems[3].detail
    assert found.problems[5].detail == "2 values where the header has 5 names"


def test_a_meter_that_comes_twice_at_one_time_is_a_problem() -> None:
    assert problems("meter_number,transformer", "M1,T1", "M2,T1", "M1,T2") == [
        (4, "meter M1 is in line 2 already, with the same valid_from")
    ]


def test_an_element_under_two_others_is_a_problem() -> None:
    lines = ["meter_number,transformer,feeder,substation,region", "A,T1,F1,S1,R1", "B,T2,F1,S2,R1", "C,T1,F2,S1,R2"]
    assert problems(*lines) == [
        (3, "feeder F1 is under substation S2; in line 2 it is under S1"),
        (4, "transformer T1 is under feeder F2; in line 2 it is under F1"),
        (4, "substation S1 is under region R2; in line 2 it is under R1"),
    ]


def test_a_quote_that_never_ends_is_named() -> None:
    ((_, detail),) = problems("meter_number,transformer", 'M1,"T1')
    assert "unexpected end" in detail


def test_a_transformer_has_one_rating_at_a_time() -> None:
    header = "meter_number,transformer,transformer_kva,valid_from"
    assert problems(header, "M1,T1,400,", "M2,T1,,", "M3,T1,400,", "M4,T1,630,2026-03-01T00:00:00Z") == []
    assert problems(header, "M1,T1,400,", "M2,T1,630,") == [(3, "transformer T1 has 630 kVA; in line 2 it has 400 kVA")]
    assert problems(header, "M1,,400,") == [(2, "a rating of 400 kVA, and no transformer is named")]


@pytest.mark.parametrize("rating", ["0", "-5", "nan", "inf", "2000000", "many"])
def test_a_rating_that_none_has_is_named(rating: str) -> None:
    ((line, detail),) = problems("meter_number,transformer,transformer_kva", f"M1,T1,{rating}")
    assert line == 2
    assert detail.startswith("transformer_kva: ")


def test_the_meter_of_a_transformer_names_it() -> None:
    assert problems("meter_number,transformer,class", "X1,T1,transformer", "M1,,residential") == []
    assert problems("meter_number,class", "X1,transformer") == [
        (2, "meter X1 is that of a transformer, and none is named")
    ]


def test_a_phase_is_one_of_three_or_all_of_them() -> None:
    assert problems("meter_number,phase", "M1,L1", "M2,L1L2L3", "M3,") == []
    ((line, detail),) = problems("meter_number,phase", "M1,red")
    assert (line, detail.partition(":")[0]) == (2, "phase")
