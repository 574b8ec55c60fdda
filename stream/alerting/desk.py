"""The alert desk: takes signs, ends what is over, tells Kafka; each step is whole or did not happen.

1. Signs are taken, and what they change is kept, in one transaction. One that was taken is never taken again.
2. What was kept is routed to the notices of channels, in another; couriers deliver these (`stream.alerting.courier`).
3. What was kept and not yet published goes to `alerts` and `alerts.state`; only Kafka's word makes it published.

A crash in between repeats what came after with the same ids, so that nothing is lost and a repeat can be recognised.
"""

import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

import numpy as np

from processors.judging import Judging
from processors.lifecycle import changes
from processors.lifecycle.advance import Turn, silence_all, take_all
from processors.lifecycle.changes import key_of
from processors.lifecycle.grouping import crowded, group
from processors.lifecycle.rules import AlertRules
from processors.routing import BEGINS, ENDS, channels_of, escalation_s
from schemas.alert_events import CLOUD_EVENT, AlertEvent, AlertState, Change, Status
from schemas.alerts import Alert
from schemas.layout import Floats
from schemas.topics import ALERTS, ALERTS_STATE
from sinks.alert_ledger import AlertLedger, Head, Page
from sinks.alert_outbox import AlertOutbox, Told
from sinks.notifications import Notifications, Wish
from stream.alerting.routes import Routing
from stream.worker.producer import KafkaProducer, Outgoing

#: Signs taken in one transaction, and alerts looked at in one: few, since new signs wait for it.
_SIGNS_AT_ONCE, _LOOK_AT_ONCE = 2_000, 500
#: How long the number of meters below an element is believed [s].
_COUNT_AGAIN_S = 60.0


