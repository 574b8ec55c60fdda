"""The published formats that can be read, by name."""

from simulators.feeds import aemo, elec2, local_clock, numbered, omie
from simulators.feeds.feed import Feed
from simulators.replay.recording import UnknownFormat

FEEDS: dict[str, Feed] = {
    feed.name: feed
    for feed in (
        aemo.FEED,
        omie.FEED,
        local_clock.NORDPOOL,
        local_clock.TENNET,
        numbered.USEP,
        numbered.IEX,
        elec2.FEED,
    )
}


def find_feed(name: str) -> Feed:
    """Return a format by its name.

    Raises:
        UnknownFormat: there is none.
    """
    if name not in FEEDS:
        raise UnknownFormat(name, sorted(FEEDS))
    return FEEDS[name]
