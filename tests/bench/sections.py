"""What the bench measures, one function per section: each returns what goes into the report."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from models.scorer import Scorer
from schemas.topics import METERS_RAW
from tests.bench import bridge, ceiling, contest, engine, feed, latency, recovery, stages
from tests.bench.figures import Span, medians, ratios, spread
from tests.bench.ground import Ground
from tests.bench.spec import Load, Outcome, expected

Found = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """How much of everything is done.

    Attributes:
        load: of the backlog.
        single: of the backlog of single JSON records.
        rounds: of everything that is compared; a quick run has one, and not every shape of records.
        peer: readings of the fastest peer; the others get their share.
        reporting: meters that are offered for latency; the fewer, the more often each reports.
        rates: at which they report [readings/s].
        offered_s: for how long each is offered [s].
        warm_s: offered before everything else [s]: brokers compile what they run, a core of work each.
        burst: meters of the burst, one reading each in a minute; 0 without a burst.
        fleets: meters that are recovered.
        bridge: messages, single ones.
        patience_s: longest wait for a peer [s].
    """

    load: Load
    single: Load
    rounds: int
    peer: Load
    reporting: int
    rates: tuple[int, ...]
    offered_s: float
    warm_s: float
    burst: int
    fleets: tuple[int, ...]
    bridge: int
    patience_s: float


FULL = Size(
    load=Load(8_000, 60),
    single=Load(2_000, 60),
    rounds=3,
    peer=Load(4_000, 55),
    reporting=10_000,
    rates=(1_000, 10_000, 50_000),
    offered_s=10.0,
    warm_s=20.0,
    burst=1_200_000,
    fleets=(10_000, 100_000),
    bridge=300_000,
    patience_s=120.0,
)
QUICK = Size(
    load=Load(2_500, 100),
    single=Load(300, 100),
    rounds=1,
    peer=Load(1_500, 70),
    reporting=10_000,
    rates=(10_000,),
    offered_s=5.0,
    warm_s=5.0,
    burst=0,
    fleets=(),
    bridge=60_000,
    patience_s=45.0,
)


@dataclass
class Bench:
    """What sections share.

    Attributes:
        ground: the servers.
        environments: the peers' Pythons.
        scratch: for logs and the like.
        size: how much is done.
        scorer: the forest of the job.
        tell: told what happens, a line at a time.
    """

    ground: Ground
    environments: contest.Environments
    scratch: Path
    size: Size
    scorer: Scorer
    tell: Callable[[str], None]
    _expected: dict[Load, Outcome] = field(default_factory=dict)

    def expected(self, load: Load) -> Outcome:
        """Return what a load must leave behind; worked out once."""
        if load not in self._expected:
            self._expected[load] = expected(load)
        return self._expected[load]

    def fill(self, load: Load, shape: feed.Shape, topic: str = METERS_RAW.name) -> float:
        """Make every topic anew and fill one; return the size of its payloads per reading [bytes]."""
        kafka = self.ground.endpoints.kafka_url
        feed.recreate(kafka)
        if topic != METERS_RAW.name:
            feed.add_topic(kafka, topic)
        self.ground.register(load)
        return feed.produce(kafka, topic, load, shape) / len(load)

    def told(self, run: engine.Run) -> engine.Run:
        """Print a run."""
        self.tell(f"  {run.line()}")
        return run

    @cached_property
    def arena(self) -> contest.Arena:
        """What peers run in."""
        return contest.Arena(self.ground, self.environments, self.scratch, self.scratch / "forest.joblib")


def stage_rates(bench: Bench) -> Found:
    """Each stage alone, per core."""
    found = stages.alone(bench.size.load, bench.ground.endpoints.redis_url, bench.scorer)
    for name, rate in found.items():
        bench.tell(f"  {name:<42} {rate / 1e3:>9,.0f} k/s per core  {1e6 / rate:7.2f} us")
    return {"rates_per_core": found}


def backlog(bench: Bench) -> Found:
    """The engine from a full topic to committed rows, and the bare ceiling of the same rows, in turns."""
    rounds: dict[str, list[engine.Run]] = {"meterstream": [], "bare COPY + upsert": [], "bare COPY": []}
    load, wanted = bench.size.load, bench.expected(bench.size.load)
    size = bench.fill(load, feed.Shape.ARROW)
    for _ in range(bench.size.rounds):
        rounds["meterstream"].append(
            bench.told(engine.from_backlog(bench.ground, wanted, "meterstream, Arrow batches"))
        )
        row_bytes = bench.ground.bytes_per_row()
        rounds["bare COPY + upsert"].append(bench.told(ceiling.bare(bench.ground, load)))
        rounds["bare COPY"].append(bench.told(ceiling.bare(bench.ground, load, direct=True)))
    found = _compared(rounds, "meterstream") | {"bytes_per_reading": {"arrow": size}, "bytes_per_row": row_bytes}
    others = ((feed.Shape.ARRAY, load), (feed.Shape.SINGLE, bench.size.single))
    for shape, chosen in others if bench.size.rounds > 1 else ():
        found["bytes_per_reading"][shape] = bench.fill(chosen, shape)
        run = bench.told(engine.from_backlog(bench.ground, bench.expected(chosen), f"meterstream, {shape}"))
        found["runs"].append(run.as_json())
        found["medians"][f"meterstream, {shape}"] = run.span.rate
    return found


def _compared(rounds: dict[str, list[engine.Run]], of: str) -> Found:
    """Put rounds together; neither a wrong run nor one of a single commit has a rate."""
    rates = {
        name: [run.span.rate for run in runs if not run.wrong and run.span.rate > 0] for name, runs in rounds.items()
    }
    return {
        "runs": [run.as_json() for runs in rounds.values() for run in runs],
        "rounds": rates,
        "medians": medians(rates),
        "ratios": ratios(rates, of),
        "spread": {name: spread(values) for name, values in rates.items()},
        "wrong": {name: run.wrong for name, runs in rounds.items() for run in runs if run.wrong},
    }


def peers(bench: Bench) -> Found:
    """The same job by everybody, in turns: JSON arrays, then single JSON."""
    found: Found = {}
    found[feed.Shape.ARRAY] = _peers_at(bench, feed.Shape.ARRAY, bench.size.rounds)
    if bench.size.rounds > 1:
        found[feed.Shape.SINGLE] = _peers_at(bench, feed.Shape.SINGLE, 1, near=True)
    return found


def _peers_at(bench: Bench, shape: feed.Shape, count: int, *, near: bool = False) -> Found:
    """Let everybody do the job in turns, or those alone that are near to the engine."""
    rounds: dict[str, list[engine.Run]] = {"meterstream": []}
    missing: dict[str, str] = {}
    loads: dict[Load, list[contest.Peer]] = {}
    for peer in contest.PEERS_OF:
        if (peer.quick or bench.size.rounds > 1) and not (near and peer.once):
            loads.setdefault(_part(bench.size.peer, peer.share), []).append(peer)
    loads.setdefault(bench.size.peer, [])
    for load, group in loads.items():
        wanted, topic = bench.expected(load), METERS_RAW.name
        bench.fill(load, shape, topic)
        for turn in range(count):
            if load == bench.size.peer:
                rounds["meterstream"].append(bench.told(engine.from_backlog(bench.ground, wanted)))
            for peer in group:
                if peer.name in missing or (turn and peer.once):
                    continue
                try:
                    run = bench.told(bench.arena.run(peer, topic, wanted, _at_once(load, shape), bench.size.patience_s))
                    rounds.setdefault(peer.name, []).append(run)
                except (contest.Unavailable, RuntimeError) as error:
                    missing[peer.name] = str(error)[-600:]
                    bench.tell(f"  {peer.name} did not run: {missing[peer.name]}")
    return _compared(rounds, "meterstream") | {
        "missing": missing,
        "readings": {peer.name: len(load) for load, group in loads.items() for peer in group},
    }


def _at_once(load: Load, shape: feed.Shape) -> int:
    """Return how many records a peer takes at once: 20,000 readings, or an eighth of all: few commits make no rate."""
    per_record = min(feed.PER_RECORD, max(load.meters // feed.PARTITIONS, 1)) if shape is feed.Shape.ARRAY else 1
    return max(min(20_000, len(load) // 8) // per_record, 1)


def _part(load: Load, share: float) -> Load:
    """Return a load of fewer meters, with as many intervals."""
    meters = max(int(load.meters * share), 20)
    return Load(meters, load.intervals, load.interval_s, load.per_transformer, load.bad_share, load.spike_share)


def bridging(bench: Bench) -> Found:
    """The bridge alone, fed by a broker that costs nothing."""
    found: Found = {}
    for name, messages, per_message in (
        ("single QoS 1", bench.size.bridge, 1),
        ("concentrator", bench.size.bridge // 100, 500),
    ):
        run = bridge.push(bench.ground, messages, per_message).as_json()
        found[name] = run
        bench.tell(
            f"  {name:<14} {run['messages_per_s']:>9,.0f} messages/s  {run['readings_per_s']:>9,.0f} readings/s  "
            f"{run['cpu_us_per_message']:.1f} us CPU a message"
        )
    return found


def latencies(bench: Bench) -> Found:
    """From the moment a reading is due to its row, its sign and its alert, at several rates."""
    found: Found = {}
    feed.recreate(bench.ground.endpoints.kafka_url)
    bench.ground.empty()
    meters = bench.size.reporting
    bench.ground.register(Load(meters, 1))
    with running(bench, bridges=1, desks=1):
        past = latency.Fleet(meters, meters, 0.0)
        recovery.remember(bench.ground, past.past(), meters * latency.PAST)
        latency.publish(bench.ground, latency.Fleet(meters, meters, bench.size.warm_s, spikes=0.0))
        for rate in bench.size.rates:
            measured = latency.measure(bench.ground, latency.Fleet(meters, rate, bench.size.offered_s))
            found[str(rate)] = measured
            bench.tell(
                f"  {rate:>7,} /s offered: {measured['stored']:,} of {measured['readings']:,} stored"
                + "".join(
                    f"; to {what} p50 {spent['p50']:.3f} p99 {spent['p99']:.3f} s" if spent else f"; no {what}"
                    for what in ("row", "sign", "alert")
                    for spent in (measured[f"to_{what}_s"],)
                )
                + f" ({measured['signs']:,} signs)"
            )
    return found


@contextmanager
def running(
    bench: Bench, *, bridges: int = 0, workers: int = 1, desks: int = 0, **settings: str
) -> Iterator[list[Any]]:
    """Run workers, bridges and alert desks until the context ends."""
    with engine.workers(bench.ground, workers, **settings) as members:
        beside = ["run bridge"] * bridges + ["run alerts"] * desks
        started = [engine.EngineProcess(command, bench.ground.directory) for command in beside]
        try:
            for process in started:
                process.start()
            for process in [*started, *members]:
                process.wait_ready()
            yield members
        finally:
            for process in started:
                process.stop()


def burst(bench: Bench) -> Found:
    """Every meter of a large fleet within one minute, and a worker that comes back with all of them in its state."""
    meters = bench.size.burst
    feed.recreate(bench.ground.endpoints.kafka_url)
    bench.ground.empty()
    bench.ground.register(Load(meters, 1))
    group = f"burst-{time.time_ns()}"
    found: Found = {}
    empty_bytes = recovery.idle_bytes(bench.ground)
    with running(bench, bridges=1, METERSTREAM_WORKER__APP_ID=group):
        began_s = time.time()
        report = latency.publish(bench.ground, latency.Fleet(meters, meters // 60, 60.0))
        sent_s = time.time() - began_s
        deadline = time.time() + 180
        while (stored := latency.rows_since(bench.ground, began_s)) < report.readings and time.time() < deadline:
            time.sleep(1.0)
        span: Span = bench.ground.span()
        found["burst"] = {
            "readings": report.readings,
            "stored": stored,
            "sent_s": sent_s,
            "stored_s": span.ended_s - began_s,
            "to_row_s": latency.to_rows(bench.ground, began_s),
            "slip_p99_ms": report.slip_p99_ms,
        }
        bench.tell(f"  {stored:,} of {report.readings:,} stored {span.ended_s - began_s:.1f} s after the first was due")
        time.sleep(12.0)  # the next checkpoint
    found["recovery"] = {str(meters): recovery.again(bench.ground, meters, group, empty_bytes)}
    bench.tell(f"  {recovery.told(meters, found['recovery'][str(meters)])}")
    return found


def recoveries(bench: Bench) -> Found:
    """Smaller fleets: a worker that comes back, its memory, and what a reading costs with ten times the meters."""
    found: Found = {"recovery": {}}
    for meters in bench.size.fleets:
        found["recovery"][str(meters)] = recovery.measure(bench.ground, meters)
        bench.tell(f"  {recovery.told(meters, found['recovery'][str(meters)])}")
    total = len(bench.size.load) * 3 // 4
    costs = {}
    for meters in (bench.size.load.meters, bench.size.load.meters * 10):
        load = Load(meters, max(total // meters, 8))
        bench.fill(load, feed.Shape.ARROW)
        run = bench.told(engine.from_backlog(bench.ground, bench.expected(load), f"{meters:,} meters"))
        costs[str(meters)] = {"rate": run.span.rate, "wrong": run.wrong} | {
            f"{name}_us": spent / max(run.span.rows, 1) * 1e6 for name, spent in run.cpu_s.items()
        }
    few, many = (sum(v for k, v in cost.items() if k.endswith("_us")) for cost in costs.values())
    workers = [cost["worker_us"] for cost in costs.values()]
    return found | {"cost": costs, "cost_ratio": many / few, "worker_cost_ratio": workers[1] / workers[0]}


def two_workers(bench: Bench) -> Found:
    """One worker against two, in turns."""
    load, wanted = bench.size.load, bench.expected(bench.size.load)
    bench.fill(load, feed.Shape.ARROW)
    rounds: dict[str, list[engine.Run]] = {"1 worker": [], "2 workers": []}
    for _ in range(max(bench.size.rounds - 1, 1)):
        for count, name in ((1, "1 worker"), (2, "2 workers")):
            rounds[name].append(bench.told(engine.from_backlog(bench.ground, wanted, name, count)))
    return _compared(rounds, "2 workers")


#: Name -> (what is done, about how long the full and the quick run of it take [s]; 0: not in the quick one).
SECTIONS: dict[str, tuple[Callable[[Bench], Found], float, float]] = {
    "stages": (stage_rates, 25, 5),
    "backlog": (backlog, 155, 23),
    "peers": (peers, 330, 65),
    "bridge": (bridging, 30, 12),
    "latency": (latencies, 145, 36),
    "burst": (burst, 200, 0),
    "fleets": (recoveries, 140, 0),
    "workers": (two_workers, 110, 0),
}
