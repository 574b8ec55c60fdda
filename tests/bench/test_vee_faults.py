"""What rules make of a simulated fleet's faults: recall and precision by class, offline, with the labels."""

from collections import defaultdict
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa

from processors.state import MeterState
from processors.validate import FAILURES, Limits, validate
from processors.vee.catalogue import BY_ID
from processors.vee.check import check
from schemas.meter_class import class_codes, status_codes
from simulators.dispatch import Dispatch
from simulators.faults import FaultClass
from simulators.labels import Label, labels
from simulators.local_time import DAY_S, EPOCH_DAY
from simulators.profile import Profile, load_profile
from simulators.registry import registry
from stream.simulate.plan import FleetMode, Plan, span_of
from tests.vee import RULES

METERS, DAYS = 500, 14
#: The rules were looked at with the first one, and with no other.
SEEDS = tuple(range(7, 19))
START = datetime(2026, 3, 2, tzinfo=UTC)
GRACE_US = 3_600_000_000
#: Clocks are told apart by how fast they drift [s/day].
DRIFTS = (60, 120, 240, 420, 601)
#: What says that a fault of a class is there: rules, or reasons of rejection.
SAYS = {
    FaultClass.MISSING: ("gap",),
    FaultClass.METER_OUTAGE: ("gap",),
    FaultClass.DUPLICATE: ("duplicate", "conflicting_duplicate"),
    FaultClass.REORDERED: ("out_of_order",),
    FaultClass.LATE: ("late", "out_of_order"),
    FaultClass.CLOCK_DRIFT: ("clock_drift",),
    FaultClass.SPIKE: ("spike", "sum_check", "energy_range", "energy_unit"),
    FaultClass.STUCK: ("stuck_value",),
    FaultClass.NEGATIVE: ("negative_energy",),
    FaultClass.REGISTER_ROLLOVER: ("register_rollover",),
    FaultClass.REGISTER_RESET: ("register_reset",),
    FaultClass.UNIT_CHANGE: ("energy_unit", "voltage_unit", "voltage_in_other_unit"),
    FaultClass.SAG: ("voltage_range", "voltage_out_of_range"),
    FaultClass.SWELL: ("voltage_range", "voltage_out_of_range"),
    FaultClass.ZERO: ("prolonged_zero",),
    FaultClass.REVERSED_POLARITY: ("reversed_polarity",),
}
_EPOCH_S = EPOCH_DAY * DAY_S


def signs(sent: list[Dispatch], classes: dict[str, str]) -> dict[str, list[tuple[str, int]]]:
    """Which meter each rule or reason of rejection named, and when: one pass in the order of arrival."""
    state, found = MeterState(), defaultdict[str, list[tuple[str, int]]](list)
    reasons = [str(reason) for reason, _ in FAILURES]
    for part in sent:
        arrived = np.rint((part.due_s + _EPOCH_S) * 1e6).astype(np.int64)
        codes = validate(part.batch, arrived, Limits())
        names, times = part.batch.meter_number.to_pylist(), part.batch.time_us.tolist()
        for row in np.flatnonzero(codes).tolist():
            found[reasons[codes[row] - 1]].append((names[row], times[row]))
        batch, arrived = part.batch.where(codes == 0), arrived[codes == 0]
        rows = state.rows(batch.meter_number)
        known = np.unique(rows)
        of = [classes.get(name, "unknown") for name in state.names_at(known)]
        state.register(known, class_codes(of), status_codes(["active"] * len(known)))
        said = check(batch, rows, state, arrived, RULES)
        np.maximum.at(state.last_time_us, rows, batch.time_us)
        hit = said.failed | said.warned
        names, times = batch.meter_number.to_pylist(), batch.time_us
        for rule in BY_ID.values():
            for row in np.flatnonzero(hit & (1 << rule.bit)).tolist():
                found[rule.id].append((names[row], int(times[row])))
    return found


def run(profile: Profile, seed: int) -> tuple[list[Label], dict[str, list[tuple[str, int]]]]:
    begin, end = span_of(START, timedelta(days=DAYS), 900)
    plan = Plan(METERS, seed, 900, begin, end, float("inf"), 30.0, FleetMode.SINGLE, 1, profile)
    grid = plan.grid()
    faults = plan.faults(grid)
    entries: pa.RecordBatch = registry(grid, faults, plan.start)
    classes = dict(zip(entries.column("meter_number").to_pylist(), entries.column("class").to_pylist(), strict=True))
    sent = list(plan.dispatcher(0).run(begin, end, plan.rows_at_once))
    return list(labels(faults, grid)), signs(sent, classes)


