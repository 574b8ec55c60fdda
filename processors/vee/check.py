"""The rules over a batch: what each says of each reading, and what that makes of its quality."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.partition import murmur2
from processors.state import MeterState
from processors.vee.calendar import HOUR_US
from processors.vee.facts import Facts
from processors.vee.rule_set import RuleSet, RuleSettings
from processors.vee.source import Said, said
from schemas.layout import Floats, Ints, Mask, Positions
from schemas.meter_class import CLASSES
from schemas.quality import ANOMALY, NORMAL, REJECTED, Codes, EspiQuality, stronger
from schemas.readings import ReadingBatch

Sources = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Findings:
    """What the rules said, one value per reading.

    Attributes:
        flag: int8[n], code of a `QualityFlag`.
        failed: int64[n], bit k is set where the rule with bit k failed.
        warned: int64[n], the same for warnings.
        nem12: int16[n], NEM12 quality letter and method, as a code.
        espi: int16[n], ESPI quality bits.
        rule_set: int32[n], version of the rule set that said so.
    """

    flag: Codes
    failed: Ints
    warned: Ints
    nem12: npt.NDArray[np.int16]
    espi: npt.NDArray[np.int16]
    rule_set: npt.NDArray[np.int32]

    def where(self, mask: Mask) -> "Findings":
        """Return those where the mask is true."""
        return Findings(**{name: getattr(self, name)[mask] for name in self.__dataclass_fields__})


def check(
    batch: ReadingBatch,
    rows: Positions,
    state: MeterState,
    arrived_us: Ints,
    rules: RuleSet,
    source: Sources | None = None,
    skip: Mask | None = None,
) -> Findings:
    """Hold readings against all rules, and let the memory learn from them. Call before `judge`, which moves the clock.

    Args:
        batch: n readings in the order of their partition.
        rows: intp[n], state row of each reading's meter.
        state: of the partition; its memory is changed in place.
        arrived_us: int64[n], arrival [us].
        rules: the rule set.
        source: intp[n], number of each reading's source in the rule set; 0 for all by default.
        skip: bool[n], readings that the state has already seen (replay after a crash); nothing is said of them.

    Returns: findings; they do not depend on how the stream was cut into batches.
    """
    sources = np.zeros(len(batch), dtype=np.intp) if source is None else source
    sayings = said(batch.column("source_quality"))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        facts = describe(batch, rows, state, arrived_us, rules, sayings, skip)
        return evaluate(facts, rules, state.vee_class[rows], sources, sayings)


def describe(
    batch: ReadingBatch,
    rows: Positions,
    state: MeterState,
    arrived_us: Ints,
    rules: RuleSet,
    sayings: Said,
    skip: Mask | None = None,
) -> Facts:
    """Put each reading beside its meter's past, and move the memory on."""
    device = _device(batch)
    hour = rules.calendar.local_us(batch.time_us - 1) // HOUR_US % 24
    # What compiles takes a second to load, as in `judge`.
    from processors.vee.follow import follow  # noqa: PLC0415

    past, order = follow(batch, rows, state, hour, device, sayings.estimated, rules.calendar, skip)
    return Facts(
        batch=batch,
        arrived_us=arrived_us,
        past=past,
        in_order=order.in_order,
        newest_us=order.newest_us,
        repeated=order.repeated,
        status=state.vee_status[rows],
        device=np.where(device > 0, device.astype(np.float64), np.nan),
        hour=hour,
        seam=rules.calendar.seam(rules.calendar.day(batch.time_us)),
        estimated=sayings.estimated,
        mode=_under_maintenance(batch, rows, state, rules, sayings.mode),
    )


def evaluate(facts: Facts, rules: RuleSet, classes: npt.NDArray[np.uint8], sources: Sources, sayings: Said) -> Findings:
    """Hold facts against the rules."""
    found: dict[str, tuple[Mask, Mask]] = {}
    for settings in rules.rules:
        hit = _hits(settings, facts, classes, sources)
        if hit is not None:
            found[settings.rule.id] = hit
    for order, among in _orders(rules, classes):
        _hide(found, rules, order, among)
    return _sum_up(found, rules, sayings)


