"""When a worker should end itself, and when it should not."""

from dataclasses import replace

import pytest

from stream.worker.watch import Look, Watch

FINE = Look(now_s=100.0, ready=True, lag=0, moved_at_s=100.0, recovered=0, waiting_for={})


@pytest.fixture
def watch() -> Watch:
    watch = Watch(session_timeout_s=12.0, stall_timeout_s=60.0, unready_timeout_s=60.0)
    assert watch.verdict(FINE) is None
    return watch


def after(look: Look, seconds: float, **changes: object) -> Look:
    return replace(look, now_s=look.now_s + seconds, **changes)  # type: ignore[arg-type]


def test_an_idle_worker_goes_on(watch: Watch) -> None:
    assert all(watch.verdict(after(FINE, second)) is None for second in range(1, 500))


def test_a_worker_that_slept_longer_than_its_session_ends(watch: Watch) -> None:
    assert watch.verdict(after(FINE, 12.0)) is None
    assert "did not run" in (watch.verdict(after(FINE, 24.1)) or "")


def test_lag_without_movement_ends_it(watch: Watch) -> None:
    verdicts = [watch.verdict(after(FINE, second, lag=5)) for second in range(1, 62)]
    assert verdicts[:60] == [None] * 60
    assert "5 records wait" in (verdicts[60] or "")


def test_a_service_that_is_away_is_waited_for(watch: Watch) -> None:
    away = {"database": "gone"}
    assert all(watch.verdict(after(FINE, second, lag=5, waiting_for=away)) is None for second in range(1, 500))


def test_waiting_for_partitions_ends_it_unless_state_keeps_coming(watch: Watch) -> None:
    looks = [after(FINE, second, ready=False, recovered=second) for second in range(1, 300)]
    assert all(watch.verdict(look) is None for look in looks)
    stuck = [watch.verdict(after(looks[-1], second)) for second in range(1, 62)]
    assert stuck[:60] == [None] * 60
    assert "partitions" in (stuck[60] or "")


def test_a_worker_that_has_failed_and_does_not_end_is_ended(watch: Watch) -> None:
    """Its shutdown waits for Kafka; that Kafka is away must not keep it from beginning anew."""
    failed = {"failed": True, "waiting_for": {"kafka": "gone"}}
    verdicts = [watch.verdict(after(FINE, second, **failed)) for second in range(1, 8)]
    assert verdicts[:6] == [None] * 6
    assert "failed 6 s ago" in (verdicts[6] or "")
