"""`meterstream registry import --dry-run`: what is wrong with a file, without any server."""

import json
from pathlib import Path

from click.testing import CliRunner

from stream.cli.registry import registry


def run(path: Path, text: str, *options: str) -> tuple[int, str]:
    path.write_text(text)
    answer = CliRunner().invoke(registry, ["import", str(path), "--dry-run", *options])
    return answer.exit_code, answer.output


def test_a_good_file_is_counted_and_nothing_is_published(tmp_path: Path) -> None:
    code, said = run(tmp_path / "m.csv", "meter_number,transformer\nM1,T1\nM2,\n")
    assert code == 0
    assert "2 entries read, 0 published, 0 problems" in said
    assert "1 meters have no transformer" in said


def test_problems_are_told_with_their_lines_and_the_exit_code_says_so(tmp_path: Path) -> None:
    code, said = run(tmp_path / "m.csv", "meter_number,class\nM1,*\n" + "M2,x\n" * 30)
    assert code == 1
    assert "m.csv, line 2: class: String should match pattern" in said
    assert "m.csv, line 4: meter M2 is in line 3 already" in said
    assert "and 10 more" in said


def test_as_json_every_problem_is_there(tmp_path: Path) -> None:
    code, said = run(tmp_path / "m.csv", "meter_number\n" + "M2\n" * 30, "--json")
    found = json.loads(said)
    assert (code, found["entries"], found["published"], len(found["problems"])) == (1, 30, 0, 29)
