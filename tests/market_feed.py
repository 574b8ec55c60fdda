"""Real market ticks on their way to Kafka, as a bridge would write them."""

from pathlib import Path

from confluent_kafka import Producer

from schemas.ticks import TickBatch
from schemas.topics import CONTENT_TYPE, MARKET_RAW
from simulators.feeds import aemo
from simulators.feeds.feed import Feed
from simulators.replay.recording import Findings
from stream.bridge.records import MARKET, split
from stream.markets import load_markets
from stream.stack.stack import LocalStack
from stream.topics import bootstrap_servers, partition_count

#: Two runs of 6,060 intervals among them, and prices from -1,000 to 17,500.
WINDOWS = "aemo_nem/dispatch_price_2018-2026_windows.csv.gz"

#: Definitions that the real files need: a market of the literature, and one as it was then.
REAL_MARKETS = Path(__file__).with_name("real_markets.toml")


def read(path: Path, feed: Feed = aemo.FEED) -> TickBatch:
    """All ticks of a file, none of which may be faulty."""
    findings = Findings()
    batch = TickBatch.concat(list(feed.read(path, load_markets(REAL_MARKETS), findings)))
    assert findings.count == 0, findings.problems[:3]
    return batch


def produce(stack: LocalStack, batch: TickBatch) -> None:
    """Write ticks to the raw topic, each series to its partition, in their order."""
    endpoints = stack.endpoints()
    assert endpoints is not None
    producer = Producer({"bootstrap.servers": bootstrap_servers(endpoints.kafka_url), "log_level": 0})
    partitions = partition_count(endpoints.kafka_url, MARKET_RAW.name)
    for record in split(batch, MARKET, partitions, 1_790_000_000_000):
        producer.produce(
            record.topic,
            record.value,
            partition=record.partition,
            headers={CONTENT_TYPE: record.content_type},
        )
    assert producer.flush(60) == 0
