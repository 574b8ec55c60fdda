"""Conditions of the grid in a real database: opened, restated, ended, withdrawn, and told once."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest

from processors.conditions import Condition
from schemas.alerts import Alert, AlertKind, Severity
from sinks.grid_conditions import restate

pytestmark = pytest.mark.integration

_KIND = AlertKind.TRANSFORMER_OVERLOAD
_FOUND = Condition(
    _KIND, "transformer/T1", 10_000, 0, Severity.INFO, 1.1, 1.0, "of rating", "carries 1.1 of its rating"
)


async def looked(url: str, found: list[Condition], since_s: int = 5_000, mark_s: int = 20_000) -> list[Alert]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return await restate(connection, [_KIND], found, since_s, mark_s, gone_s=since_s)


def kept(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT extract(epoch FROM started_at)::int, extract(epoch FROM ended_at)::int, severity, revision, "
            "withdrawn FROM grid_conditions ORDER BY condition_id"
        ).fetchall()


async def test_a_condition_is_told_when_it_begins_and_when_it_becomes_worse(url: str) -> None:
    (sign,) = await looked(url, [_FOUND])
    assert (sign.element, sign.severity, sign.message) == (
        "transformer/T1", "info", "transformer T1: carries 1.1 of its rating",
    )  # fmt: skip
    assert await looked(url, [_FOUND]) == []
    assert kept(url) == [(10_000, None, "info", 0, False)]
    (worse,) = await looked(url, [replace(_FOUND, severity=Severity.CRITICAL)], mark_s=30_000)
    assert worse.occurred_at.timestamp() == 30_000
    assert await looked(url, [replace(_FOUND, severity=Severity.CRITICAL, ended_s=40_000)], mark_s=50_000) == []
    assert kept(url) == [(10_000, 40_000, "critical", 2, False)]


async def test_what_is_no_longer_found_was_nothing_or_is_over(url: str) -> None:
    await looked(url, [_FOUND, replace(_FOUND, started_s=1_000, ended_s=6_000)])
    assert kept(url) == [(10_000, None, "info", 0, False), (1_000, 6_000, "info", 0, False)]
    await looked(url, [], since_s=5_000)
    assert kept(url) == [(10_000, None, "info", 1, True), (1_000, 6_000, "info", 0, False)]
    await looked(url, [replace(_FOUND, started_s=7_000)])
    await looked(url, [], since_s=8_000)
    assert kept(url)[-1] == (7_000, 8_000, "info", 1, False)


async def test_what_began_before_the_span_keeps_its_beginning(url: str) -> None:
    await looked(url, [_FOUND])
    await looked(url, [replace(_FOUND, started_s=15_000)], since_s=15_000)
    assert kept(url) == [(10_000, None, "info", 0, False)]
