"""Anomalies: each is in the ticks where its label says, and nowhere else."""

from pathlib import Path

import numpy as np
import pytest

from simulators.faults import MARKET_CLASSES, FaultClass
from simulators.labels import Label, read_labels, write_labels
from simulators.market.anomalies import bid_side
from tests.markets import START_US, Simulated, between

NAMES = ["aemo_nem/NSW1", "omie/ES", "epex_intraday/FR", "eu_ets/EUA-SPOT"]


def with_faults(**faults: object) -> Simulated:
    return Simulated(NAMES, hours=24, faults=faults)


CLEAN = Simulated(NAMES, hours=24)


def changed(dirty: Simulated, kind: str, column: str, label: Label) -> tuple[np.ndarray, np.ndarray]:
    """Which ticks of a label's symbol differ from a run without anomalies, and which lie in it."""
    mine, clean = dirty.of(kind, label.element), CLEAN.of(kind, label.element)
    assert mine["tick_time"].tolist() == clean["tick_time"].tolist()
    return mine[column] != clean[column], between(label, mine["tick_time"])


def test_a_fat_finger_is_one_trade() -> None:
    found = with_faults(fat_finger={"count": 12})
    assert len(found.labels) > 3
    for label in found.labels:
        differs, inside = changed(found, "trade", "price", label)
        assert inside.sum() == 1
        own = [other for other in found.labels if other.element == label.element]
        assert differs.sum() <= len(own)
        trade, usual = found.of("trade", label.element)["price"], CLEAN.of("trade", label.element)["price"]
        assert trade[inside][0] >= min(4 * abs(usual[inside][0]), 0.9 * max(trade))


def test_a_spike_is_in_settlement_quotes_and_trades_and_respects_the_cap() -> None:
    found = with_faults(price_spike={"count": 4, "minutes": [30, 60], "size": [10, 20]})
    for label in found.labels:
        if label.element.startswith("eu_ets"):
            continue
        differs, inside = changed(found, "settlement", "price", label)
        assert differs[inside].all()
        usual, bent = (run.of("settlement", label.element)["price"][inside] for run in (CLEAN, found))
        assert (bent > usual).all()
        quotes, within = changed(found, "quote", "bid", label)
        assert quotes[within].mean() > 0.5


def test_a_spoofed_depth_is_on_one_side_only() -> None:
    found = with_faults(spoofed_depth={"count": 8})
    assert len(found.labels) > 3
    for label, event in zip(found.labels, found.events, strict=True):
        side, other = ("bid", "ask") if bid_side(event) else ("ask", "bid")
        assert label.detail == side
        deep, inside = changed(found, "quote", f"{side}_depth", label)
        shallow, _ = changed(found, "quote", f"{other}_depth", label)
        if sum(one.element == label.element for one in found.labels) == 1:
            assert deep.tolist() == inside.tolist()
            assert not shallow.any()
        ratio = found.of("quote", label.element)[f"{side}_depth"] / CLEAN.of("quote", label.element)[f"{side}_depth"]
        assert ratio[inside] == pytest.approx(label.size, rel=1e-5)


def test_a_stale_feed_repeats_what_it_said_last() -> None:
    found = with_faults(stale_feed={"count": 6, "minutes": [60, 90]})
    assert len(found.labels) > 2
    for label, event in zip(found.labels, found.events, strict=True):
        quotes = found.of("quote", label.element)
        inside = between(label, quotes["tick_time"])
        real = (quotes["tick_time"] > START_US + (event.start_s - found.start_s) * 1_000_000) & inside
        assert real.sum() >= 55
        before = np.flatnonzero(real)[0] - 1
        for column in ("bid", "ask", "bid_depth", "ask_depth", "bid_quantity"):
            assert set(quotes[column][real][:55].tolist()) == {quotes[column][before]}


def test_a_decoupled_symbol_leaves_its_market() -> None:
    clean = Simulated(["nordpool/SE1", "nordpool/SE2"], hours=48)
    found = Simulated(
        ["nordpool/SE1", "nordpool/SE2"], hours=48, faults={"decoupled": {"count": 1, "minutes": [600, 720]}}
    )
    (label,) = found.labels
    other = "nordpool/SE2" if label.element == "nordpool/SE1" else "nordpool/SE1"
    mine, peer = (found.of("settlement", name) for name in (label.element, other))
    first = mine["revision"] == 0
    inside = between(label, mine["tick_time"]) & first
    usual = clean.of("settlement", label.element)["price"]
    assert np.abs(mine["price"][inside] - usual[inside]).mean() > 10
    assert (mine["price"][~inside & first] == usual[~inside & first]).all()
    assert (peer["price"] == clean.of("settlement", other)["price"]).all()


def test_only_one_thing_goes_wrong_at_a_time_and_never_while_a_market_is_closed() -> None:
    everything = {str(fault): {"rate": 1.0, "count": 20} for fault in MARKET_CLASSES}
    found = Simulated(NAMES, hours=24, faults=everything)
    by_symbol: dict[int, list[tuple[int, int]]] = {}
    for event in found.events:
        by_symbol.setdefault(event.element, []).append((event.start_s, event.end_s))
    for spans in by_symbol.values():
        assert all(end <= start for (_, end), (start, _) in zip(sorted(spans), sorted(spans)[1:], strict=False))
    carbon = [
        label for label in found.labels if label.element == "eu_ets/EUA-SPOT" and label.fault is FaultClass.FAT_FINGER
    ]
    assert carbon
    assert all(7 <= label.start.hour < 17 for label in carbon)


def test_labels_survive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    labels = with_faults(fat_finger={"count": 5}, spoofed_depth={"count": 5}).labels
    write_labels(path, labels)
    assert read_labels(path) == labels
    assert all(label.element_kind == "symbol" and "/" in label.element and label.meters == [] for label in labels)
