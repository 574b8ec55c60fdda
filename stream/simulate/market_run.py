"""A run of markets from plan to labels: processes through, labels of what was really sent."""

from schemas.topics import MARKET_RAW
from stream.endpoints import resolve
from stream.settings import Settings
from stream.simulate.crew import Crew
from stream.simulate.market_supply import MarketPlan, open_markets
from stream.simulate.run import Bystander, Outcome, patiently, publish_truth, until
from stream.simulate.work import Task
from stream.topics import ensure_topics, partition_count


def run_markets(plan: MarketPlan, settings: Settings, who: Bystander, *, kafka: bool) -> Outcome:
    """Publish the ticks of some markets.

    Args:
        plan: what.
        settings: where.
        who: watches.
        kafka: whether labels go to their topic.

    Raises:
        ConfigurationError: the plan cannot be carried out, or a service is not known.
        ServiceUnavailable: a stop was asked for while Kafka was away, before anything was sent.
    """
    needs = (["kafka_url"] if kafka or plan.direct else []) + ([] if plan.direct else ["mqtt_url"])
    endpoints = resolve(settings, needs)
    truth, partitions = plan.labels(), 0
    if plan.direct:
        sizes = settings.partitions, settings.replication
        patiently(lambda: ensure_topics(endpoints.kafka_url, *sizes, [MARKET_RAW]), who)
        partitions = patiently(lambda: partition_count(endpoints.kafka_url, MARKET_RAW.name), who)
    urls = endpoints.mqtt_url, endpoints.kafka_url
    tasks = [Task(plan, part, settings, *urls, partitions, open_markets) for part in range(plan.publishers)]
    summary = Crew(tasks, who.stop, who.watch, who.tell).run()
    truth = until(truth, summary.reached_s) if summary.report.stopped else truth
    if kafka:
        publish_truth(endpoints.kafka_url, settings, truth, who)
    return Outcome(summary, truth, 0)
