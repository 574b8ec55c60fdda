"""`meterstream grid loading|balance|conditions`: tables for people, lines of JSON for programs."""

import json
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from schemas.grid_physics import GridCondition, TransformerBalance, TransformerLoad
from stream.cli import grid_physics as commands
from stream.cli import main

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOAD = TransformerLoad(
    transformer="T1",
    region="north",
    rating_kva=400,
    peak_kva=436.2,
    peak_at=NOON,
    peak_loading=1.0905,
    mean_loading=0.51,
    hours_over=2.25,
    quarters=96,
    measured_by="own_meter",
    power_factor_by="reactive_energy",
)
UNRATED = LOAD.model_copy(update={"rating_kva": None, "peak_loading": None, "mean_loading": None, "hours_over": None})
BALANCE = TransformerBalance(
    transformer="T1",
    day=None,
    customers=42,
    hours=168,
    complete_hours=160,
    own_kwh=5_120.5,
    customers_kwh=4_000.25,
    lost_kwh=1_120.25,
    expected_loss_kwh=96.1,
    residual_kwh=1_024.15,
    residual_share=0.2,
    estimated=0.004,
)
CONDITION = GridCondition(
    condition_id=3,
    kind="unaccounted_energy",
    element="transformer/T1",
    started_at=NOON,
    ended_at=None,
    severity="warning",
    measured=146.3,
    expected=0,
    uncertainty=8.1,
    unit="kWh a day",
    suspect="meter/M7",
    confidence=0.97,
    detail="146.3 kWh a day are in no meter",
    found_at=NOON,
    revision=2,
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the database was asked for; it answers with what `found` holds."""
    said: dict[str, Any] = {"found": []}

    def answer(*args: Any, **named: Any) -> list[Any]:
        said["args"], said["named"] = args, named
        return list(said["found"])

    for name in ("loads", "balances", "conditions"):
        monkeypatch.setattr(commands, name, answer)
    monkeypatch.setattr(commands, "resolve", lambda *_, **__: SimpleNamespace(database_url="postgresql://nowhere"))
    return said


def run(*words: str) -> str:
    done = CliRunner(env={"COLUMNS": "250"}).invoke(main, ["grid", *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_loading_shows_rating_peak_and_what_they_are_from(asked: dict[str, Any]) -> None:
    asked["found"] = [LOAD, UNRATED]
    rated, unrated = run("loading", "--until", "2026-03-02T00:00:00Z").splitlines()[1:]
    assert rated.split() == ["T1", "north", "400", "436.2", "109%", "2026-03-01", "12:00", "51%", "2.25", "own_meter",
                             "reactive_energy"]  # fmt: skip
    assert unrated.split()[2:5] == ["-", "436.2", "-"]
    _, since, until, region, limit = asked["args"]
    assert (until - since, region, limit) == (timedelta(days=1), None, 20)


def test_a_balance_is_told_of_the_week_or_of_the_days_of_one_transformer(asked: dict[str, Any]) -> None:
    asked["found"] = [BALANCE]
    assert "160 of 168" in run("balance")
    assert asked["args"][2] - asked["args"][1] == timedelta(days=7)
    asked["found"] = [BALANCE.model_copy(update={"day": date(2026, 3, 1)})]
    line = run("balance", "T1", "--since", "2026-02-01T00:00:00Z").splitlines()[1]
    assert line.split()[:3] == ["T1", "2026-03-01", "42"]
    assert line.split()[-2:] == ["20.0%", "0.4%"]
    assert asked["args"][-1] == "T1"


def test_conditions_say_what_how_sure_and_whether_it_lasts(asked: dict[str, Any]) -> None:
    asked["found"] = [CONDITION, CONDITION.model_copy(update={"ended_at": NOON, "suspect": None})]
    lasting, over = run("conditions", "--kind", "unaccounted_energy", "--open").splitlines()[1:]
    assert lasting.rstrip().endswith("are in no meter (97% sure)")
    assert " - " in lasting
    assert over.rstrip().endswith("are in no meter")
    assert asked["named"] == {"standing": True}


@pytest.mark.parametrize(("command", "model"), [("loading", LOAD), ("balance", BALANCE), ("conditions", CONDITION)])
def test_json_is_one_object_a_line(command: str, model: Any, asked: dict[str, Any]) -> None:
    asked["found"] = [model, model]
    lines = run(command, "--json").splitlines()
    assert [json.loads(line) for line in lines] == [model.model_dump(mode="json")] * 2
    asked["found"] = []
    assert run(command, "--json") == ""


@pytest.mark.parametrize(("command", "says"), [("loading", "nothing is known"), ("balance", "class `transformer`"),
                                               ("conditions", "no conditions")])  # fmt: skip
def test_nothing_is_said_in_words(command: str, says: str, asked: dict[str, Any]) -> None:
    assert says in run(command)
