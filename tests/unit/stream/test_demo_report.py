"""The demo's report: figures that add up, and an honest verdict."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stream.demo.options import Options
from stream.demo.report import Outcome, as_json
from stream.demo.snapshot import Latency, Snapshot
from stream.reconcile.account import Account, Reconciliation, RejectAccount


def proof(**account: int) -> Reconciliation:
    return Reconciliation("meters.raw", "life", [Account(0, **account)], RejectAccount())


OUTCOME = Outcome(
    started_at=datetime(2026, 1, 31, tzinfo=UTC),
    final=Snapshot(
        60.0, "done", published=110, alerts=4, latency=Latency(3, 120.0, 250.0, 260.0), first_stored_s=9.876
    ),
    proof=proof(readings=100, rows=90, rejected=4, duplicates=6),
    refused=10,
    ready_s=8.0,
    feed_s=10.0,
    peak_per_s=20.0,
    injected=5,
    interrupted=False,
    restarts=0,
)


def test_the_figures_add_up() -> None:
    report = as_json(OUTCOME, Options(1_000, 7, 60.0), {"python": "3.11"})
    assert report["readings_published"] == 110
    assert report["bridged"] == 100
    assert (report["stored"], report["rejected"], report["duplicates"]) == (90, 14, 6)
    assert report["stored"] + report["rejected"] + report["duplicates"] == report["readings_published"]
    assert report["unaccounted"] == 0
    assert report["sound"] is True
    assert report["readings_per_s"] == 9.0
    assert report["alert_latency_ms"] == {"p50": 120.0, "p99": 250.0, "max": 260.0, "measured": 3}
    assert report["first_stored_s"] == 9.88
    assert report["first_alert_s"] is None
    assert (report["meters"], report["seed"], report["seconds"]) == (1_000, 7, 60.0)
    assert report["versions"] == {"python": "3.11"}


@pytest.mark.parametrize(
    ("change", "unaccounted"),
    [
        pytest.param({"refused": 9}, 1, id="lost between MQTT and Kafka"),
        pytest.param({"proof": proof(readings=100, rows=89, rejected=4, duplicates=6, missing=1)}, 1, id="row missing"),
        pytest.param({"proof": proof(readings=100, rows=90, rejected=4, duplicates=6, altered=1)}, 0, id="row altered"),
        pytest.param({"proof": proof(readings=0, rows=0), "refused": 110}, 0, id="nothing stored"),
        pytest.param({"proof": proof(readings=90, rows=90, pending=1)}, 0, id="not all stored yet"),
    ],
)
def test_what_is_not_good_is_not_called_good(change: dict[str, object], unaccounted: int) -> None:
    outcome = replace(OUTCOME, **change)  # type: ignore[arg-type]
    assert outcome.unaccounted == unaccounted
    assert not outcome.good


def test_a_message_that_came_twice_is_not_lost() -> None:
    outcome = replace(OUTCOME, proof=proof(readings=105, rows=90, rejected=4, duplicates=11))
    assert outcome.lost_before_kafka == 0
    assert outcome.good
