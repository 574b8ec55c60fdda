"""`meterstream models train-market`: from simulated markets to a model that serves; what is missing is named."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models.registry import Registry
from schemas.markets import Markets
from stream.cli import main
from stream.markets import load_markets


@pytest.fixture(autouse=True)
def _registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERSTREAM_MODELS__DIR", str(tmp_path / "models"))


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["models", "train-market", *words])


def test_simulated_markets_train_a_model_that_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_markets()
    monkeypatch.setattr(
        "stream.cli.models_market.load_markets", lambda _: Markets({"aemo_nem": found.named("aemo_nem")})
    )
    done = run("--simulate", "3d", "--version", "v1", "--trees", "5", "--promote")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("trained market/v1 on ")
    registry = Registry(tmp_path / "models")
    assert registry.serving("market").champion == "v1"
    assert registry.load_ticks("market", "v1").manifest.data.source.startswith("simulation: ")


@pytest.mark.parametrize("words", [(), ("--simulate", "1d", "--stored", "1d")])
def test_ticks_come_from_one_place(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.exit_code == 1
    assert "name one of these" in done.stderr


def test_a_file_needs_its_format(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("")
    done = run(str(tmp_path / "prices.csv"))
    assert done.exit_code == 1
    assert "--format" in done.stderr
