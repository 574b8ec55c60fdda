"""Any CSV by a mapping file: what it may say, and what each mistake is answered with."""

from pathlib import Path

import pytest

from schemas.errors import ConfigurationError, MissingColumns
from schemas.readings import ReadingBatch
from simulators.replay import mapped_csv
from simulators.replay.recording import Findings, Options
from tests.builders import rfc3339

MAPPING = """
delimiter = ";"
absent = ["?"]
interval_s = 1800
[meter]
column = "id"
prefix = "L-"
[time]
columns = ["Date", "Time"]
format = "%d/%m/%Y %H:%M"
zone = "Europe/London"
stamp = "start"
[fields.consumption_kwh]
column = "Wh"
scale = 0.001
[fields.phase]
column = "ph"
"""
ROWS = "id;Date;Time;Wh;ph\nA;01/07/2024;00:30;250;L1\nB;1/7/2024;01:00;?;\n"


def read(
    path: Path, mapping: str = MAPPING, rows: str = ROWS, meter: str | None = None
) -> tuple[ReadingBatch, Findings]:
    (path / "map.toml").write_text(mapping)
    (path / "rows.csv").write_text(rows)
    findings = Findings()
    options = Options(meter, mapping=path / "map.toml")
    return ReadingBatch.concat(list(mapped_csv.read(path / "rows.csv", options, findings))), findings


def test_a_mapping_says_what_columns_are(tmp_path: Path) -> None:
    found, findings = read(tmp_path)
    assert findings.count == 0
    assert found.meter_number.to_pylist() == ["L-A", "L-B"]
    assert [rfc3339(at) for at in found.time_us.tolist()] == ["2024-07-01T00:00:00+00:00", "2024-07-01T00:30:00+00:00"]
    assert found.column("consumption_kwh").to_pylist() == [0.25, None]
    assert found.column("phase").to_pylist() == ["L1", None]


def test_a_date_alone_is_its_midnight_and_rfc_3339_needs_no_zone(tmp_path: Path) -> None:
    plain = '[time]\ncolumns = ["t"]\nformat = "{}"\n[fields.voltage]\ncolumn = "v"\n'
    found, _ = read(tmp_path, plain.format("%Y-%m-%d"), "t,v\n2024-02-29,230\n", "M1")
    assert rfc3339(int(found.time_us[0])) == "2024-02-29T00:00:00+00:00"
    found, _ = read(tmp_path, plain.format("rfc3339"), "t,v\n2024-02-29T01:00:00+01:00,230\n", "M1")
    assert rfc3339(int(found.time_us[0])) == "2024-02-29T00:00:00+00:00"


def test_a_line_that_does_not_fit_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    found, findings = read(
        tmp_path, rows=ROWS + "C;31/06/2024;00:00;1;\nD;01/07/2024;00:00;x;\nE;01/07/2024;02:00;7;\n"
    )
    assert found.meter_number.to_pylist() == ["L-A", "L-B", "L-E"]
    assert [problem.line for problem in findings.problems] == [4, 5]
    assert "is not a date and time" in findings.problems[0].detail
    assert "Wh is not a number: 'x'" in findings.problems[1].detail


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[time]", "[tine]", "time: Field required|tine: Extra inputs"),
        ("absent =", "absend =", "absend: Extra inputs"),
        ("consumption_kwh", "consumption", r"fields\.consumption: a reading has no such field"),
        ("interval_s = 1800\n", "", "interval_s: needed where stamp"),
        ("%d/%m/%Y", "%d/%b/%Y", "lacks \\['%m'\\] or has the unknown \\['%b'\\]"),
    ],
)
def test_a_mistake_in_a_mapping_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        read(tmp_path, MAPPING.replace(old, new, 1))


def test_a_file_needs_a_mapping_its_columns_and_somebody_who_names_the_meter(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="needs a mapping file"):
        list(mapped_csv.read(tmp_path / "x.csv", Options(), Findings()))
    with pytest.raises(MissingColumns):
        read(tmp_path, rows="id;Date;Time\n")
    with pytest.raises(ConfigurationError, match="nothing names the meter"):
        read(tmp_path, MAPPING.replace('column = "id"\n', ""))
