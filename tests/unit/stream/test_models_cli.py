import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from stream.cli import main
from tests.trained import readings


@pytest.fixture(autouse=True)
def _registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERSTREAM_MODELS__DIR", str(tmp_path / "models"))


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    path = tmp_path / "readings.parquet"
    # As a stranger would write it: other order of rows and columns, other types.
    table = pa.Table.from_batches([readings().records]).select(
        ["voltage", "meter_number", "reading_time", "consumption_kwh"]
    )
    table = table.set_column(0, "voltage", table["voltage"].cast(pa.float32()))
    pq.write_table(table.take(list(range(len(table) - 1, -1, -1))), path)
    return path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["models", *words])


def train(parquet: Path, version: str, *more: str) -> Result:
    return run("train", str(parquet), "--version", version, "--trees", "5", *more)


def test_a_model_is_trained_from_a_file_listed_shown_promoted_and_rolled_back(parquet: Path) -> None:
    trained = train(parquet, "v1", "--holidays", "AU", "--promote", "--json")
    assert trained.exit_code == 0, trained.output
    manifest = json.loads(trained.stdout)
    assert (manifest["version"], manifest["data"]["source"], manifest["parameters"]["trees"]) == (
        "v1",
        "readings.parquet",
        5,
    )
    assert manifest["data"]["meters"] == 8
    assert train(parquet, "v2").exit_code == 0
    rows = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert [(row["version"], row["champion"]) for row in rows] == [("v1", True), ("v2", False)]
    assert json.loads(run("show", "v2").stdout)["kind"] == "isolation_forest"
    assert run("promote", "v2").output == "forest/v2 serves\n"
    assert run("rollback").output == "forest/v1 serves again\n"
    assert run("shadow", "v2").output == "forest/v2 runs in the shadow\n"
    assert [json.loads(line)["shadow"] for line in run("list", "--json").stdout.splitlines()] == [False, True]
    assert "shadow" in run("list").output
    assert run("shadow", "--none").output == "nothing runs beside the champion of forest\n"
    assert "there is nothing to compare it with" in run("shadow", "v1").output
    assert "champion" in run("list").output


def test_a_model_is_trained_from_a_simulation() -> None:
    done = run("train", "--simulate", "8d", "--meters", "5", "--trees", "5", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["data"]["source"].startswith("simulation: 5 meters")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("train",), "name one of these"),
        (("promote", "v9"), "manifest cannot be read"),
        (("show", "v9"), "manifest cannot be read"),
        (("rollback",), "no champion before"),
        (("train", "--stored", "7d", "--simulate", "8d"), "name one of these"),
        (("shadow",), "either a VERSION or --none"),
        (("shadow", "v9"), "manifest cannot be read"),
        (("train", "--simulate", "8d", "--meters", "1", "--holidays", "XX"), "no holidays are known of 'XX'"),
    ],
)
def test_what_cannot_be_done_is_said_with_exit_code_1(words: tuple[str, ...], says: str) -> None:
    done = run(*words)
    assert done.exit_code == 1
    assert says in done.output


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.parquet"
    path.write_text("no")
    done = run("train", str(path))
    assert done.exit_code == 1
    assert "no Parquet file that can be read" in done.output


def test_a_broken_version_is_listed_with_its_reason(parquet: Path, tmp_path: Path) -> None:
    train(parquet, "v1")
    (tmp_path / "models" / "forest" / "v1" / "manifest.json").write_text("{}")
    assert "manifest is damaged" in json.loads(run("list", "--json").stdout)["refused"]