@dataclass
class Score:
    """What was found of one class of faults.

    Attributes:
        labelled: faults that there are.
        found: those that something was said of.
        said: what was said by the rules of this class.
        true: of that, what lies on a fault of its meter.
    """

    labelled: int = 0
    found: int = 0
    said: int = 0
    true: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __str__(self) -> str:
        precision = f"{self.true / self.said:.3f}" if self.said else "-"
        return f"{self.labelled} | {self.found} | {self.found / max(self.labelled, 1):.3f} | {precision}"


def score(truth: list[Label], found: dict[str, list[tuple[str, int]]]) -> dict[FaultClass, Score]:
    """Hold what was said against the labels, class by class.

    A sign is true on any fault of its meter: a rule may rightly see what another fault does; what bears the moment in
    which one begins was sent while it began.
    """
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for label in truth:
        for meter in label.meters:
            spans[meter].append((micros(label.start), micros(label.end) + GRACE_US))
    scores = dict[FaultClass, Score]()
    for fault, kinds in SAYS.items():
        mine = [label for label in truth if label.fault is fault]
        said = [sign for kind in kinds for sign in found.get(kind, [])]
        moments: dict[str, list[int]] = defaultdict(list)
        for meter, moment in said:
            moments[meter].append(moment)
        hits = sum(any(_on(label, moments.get(meter, [])) for meter in label.meters) for label in mine)
        true = sum(any(start <= moment <= end for start, end in spans.get(meter, [])) for meter, moment in said)
        scores[fault] = Score(len(mine), hits, len(said), true)
    return scores


def _on(label: Label, moments: list[int]) -> bool:
    return any(micros(label.start) < moment <= micros(label.end) + GRACE_US for moment in moments)


def drifts(truth: list[Label], found: dict[str, list[tuple[str, int]]]) -> list[tuple[float, float]]:
    """Return of each clock that drifts how fast it does [s/day] and how long it took until that was said [h]."""
    told = []
    for label in truth:
        if label.fault is FaultClass.CLOCK_DRIFT:
            moments = [moment for meter, moment in found.get("clock_drift", []) if meter in label.meters]
            first = min((moment for moment in moments if _on(label, [moment])), default=np.inf)
            told.append((abs(label.size), (first - micros(label.start)) / 3.6e9))
    return told


def curve(told: list[tuple[float, float]]) -> list[str]:
    """Return rows of a table: clocks by how fast they drift, and the share that was said within some hours."""
    speed, hours = np.array(told).T
    rows = [
        "| clocks that drift by [s/day] | drifts | within 0.5 h | 0.75 h | 1 h | 2 h | 1 day | seconds off by then |"
    ]
    for least, most in pairwise(DRIFTS):
        mine = (speed >= least) & (speed < most)
        shares = " | ".join(f"{(hours[mine] <= limit + 1e-9).mean():.2f}" for limit in (0.5, 0.75, 1, 2, 24))
        off = np.median(speed[mine] * hours[mine] / 24)
        rows.append(f"| {least} to {most} | {mine.sum()} | {shares} | {off:.0f} |")
    return rows


def test_faults_of_simulated_fleets() -> None:
    profile, total = load_profile("showcase"), dict.fromkeys(SAYS, Score())
    least, told = dict.fromkeys(SAYS, 1.0), list[tuple[float, float]]()
    print(f"\n{METERS:,} meters, {DAYS} days, seeds {SEEDS}")  # noqa: T201 - the figures
    for seed in SEEDS:
        truth, found = run(profile, seed)
        told += drifts(truth, found)
        for fault, of_seed in score(truth, found).items():
            total[fault] += of_seed
            if of_seed.labelled:
                least[fault] = min(least[fault], of_seed.found / of_seed.labelled)
            print(f"seed {seed} {fault}: {of_seed}", flush=True)  # noqa: T201
    print("| fault | labelled | found | recall | precision | least recall of a seed | by |")  # noqa: T201
    for fault, kinds in SAYS.items():
        print(f"| {fault} | {total[fault]} | {least[fault]:.3f} | {', '.join(kinds)} |")  # noqa: T201
    print("\n".join(curve(told)))  # noqa: T201
    assert all(of_class.labelled for of_class in total.values())


def micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)
