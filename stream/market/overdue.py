"""Tells of figures that are overdue, while nothing waits that could bring them."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from processors.market.overdue import find_overdue, overdue_alerts
from processors.market.series import SeriesState
from schemas.alerts import Alert
from schemas.errors import ServiceUnavailable
from schemas.topics import ALERT_SIGNS
from sinks.sink import Journal
from stream.worker.producer import KafkaProducer, Outgoing

_PAUSE_S = 5.0


class OverdueWatch:
    """Looks at the newest figure of every series now and then.

    Guarantee: at least once, with the same id; the database keeps each once.

    Args:
        states: of the partitions that this worker has.
        behind: whether records wait to be taken; what they hold is not known.
        journal: where alerts are kept.
        producer: how they get to Kafka.
    """

    def __init__(
        self,
        states: Callable[[], Sequence[SeriesState]],
        behind: Callable[[], bool],
        journal: Journal[Any],
        producer: KafkaProducer,
    ) -> None:
        self._states = states
        self._behind = behind
        self._journal = journal
        self._producer = producer
        self._told = set[str]()

    async def run(self, app: Any) -> None:
        """Look, for ever."""
        while not app.should_stop:
            await app.sleep(_PAUSE_S)
            if self._behind():
                continue
            try:
                await self.look(time.time_ns() // 1_000)
            except ServiceUnavailable as absence:
                # Told in the next round; the deliverer meets the same absence and says so.
                structlog.get_logger("overdue").info("not_told", cause=str(absence))

    async def look(self, now_us: int) -> list[Alert]:
        """Tell what is overdue now and was not told before; return it.

        Args:
            now_us: the time [us since 1970-01-01 UTC].

        Raises:
            ServiceUnavailable: Kafka or the database is away; nothing of it counts as told.
        """
        overdue = [alert for state in self._states() for alert in overdue_alerts(state, find_overdue(state, now_us))]
        news = [alert for alert in overdue if alert.alert_id not in self._told]
        if news:
            await self._producer.send(
                [Outgoing(ALERT_SIGNS.name, alert.element, alert.model_dump_json().encode()) for alert in news]
            )
            await self._journal.keep_alerts(news)
        self._told = {alert.alert_id for alert in overdue}
        return news
