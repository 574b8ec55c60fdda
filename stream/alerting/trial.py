"""A notice that says it is a test, through one channel."""

import asyncio
from datetime import datetime
from pathlib import Path

from processors.lifecycle import changes
from schemas.alert_events import AlertEvent
from schemas.alerts import Severity
from schemas.errors import ConfigurationError
from sinks.channels.channel import Channel, Notice
from stream.alerting.channel_sign import channel_sign
from stream.alerting.routes import load_routing
from stream.alerting.rules import load_alert_rules


def try_channel(routes_file: Path | None, name: str, now: datetime) -> None:
    """Send it, and its end.

    Raises:
        ConfigurationError: there is no such channel, or it cannot be opened.
        ChannelAway: it does not answer, or not now.
        ChannelRefused: it does not want it.
    """
    known = load_routing(routes_file).channel
    if name not in known:
        names = ", ".join(known) or "none: METERSTREAM_ALERTS__ROUTES_FILE names the file of channels"
        raise ConfigurationError(f"there is no channel {name}; there are {names}")
    asyncio.run(_send(known[name].open(), now))


async def _send(channel: Channel, now: datetime) -> None:
    sign = channel_sign("test", now, "this is a test of the channel; nothing is wrong", Severity.INFO, failures=0)
    opened = changes.take(sign, None, load_alert_rules())
    try:
        for news in (opened, changes.clear(opened.alert, now)):
            await channel.send(Notice(AlertEvent.of(news, now)))
    finally:
        await channel.close()