class Desk:
    """Moves alerts through their lives.

    Args:
        ledger: where they are kept.
        outbox: what Kafka does not have yet.
        producer: how it gets there.
        rules: what decides.
        notices: what channels are to be told.
        routing: who is to be told of what.
        following: channels that want to know of acknowledgements.
        judging: scores from which something is unusual, and critical.
        clock: the time now, in UTC.
    """

    def __init__(
        self,
        ledger: AlertLedger,
        outbox: AlertOutbox,
        producer: KafkaProducer,
        rules: AlertRules,
        notices: Notifications,
        routing: Routing,
        following: Collection[str],
        judging: Judging,
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._producer = producer
        self._rules = rules
        self._notices = notices
        self._routing = routing
        self._following = following
        self._judging = judging
        self._clock = clock
        self._looked_to = ""
        self._untold = list[datetime]()
        self._meters: dict[str, tuple[float, int]] = {}
        self._needed: dict[str, int] = {kind: own.calm_readings for kind, own in rules.kind.items()}

    async def take_signs(self) -> int:
        """Let some new signs change alerts; return how many there were."""
        async with self._ledger.page() as page:
            signs = await page.take_signs(_SIGNS_AT_ONCE)
            if signs:
                turn, now = Turn(), self._clock()
                await self._take(page, turn, signs)
                silence_all(turn, turn.changed, await page.silences(now), now)
                await page.keep(turn, now)
        self._untold += [sign.arrived_at for sign in signs]
        return len(signs)

    @property
    def looking(self) -> bool:
        """Whether a round over all that stands has begun and not ended."""
        return self._looked_to != ""

    async def look(self) -> int:
        """End what is over and heed silences, for some of the alerts that stand; return how many changes that made.

        A look goes on where the one before has ended; with the last one of a round groups end, too.
        """
        now, turn = self._clock(), Turn()
        async with self._ledger.page() as page:
            standing = await page.standing(self._looked_to, _LOOK_AT_ONCE)
            await self._settle(page, turn, standing, now)
            silence_all(turn, [turn.current(state) for state in standing], await page.silences(now), now)
            await page.keep(turn, now)
            ends = len(standing) < _LOOK_AT_ONCE
            count = len(turn.news) + (await self._settle_groups(page, now) if ends else 0)
        self._looked_to = "" if ends else standing[-1].alert_id
        return count

    async def route(self) -> int:
        """Decide which channels are to be told of what was kept; return how many changes were looked at."""
        now, count = self._clock(), 0
        oldest = now - timedelta(seconds=self._routing.not_older_s)
        async with self._notices.routing(_SIGNS_AT_ONCE) as (events, wishes):
            count = len(events)
            for event in events:
                if event.time < oldest:
                    continue
                wait_s = self._routing.wait_s if event.data.change in BEGINS else 0.0
                wishes += [
                    Wish(event, channel, event.time + timedelta(seconds=wait_s))
                    for channel in self._told(event, now)
                    if event.data.change is not Change.ACKNOWLEDGED or channel in self._following
                ]
        return count

    def _told(self, event: AlertEvent, now: datetime) -> list[str]:
        """Return whom a change concerns; its end concerns those who stood in for a channel, too."""
        channels = channels_of(event, self._routing.route, now)
        return self._routing.with_next(channels) if event.data.change in ENDS else channels

    async def escalate(self) -> int:
        """Bring alerts that nobody has acknowledged in time before the next in line; return how many."""
        escalating = [route for route in self._routing.route if route.escalate_after_s is not None]
        if not escalating:
            return 0
        now, turn = self._clock(), Turn()
        severities = sorted({severity for route in escalating for severity in route.severity})
        soonest = timedelta(seconds=min(route.escalate_after_s or 0.0 for route in escalating))
        told = await self._notices.unacknowledged(severities, now - soonest)
        if not told:
            return 0
        async with self._ledger.page() as page:
            for state in await page.with_ids(told):
                after_s = escalation_s(state, self._routing.route, now)
                still = state.status is Status.OPEN and state.escalation == 0
                if still and after_s is not None and now - told[state.alert_id] >= timedelta(seconds=after_s):
                    turn.note(changes.escalate(state))
            await page.keep(turn, now)
        return len(turn.news)

    async def publish(self) -> int:
        """Bring what was kept to Kafka; return how many changes."""
        count = 0
        while found := await self._outbox.hand_on(self._send):
            count += found
        return count

    def lateness_s(self) -> Floats:
        """Return how old the readings of new signs are, each sign once; after `publish` all they changed is in Kafka.

        Returns: float64[n], age since the arrival of each sign's reading [s].
        """
        untold, self._untold = self._untold, []
        return np.array([(self._clock() - arrived_at).total_seconds() for arrived_at in untold], dtype=np.float64)

    async def _settle(self, page: Page, turn: Turn, standing: Iterable[AlertState], now: datetime) -> None:
        single = [state for state in standing if not self._is_group(state)]
        calm = await page.conditions.calm(
            [state for state in single if self._rules.kind[state.kind].ends == "calm"],
            self._needed,
            self._judging.warning,
        )
        restored = await page.restored([state for state in single if self._rules.kind[state.kind].ends == "restored"])
        for state in single:
            if state.alert_id in restored:
                turn.note(changes.clear(state, restored[state.alert_id]))
            elif self._rules.kind[state.kind].ends == "quiet":
                turn.note(changes.expire(state, now, self._rules))
            elif state.alert_id in calm:
                turn.note(changes.settle(state, calm[state.alert_id], self._rules))
        over = [state for state in turn.changed if state.alert_id in calm and state.element.startswith("meter/")]
        await self._take(page, turn, await page.conditions.other_kinds(over, self._judging))

    async def _take(self, page: Page, turn: Turn, signs: list[Alert]) -> None:
        """Let signs change alerts, and groups come of them."""
        if signs:
            newest = await page.newest({key_of(sign) for sign in signs})
            places = await page.places({sign.element for sign in signs})
            take_all(turn, signs, newest, places, self._rules)
            await self._group(page, turn)

    async def _settle_groups(self, page: Page, now: datetime) -> int:
        """End the alerts of groups whose last child has ended, from the lowest up."""
        count = 0
        while over := await page.bereft():
            turn = Turn()
            for parent, ended_at in over:
                turn.note(changes.clear(parent, ended_at))
            await page.keep(turn, now)
            count += len(over)
        return count

    async def _group(self, page: Page, turn: Turn) -> None:
        changed = [state for state in turn.changed if state.standing and self._rules.kind[state.kind].grouped]
        heads = {head for state in changed if (head := _head(state)) is not None}
        if not heads:
            return
        known = {state.alert_id: state for state in await page.related(heads)}
        known |= {state.alert_id: state for state in changed if _head(state) in heads}
        orphans = [state for state in known.values() if state.parent_id is None]
        parents = [state for state in known.values() if self._is_group(state)]
        group(turn, orphans, parents, await self._count(page, crowded(orphans, self._rules)), self._rules)

    def _is_group(self, state: AlertState) -> bool:
        """Whether an alert was made of others, and ends with them; the meters of an outage are no alerts."""
        return state.children > 0 and self._rules.kind[state.kind].grouped

    async def _count(self, page: Page, elements: set[str]) -> dict[str, int]:
        """Return how many meters are below some elements, counted anew once a minute."""
        now_s = time.monotonic()
        due = {element for element in elements if self._meters.get(element, (0.0, 0))[0] <= now_s}
        if due:
            counted = await page.meters_below(due)
            self._meters |= {element: (now_s + _COUNT_AGAIN_S, counted.get(element, 0)) for element in due}
        return {element: self._meters[element][1] for element in elements}

    async def _send(self, told: list[Told]) -> None:
        await self._producer.send([record for one in told for record in records_of(one)])


def records_of(told: Told) -> list[Outgoing]:
    """Return what goes to Kafka of one change: the event, and what stands now, or that it does not any more."""
    alert = told.event.data.alert
    state = alert.model_dump_json().encode() if alert.standing else None
    return [
        Outgoing(ALERTS.name, alert.element, told.text.encode(), content_type=CLOUD_EVENT),
        Outgoing(ALERTS_STATE.name, alert.alert_id, state),
    ]


def _head(state: AlertState) -> Head | None:
    name = state.substation or state.feeder or state.transformer
    return (state.kind, state.condition, name) if name is not None else None
