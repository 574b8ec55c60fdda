import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream.cli import main
from stream.training.labelled import simulated


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["models", "evaluate", *words])


def test_the_engine_and_a_baseline_are_measured_on_simulated_faults(tmp_path: Path) -> None:
    detectors = ["--detector", "meterstream", "--detector", "rolling z-score"]
    done = run("--set", "simulator", "--meters", "20", *detectors, "--json", "--report", str(tmp_path / "report"))
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    ours, other = (one["sets"]["simulator"] for one in found["detectors"])
    assert ours["anomalies"] == other["anomalies"] > 5
    assert ours["event_f1"] > other["event_f1"]
    page = (tmp_path / "report" / "report.md").read_text()
    assert "| meterstream |" in page


@pytest.mark.parametrize(
    ("words", "says"),
    [(("--set", "nothing"), "nothing to evaluate on"), (("--detector", "oracle"), "unknown detectors ['oracle']")],
)
def test_what_cannot_be_done_is_said_with_exit_code_1(words: tuple[str, ...], says: str) -> None:
    done = run("--meters", "20", *words)
    assert done.exit_code == 1
    assert says in done.output


def test_simulated_series_are_labelled_and_the_same_every_time() -> None:
    first, again = (list(simulated("simulator", 20, 5)) for _ in range(2))
    assert [one.name for one in first] == [one.name for one in again]
    assert sum(len(one.windows) for one in first) > 5
    assert all(
        (one.values == other.values)[~(one.values != one.values)].all() for one, other in zip(first, again, strict=True)
    )
    assert all((one.windows[1:, 0] > one.windows[:-1, 1]).all() for one in first)
