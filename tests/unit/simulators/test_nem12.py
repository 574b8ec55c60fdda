"""NEM12 and NEM13: what is read, and how each kind of broken line is told."""

from pathlib import Path

import pytest

from schemas.errors import ConfigurationError
from schemas.readings import ReadingBatch
from simulators.replay import nem12
from simulators.replay.recording import Findings, Options
from tests.builders import rfc3339

HEAD = "100,NEM12,200405011135,MDA1,Ret1"
DETAILS = "200,VABD000163,E1Q1,1,{suffix},N1,METSER123,{unit},30,"
VALUES = ",".join(str(number) for number in range(1, 49))


def day(quality: str = "A,,,20040202120025,", values: str = VALUES, date: str = "20040201") -> str:
    return f"300,{date},{values},{quality}"


def read(path: Path, *lines: str) -> tuple[ReadingBatch, Findings]:
    file = path / "meters.csv"
    file.write_text("\n".join(lines) + "\n")
    findings = Findings()
    return ReadingBatch.concat(list(nem12.read(file, Options(), findings))), findings


def details(suffix: str = "E1", unit: str = "kWh") -> str:
    return DETAILS.format(suffix=suffix, unit=unit)


def test_a_day_is_48_readings_at_the_ends_of_their_intervals_on_the_clock_of_the_market(tmp_path: Path) -> None:
    found, findings = read(tmp_path, HEAD, details(), day(), "900")
    assert findings.count == 0
    assert set(found.meter_number.to_pylist()) == {"VABD000163-E1"}
    assert rfc3339(int(found.time_us[0])) == "2004-01-31T14:30:00+00:00"
    assert rfc3339(int(found.time_us[-1])) == "2004-02-01T14:00:00+00:00"
    assert found.floats("consumption_kwh").tolist() == list(range(1, 49))
    assert set(found.column("device").to_pylist()) == {"METSER123"}
    assert set(found.column("source_quality").to_pylist()) == {"A"}


@pytest.mark.parametrize(
    ("suffix", "unit", "measure", "first"),
    [
        ("E1", "Wh", "consumption_kwh", 0.001),
        ("B1", "KWH", "export_kwh", 1.0),
        ("Q1", "kVArh", "reactive_kvarh", 1.0),
        ("K1", "VARH", "reactive_kvarh", 0.001),
        ("E2", "MWh", "consumption_kwh", 1000.0),
        ("V1", "", "voltage", 1.0),
    ],
)
def test_suffix_and_unit_say_which_measure_it_is(
    tmp_path: Path, suffix: str, unit: str, measure: str, first: float
) -> None:
    found, _ = read(tmp_path, HEAD, details(suffix, unit), day(), "900")
    assert found.floats(measure)[0] == pytest.approx(first)


def test_qualities_that_vary_stand_with_their_intervals_and_reasons(tmp_path: Path) -> None:
    events = ("400,1,20,S14,79,Power Outage", "400,21,47,A,,", "400,48,48,E52,,")
    found, findings = read(tmp_path, HEAD, details(), day("V,,,20040202120025,"), *events, "900")
    assert findings.count == 0
    said = found.column("source_quality").to_pylist()
    assert (said[0], said[19], said[20], said[47]) == ("S14:79:Power Outage", "S14:79:Power Outage", "A", "E52")


def test_what_no_measure_has_the_unit_of_is_left_out_with_a_note(tmp_path: Path) -> None:
    found, findings = read(tmp_path, HEAD, details("G1", "pf"), day(), "900")
    assert (len(found), findings.count) == (0, 0)
    assert findings.notes == ["line 3: values in 'pf' are left out, no measure has that unit"]


@pytest.mark.parametrize(
    ("lines", "line", "says", "rows"),
    [
        ([HEAD, details(), day(values="1,2"), "900"], 3, "has 2 values, interval length 30 min needs 48", 0),
        ([HEAD, details(), day(values=VALUES.replace("7,", "x7,", 1)), "900"], 3, "value 7: 'x7' is not a number", 0),
        ([HEAD, details(), day(values=VALUES.replace("1,", "nan,", 1)), "900"], 3, "'nan' is not a number", 0),
        ([HEAD, details(), day(date="20040231"), "900"], 3, "'20040231' is no date", 0),
        ([HEAD, details(), day("B,,,,"), "900"], 3, "'B' is no NEM12 quality", 0),
        ([HEAD, details(), day("V,,,,"), "900"], 3, "quality V needs 400 records for all 48", 0),
        ([HEAD, details(), day("V,,,,"), "400,1,47,A,,", "900"], 3, "they cover intervals 1 to 47", 0),
        ([HEAD, details(), day("V,,,,"), "400,1,96,A,,", "900"], 4, "1 to 96 are not within 1 to 48", 0),
        ([HEAD, details(), day("V,,,,"), "400,3,48,A,,", "900"], 4, "interval 3 does not follow on interval 0", 0),
        ([HEAD, details(), "400,1,48,A,,", "900"], 3, "a 400 record without a 300 record before it", 0),
        ([HEAD, day(), "900"], 2, "a 300 record without a usable 200 record before it", 0),
        ([HEAD, details().replace(",30,", ",7,"), day(), "900"], 2, "interval length '7' does not divide a day", 0),
        ([HEAD, details().replace("VABD000163", ""), day(), "900"], 2, "names no NMI", 0),
        ([HEAD, details(), day(), "1234", "900"], 4, "'1234' is no record of this format", 48),
        ([details(), day(), "900"], 1, "a 200 record comes before any 100 record", 48),
        ([HEAD, details(), day()], 3, "ends without a 900 record", 48),
        ([HEAD, "900", details(), day(), "900"], 2, "the file holds no values", 48),
        ([HEAD, details(), day(), "900", day()], 5, "a 300 record follows the 900 record", 48),
        (["100,NEM14,20040501,A,B", details(), day(), "900"], 1, "the header names version 'NEM14'", 48),
    ],
)
def test_a_line_that_does_not_fit_is_told_with_its_number_and_the_rest_is_read(
    tmp_path: Path, lines: list[str], line: int, says: str, rows: int
) -> None:
    found, findings = read(tmp_path, *lines)
    first = findings.problems[0]
    assert (first.line, len(found)) == (line, rows)
    assert says in first.detail