def _hits(
    settings: RuleSettings, facts: Facts, classes: npt.NDArray[np.uint8], sources: Sources
) -> tuple[Mask, Mask] | None:
    """Return where a rule warns or fails, and where it fails; None where it does nowhere."""
    rule = settings.rule
    if rule.needs and all(facts.batch.column(name).null_count == len(facts.batch) for name in rule.needs):
        return None
    measured: Floats = rule.measure(facts, lambda name: settings.at(name, classes, sources))
    fail = settings.at("fail", classes, sources)
    hit = measured > np.fmin(fail, settings.at("warn", classes, sources))
    # Most rules are silent about most batches.
    if not hit.any():
        return None
    hit &= settings.at("enabled", classes, sources) > 0
    return (hit, hit & (measured > fail)) if hit.any() else None


def _orders(rules: RuleSet, classes: npt.NDArray[np.uint8]) -> list[tuple[tuple[str, ...], Mask]]:
    """Return each order of rules with the readings that it holds for."""
    rest = np.ones(len(classes), dtype=bool)
    found = []
    for name, order in rules.orders.items():
        mine = classes == CLASSES.index(name)
        found.append((order, mine))
        rest &= ~mine
    return [*found, (tuple(rules.by_id), rest)]


def _hide(found: dict[str, tuple[Mask, Mask]], rules: RuleSet, order: tuple[str, ...], among: Mask) -> None:
    """Let rules that have hit silence those that they hide, in their order: what is hidden hides nothing."""
    for name in order:
        hides = rules.by_id[name].hides & found.keys() if name in found else ()
        if hides:
            where = found[name][0] & among
            for other in hides:
                warned, failed = found[other]
                found[other] = (warned & ~where, failed & ~where)


def _sum_up(found: dict[str, tuple[Mask, Mask]], rules: RuleSet, sayings: Said) -> Findings:
    count = len(sayings.nem12)
    failed, warned = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    flag = np.full(count, NORMAL, dtype=np.int8)
    for name, (hit, fails) in found.items():
        settings = rules.by_id[name]
        bit = np.int64(1) << np.int64(settings.rule.bit)
        failed |= np.where(fails, bit, 0)
        warned |= np.where(hit & ~fails, bit, 0)
        for severity, where in ((settings.on_warn, hit & ~fails), (settings.on_fail, fails)):
            if severity != NORMAL:
                flag = stronger(flag, np.where(where, severity, NORMAL).astype(np.int8))
    doubtful = (flag == ANOMALY) | (flag == REJECTED)
    espi = np.where(doubtful, (sayings.espi & ~EspiQuality.VALID) | EspiQuality.QUESTIONABLE, sayings.espi)
    return Findings(
        flag, failed, warned, sayings.nem12, espi.astype(np.int16), np.full(count, rules.version, dtype=np.int32)
    )


def _device(batch: ReadingBatch) -> npt.NDArray[np.uint32]:
    """Return the hash of each reading's device, never 0, and 0 without one."""
    column = batch.column("device")
    if column.null_count == len(batch):
        return np.zeros(len(batch), dtype=np.uint32)
    known = column.is_valid().to_numpy(zero_copy_only=False)
    return np.where(known, np.maximum(murmur2(column), 1), 0).astype(np.uint32)


def _under_maintenance(
    batch: ReadingBatch, rows: Positions, state: MeterState, rules: RuleSet, mode: npt.NDArray[np.int8]
) -> npt.NDArray[np.int8]:
    for period in rules.periods:
        here = (batch.time_us > period.start_us) & (batch.time_us <= period.end_us)
        if here.any():
            mine = [row for name in period.meters if (row := state.row(name)) is not None]
            mode = np.where(here & np.isin(rows, mine), 2, mode).astype(np.int8)
    return mode
