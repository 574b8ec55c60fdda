"""Waits that are over at once."""

import pytest

from stream.backoff import Backoff


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.worker.deliver.Backoff", lambda: Backoff(first_s=1e-4, ceiling_s=1e-3))