def test_one_broken_day_costs_only_itself(tmp_path: Path) -> None:
    days = [day(date=f"200402{number:02d}", values="1,2" if number == 2 else VALUES) for number in (1, 2, 3)]
    found, findings = read(tmp_path, HEAD, details(), *days, "900")
    assert (len(found), [problem.line for problem in findings.problems]) == (96, [4])


def test_an_accumulating_register_is_its_standing_and_what_was_used_since(tmp_path: Path) -> None:
    line = (
        "250,VABC005890,11,1,11,11,METSER123,E,006342.8,20031005093055,A,,,007654.9,20040107100333,S51,77,,1312.1,kWh,"
        "20040407,20040108100333,20040108091133"
    )
    found, findings = read(tmp_path, "100,NEM13,200401101030,MDA1,Ret1", line, "900")
    assert findings.count == 0
    assert found.meter_number.to_pylist() == ["VABC005890-11"]
    assert found.floats("register_kwh").tolist() == [7654.9]
    assert found.floats("consumption_kwh").tolist() == [1312.1]
    assert found.column("source_quality").to_pylist() == ["S51:77"]
    assert rfc3339(int(found.time_us[0])) == "2004-01-07T00:03:33+00:00"


def test_the_file_names_its_meters(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="names its meters itself"):
        list(nem12.read(tmp_path / "x", Options(meter="M1"), Findings()))


#: Real files that are broken, mostly on purpose: line of the first problem, what is said, readings still taken.
BROKEN = {
    "invalid/Example_NEM12_15min_200_30min_300.csv": (3, "has 48 values, interval length 15 min needs 96", 0),
    "invalid/Example_NEM12_15min_200_30min_400.csv": (3, "they cover intervals 1 to 48", 0),
    "invalid/Example_NEM12_30min_200_15min_300.csv": (3, "has 96 values, interval length 30 min needs 48", 0),
    "invalid/Example_NEM12_30min_200_15min_400.csv": (3, "has 96 values, interval length 30 min needs 48", 0),
    "invalid/Example_NEM12_empty.csv": (2, "the file holds no values", 0),
    "invalid/Example_NEM12_incomplete_interval.csv": (3, "has 0 values, interval length 30 min needs 48", 144),
    "invalid/Example_NEM12_missing_header.csv": (2, "before any 100 record", 96),
    "invalid/Example_NEM12_powercor.csv": (2, "before any 100 record", 192),
    "invalid/Example_NEM12_powercor_missing_fields.csv": (2, "before any 100 record", 192),
    "invalid/Example_empty_file.csv": (1, "does not begin with a 100 record", 0),
    "aemo_scenarios/NEM12_Scenario10_ETSAMDP_NEMMCO.csv": (27, "has 1 values", 336),
    "household_downloads/example-01-vic-jemena-web-22112014.csv": (1, "'NMI' is no record of this format", 0),
    "household_downloads/example-04-vic-ausnetservices-email-17122014-MyPowerPlanner.csv": (1, "'NMI' is no record", 0),
}


def test_every_real_file_is_read_fully_or_told_what_is_wrong_with_it(shared_data: Path) -> None:
    folder, read_fully, readings = shared_data / "nem12", 0, 0
    for file in sorted(folder.rglob("*.csv*")):
        findings = Findings()
        found = ReadingBatch.concat(list(nem12.read(file, Options(), findings)))
        name = str(file.relative_to(folder))
        if name in BROKEN:
            line, says, rows = BROKEN[name]
            assert (findings.problems[0].line, len(found)) == (line, rows), name
            assert says in findings.problems[0].detail, name
        else:
            assert findings.count == 0, (name, findings.problems[:3])
            assert not findings.notes, name
            read_fully, readings = read_fully + 1, readings + len(found)
    assert (read_fully, readings) == (107, 145_347)
