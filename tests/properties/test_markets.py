"""The same seed gives the same ticks, however a run is cut."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ticks import TickBatch
from simulators.market.anomalies import anomalies
from simulators.market.feed import Feed
from simulators.market.fingerprint import name_keys, tick_fingerprint
from simulators.market.listing import Listing, choose
from simulators.market.ticks import TickShipment
from simulators.profile import MarketProfile, load_profile
from simulators.schedule import Window
from tests.markets import MARKETS, START_S

NAMES = ["aemo_nem/NSW1", "omie", "iex_india/A1", "nyiso/WEST", "eu_ets/EUA-SPOT"]
PROFILE = load_profile("showcase", MarketProfile)
HOURS = 9


def total(seed: int, parts: int, batch_rows: int, *, burst: bool = False) -> tuple[int, int]:
    listing = Listing.of(choose(MARKETS, NAMES, None), seed)
    end_s = START_S + HOURS * 3600
    events = anomalies(PROFILE, listing, seed, Window(START_S, end_s, 300))
    whole = Feed(listing, PROFILE.ticks, events, burst=burst)
    sent = [
        (shipment, name_keys(listing))
        for number in range(parts)
        for shipment in replace(whole, listing=listing.part(number, parts)).run(START_S, end_s, batch_rows)
    ]
    return sum(tick_fingerprint(*one) for one in sent) % 2**64, sum(len(one) for one, _ in sent)


@given(st.integers(0, 2**32), st.integers(1, 8), st.sampled_from([1, 1_000, 3_000, 10_000]), st.booleans())
@settings(max_examples=10, deadline=None)
def test_processes_and_batches_do_not_show(seed: int, parts: int, batch_rows: int, burst: bool) -> None:
    assert total(seed, parts, batch_rows, burst=burst) == total(seed, 1, 10**9, burst=burst)


def test_another_seed_is_another_market() -> None:
    assert total(7, 1, 10**9)[0] != total(8, 1, 10**9)[0]


def test_every_column_is_in_the_fingerprint() -> None:
    listing = Listing.of(choose(MARKETS, ["pjm/WESTERN-HUB"], None), 7)
    sent = Feed(listing, PROFILE.ticks, anomalies(MarketProfile(), listing, 7, Window(START_S, START_S + 3600, 300)))
    shipment = sent.stretch(START_S, START_S + 3600, START_S)
    known = tick_fingerprint(shipment, name_keys(listing))
    for name in shipment.layout.schema.names:
        if name in {"market", "symbol", "currency", "interval_s"}:
            continue  # the name stands for the first three, and the simulator leaves the last one out
        columns = {other: shipment.column(other) for other in shipment.layout.schema.names}
        columns[name] = columns[name].take([*range(1, len(shipment)), 0])
        records = TickBatch.from_columns(**columns).records
        turned = TickShipment(records, shipment.due_s, shipment.sender, [])
        assert tick_fingerprint(turned, name_keys(listing)) != known, name
