"""A run from plan to labels: registry out, processes through, labels of what was really sent."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from schemas.errors import ServiceUnavailable
from schemas.topics import METERS_RAW, METERS_REGISTRY
from simulators.labels import Label, labels, moment
from simulators.transport import Tally
from stream.backoff import Backoff
from stream.endpoints import resolve
from stream.settings import Settings
from stream.simulate.crew import Crew, Summary
from stream.simulate.fleet_supply import open_fleet
from stream.simulate.market_supply import MarketPlan
from stream.simulate.plan import Plan
from stream.simulate.supply import Open
from stream.simulate.truth import publish_labels, publish_registry
from stream.simulate.work import Task
from stream.topics import ensure_topics, partition_count

T = TypeVar("T")
P = TypeVar("P", Plan, MarketPlan)


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        summary: of its processes.
        labels: of the faults that were sent.
        registered: meters written to the registry topic.
    """

    summary: Summary
    labels: list[Label]
    registered: int


@dataclass(frozen=True)
class Bystander:
    """Who watches a run.

    Attributes:
        stop: asked all the time; once true, the run ends politely.
        watch: called with what was sent and what was acknowledged.
        tell: gets what a person should see.
    """

    stop: Callable[[], bool] = lambda: False
    watch: Callable[[Tally, Tally], None] = lambda _sent, _acked: None
    tell: Callable[[str], None] = lambda _line: None


def run(plan: Plan, settings: Settings, who: Bystander, *, kafka: bool) -> Outcome:
    """Publish a fleet.

    Args:
        plan: what.
        settings: where.
        who: watches.
        kafka: whether registry and labels go to their topics.

    Raises:
        ConfigurationError: the plan cannot be carried out, or a service is not known.
        ServiceUnavailable: a stop was asked for while Kafka was away, before anything was sent.
    """
    needs = (["kafka_url"] if kafka or plan.direct else []) + ([] if plan.direct else ["mqtt_url"])
    endpoints = resolve(settings, needs)
    grid = plan.grid()
    faults = plan.faults(grid)
    registered, partitions = 0, 0
    url, sizes = endpoints.kafka_url, (settings.partitions, settings.replication)
    if kafka or plan.direct:
        patiently(lambda: ensure_topics(url, *sizes, [METERS_RAW, METERS_REGISTRY]), who)
        partitions = patiently(lambda: partition_count(url, METERS_RAW.name), who)
    if kafka:
        registered = patiently(lambda: publish_registry(url, grid, faults, plan, who.stop), who)
    urls = endpoints.mqtt_url, endpoints.kafka_url
    tasks = [Task(plan, part, settings, *urls, partitions, open_fleet) for part in range(plan.publishers)]
    summary = Crew(tasks, who.stop, who.watch, who.tell).run()
    truth = until(labels(faults, grid), summary.reached_s) if summary.report.stopped else list(labels(faults, grid))
    if kafka:
        publish_truth(url, settings, truth, who)
    return Outcome(summary, truth, registered)


def publish_truth(kafka_url: str, settings: Settings, truth: list[Label], who: Bystander) -> None:
    """Write labels to their topic; where Kafka is away and a stop is asked for, say that they are not there."""
    sizes = settings.partitions, settings.replication
    try:
        patiently(lambda: publish_labels(kafka_url, truth, *sizes, who.stop), who)
    except ServiceUnavailable as absence:
        # Asked to stop while Kafka is away: the file of labels can still be written.
        who.tell(f"the labels are not on their topic: {absence}")


def patiently(attempt: Callable[[], T], who: Bystander) -> T:
    """Wait for Kafka where it is away, saying so, until a stop is asked for."""
    backoff, away = Backoff(), False
    while True:
        try:
            result = attempt()
        except ServiceUnavailable as absence:
            if who.stop():
                raise
            if not away:
                who.tell(f"{absence}; waiting for it")
            away = True
            time.sleep(backoff.next_s())
        else:
            if away:
                who.tell("kafka is back")
            return result


def rehearse(plan: P, open_part: Open, settings: Settings, who: Bystander) -> Summary:
    """Generate everything that a run would send, and send nothing."""
    rehearsal = replace(plan, rehearsal=True)
    tasks = [Task(rehearsal, part, settings, "", "", 0, open_part) for part in range(plan.publishers)]
    return Crew(tasks, who.stop, who.watch, who.tell).run()


def until(truth: Iterable[Label], reached_s: int) -> list[Label]:
    """Keep what had begun when a run was stopped; what went on then ends there."""
    end = moment(reached_s)
    begun = [label for label in truth if label.start < end]
    return [label.model_copy(update={"end": min(label.end, end)}) for label in begun]
