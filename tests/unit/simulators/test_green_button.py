"""Green Button: units, directions, qualities, and XML that breaks off or is none."""

from pathlib import Path

import pytest

from schemas.readings import ReadingBatch
from simulators.replay import green_button
from simulators.replay.recording import Findings, NotThisFormat, Options
from tests.builders import START_US, rfc3339

POINT = "/RetailCustomer/9/UsagePoint/UP1"
START_S = START_US // 1_000_000


def reading(start: object = START_S, value: object = 250, quality: str = "") -> str:
    said = f"<ReadingQuality><quality>{quality}</quality></ReadingQuality>" if quality else ""
    period = f"<timePeriod><duration>900</duration><start>{start}</start></timePeriod>"
    return f"<IntervalReading>{said}{period}<value>{value}</value></IntervalReading>\n"


def feed(*readings: str, uom: str = "72", flow: str = "1", power: str = "0") -> str:
    def entry(own: str, related: str, content: str) -> str:
        links = f'<link rel="self" href="{own}"/>' + (f'<link rel="related" href="{related}"/>' if related else "")
        return f"<entry>{links}<content>{content}</content></entry>\n"

    kind = f"<uom>{uom}</uom><flowDirection>{flow}</flowDirection><powerOfTenMultiplier>{power}</powerOfTenMultiplier>"
    espi = 'xmlns="http://naesb.org/espi"'
    return (
        '<?xml version="1.0"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        + entry(f"{POINT}/MeterReading/01", "/ReadingType/7", f"<MeterReading {espi}/>")
        + entry("/ReadingType/7", "", f"<ReadingType {espi}>{kind}</ReadingType>")
        + entry(
            f"{POINT}/MeterReading/01/IntervalBlock/1",
            "",
            f"<IntervalBlock {espi}>\n{''.join(readings)}</IntervalBlock>",
        )
        + "</feed>\n"
    )


def read(path: Path, text: str, meter: str | None = None) -> tuple[ReadingBatch, Findings]:
    file, findings = path / "usage.xml", Findings()
    file.write_text(text)
    return ReadingBatch.concat(list(green_button.read(file, Options(meter), findings))), findings


def test_an_interval_is_a_reading_at_its_end_in_our_units(tmp_path: Path) -> None:
    found, findings = read(tmp_path, feed(reading()))
    assert findings.count == 0
    assert found.meter_number.to_pylist() == ["UP1-01"]
    assert rfc3339(int(found.time_us[0])) == "2024-01-01T00:15:00+00:00"
    assert found.floats("consumption_kwh").tolist() == [0.25]
    assert read(tmp_path, feed(reading()), "HOUSE")[0].meter_number.to_pylist() == ["HOUSE"]


@pytest.mark.parametrize(
    ("uom", "flow", "power", "measure", "value"),
    [
        ("72", "1", "3", "consumption_kwh", 250.0),
        ("72", "19", "0", "export_kwh", 0.25),
        ("73", "1", "0", "reactive_kvarh", 0.25),
        ("38", "1", "0", "demand_kw", 0.25),
        ("29", "0", "-1", "voltage", 25.0),
    ],
)
def test_the_reading_type_says_what_a_value_is(
    tmp_path: Path, uom: str, flow: str, power: str, measure: str, value: float
) -> None:
    found, _ = read(tmp_path, feed(reading(), uom=uom, flow=flow, power=power))
    assert found.floats(measure).tolist() == pytest.approx([value])


@pytest.mark.parametrize(
    ("quality", "said"), [("", None), ("0", None), ("8", "S14"), ("9", "S17"), ("12", "E"), ("7", "F")]
)
def test_qualities_become_those_of_nem12(tmp_path: Path, quality: str, said: str | None) -> None:
    found, _ = read(tmp_path, feed(reading(quality=quality)))
    assert found.column("source_quality").to_pylist() == [said]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (reading(value="much"), "are whole numbers"),
        (reading().replace("<value>250</value>", ""), "lacks its value"),
        (reading(start=-5_000_000_000), "which is no time"),
    ],
)
def test_one_broken_reading_costs_only_itself_and_is_told_with_its_line(tmp_path: Path, broken: str, says: str) -> None:
    found, findings = read(tmp_path, feed(reading(), broken, reading(START_S + 900)))
    assert len(found) == 2
    assert [problem.line for problem in findings.problems] == [7]
    assert says in findings.problems[0].detail


def test_what_comes_before_a_break_still_counts(tmp_path: Path) -> None:
    text = feed(reading(), reading(START_S + 900))
    found, findings = read(tmp_path, text[: text.rindex("<IntervalReading>") + 30])
    assert len(found) == 1
    assert "the XML breaks off here" in findings.problems[0].detail


def test_values_of_a_unit_that_nobody_knows_or_names_are_left_out_aloud(tmp_path: Path) -> None:
    found, findings = read(tmp_path, feed(reading(), uom="119"))
    assert (len(found), findings.count) == (0, 0)
    assert "unit '119' are left out" in findings.notes[0]
    found, findings = read(tmp_path, feed(reading()).replace("/ReadingType/7", "/ReadingType/8", 1))
    assert len(found) == 0
    assert "no reading type says" in findings.problems[0].detail


@pytest.mark.parametrize("text", ["<html></html>", '<!DOCTYPE feed [<!ENTITY a "b">]><feed/>', "<feed>" + "<a>" * 100])
def test_what_is_no_feed_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotThisFormat):
        read(tmp_path, text)


def test_real_files_are_read_fully(shared_data: Path) -> None:
    for name, count in (("test_usage_data.xml", 1_340), ("test_usage_data_2.xml", 860)):
        findings = Findings()
        batches = list(green_button.read(shared_data / "green_button" / name, Options(), findings))
        assert (sum(map(len, batches)), findings.count, findings.notes) == (count, 0, [])
