"""Fixtures that every kind of test may use."""

from pathlib import Path

import pytest
from hypothesis import settings

# `make check` looks quickly, `make test` looks hard; a busy machine is no failure.
settings.register_profile("quick", max_examples=20, deadline=None)
settings.register_profile("thorough", max_examples=100, deadline=None)
settings.load_profile("thorough")

_SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the checkout; without it the test is skipped."""
    if not _SHARED_DATA.is_dir():
        pytest.skip("the real data sets are not here: ../shared/data beside the checkout")
    return _SHARED_DATA
