"""What operators do to alerts: each act is one transaction, so that of two at once one is told who was first."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

from processors.lifecycle import changes
from processors.lifecycle.advance import Turn
from processors.lifecycle.changes import NotPossible
from processors.lifecycle.silences import Silence
from schemas.alert_events import AlertNews, AlertState, Status
from sinks.alert_ledger import AlertLedger, Page

#: A shorter beginning of an id is a slip of the hand.
_LEAST_PREFIX = 4


def find(database_url: str, given: str) -> AlertState:
    """Return the alert of an id, or of the beginning of one.

    Raises:
        NotPossible: there is none, or more than one.
    """

    async def look() -> AlertState:
        async with _page(database_url) as page:
            return await _one(page, given)

    return asyncio.run(look())


def acknowledge(database_url: str, given: str, by: str, now: datetime, note: str) -> AlertState:
    """Take an alert on, and with it what is a part of it and not taken on.

    Raises:
        NotPossible: there is no such alert, it is over, or somebody has it.
    """
    change = partial(changes.acknowledge, by=by, now=now, note=note)
    return _change(database_url, given, now, change, lambda child: child.status is Status.OPEN)


def resolve(database_url: str, given: str, by: str, now: datetime, note: str) -> AlertState:
    """Say that an alert is over, and with it what is a part of it.

    Raises:
        NotPossible: there is no such alert, or it is over.
    """
    return _change(database_url, given, now, partial(changes.resolve, by=by, now=now, note=note), lambda _: True)


def _change(
    database_url: str,
    given: str,
    now: datetime,
    change: Callable[[AlertState], AlertNews],
    concerns: Callable[[AlertState], bool],
) -> AlertState:
    """Change an alert, and those of its parts that this concerns, in one transaction; return what it is then."""

    async def act() -> AlertState:
        async with _page(database_url) as page:
            alert, turn = await _one(page, given), Turn()
            turn.note(change(alert))
            for child in filter(concerns, await _below(page, alert)):
                turn.note(change(child))
            await page.keep(turn, now)
            await page.tell()
            return turn.current(alert)

    return asyncio.run(act())


def silence(database_url: str, wanted: Silence) -> int:
    """Keep a silence, which the desk heeds within a second or two; return its number."""

    async def act() -> int:
        async with _page(database_url) as page:
            number = await page.add_silence(wanted)
            await page.tell()
            return number

    return asyncio.run(act())


def silences(database_url: str, now: datetime) -> list[Silence]:
    """Return the silences that hold or will."""

    async def look() -> list[Silence]:
        async with _page(database_url) as page:
            return await page.silences(now)

    return asyncio.run(look())


def unsilence(database_url: str, number: int, by: str, now: datetime) -> None:
    """Take a silence back.

    Raises:
        NotPossible: there is none of this number, or somebody has.
    """

    async def act() -> None:
        async with _page(database_url) as page:
            if not await page.withdraw_silence(number, by, now):
                raise NotPossible(f"there is no silence {number}: `meterstream alerts silences` shows those that are")
            await page.tell()

    asyncio.run(act())


@asynccontextmanager
async def _page(database_url: str) -> AsyncIterator[Page]:
    ledger = AlertLedger(database_url)
    try:
        async with ledger.page() as page:
            yield page
    finally:
        await ledger.close()


async def _one(page: Page, given: str) -> AlertState:
    if len(given) < _LEAST_PREFIX:
        raise NotPossible(f"{given!r} is too short: give at least {_LEAST_PREFIX} letters of an alert's id")
    found = await page.find(given)
    if not found:
        raise NotPossible(f"there is no alert {given}: `meterstream alerts list` shows those that are")
    if len(found) > 1:
        raise NotPossible(f"more than one alert begins with {given}: give more of its id")
    return found[0]


async def _below(page: Page, alert: AlertState) -> list[AlertState]:
    """Return all that is a part of an alert, and of its parts."""
    children = await page.children(alert.alert_id)
    below = list(children)
    for child in children:
        if child.children:
            below += await _below(page, child)
    return below
