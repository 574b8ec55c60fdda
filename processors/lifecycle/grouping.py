"""Grouping by topology: many alerts of one part of the grid are one problem of what feeds them."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta

from processors.lifecycle import changes
from processors.lifecycle.advance import Turn
from processors.lifecycle.place import LEVELS
from processors.lifecycle.rules import AlertRules
from processors.lifecycle.severity import higher, severity_of
from schemas.alert_events import AlertNews, AlertState, Change, Status, problem_id
from schemas.alerts import Severity

#: Kind and condition, and the name of an element that may be where they come from.
Spot = tuple[str, str, str]


def spots_of(state: AlertState) -> list[Spot]:
    """Return where an alert may come from beyond its own element, the widest first."""
    return [
        (state.kind, state.condition, element) for element in _above(state) if _rank(element) < _rank(state.element)
    ]


def crowded(orphans: Iterable[AlertState], rules: AlertRules) -> set[str]:
    """Return the elements that enough alerts may come from, if they are enough of all that stands below these."""
    customers = Counter[Spot]()
    for state in orphans:
        for spot in spots_of(state):
            customers[spot] += state.customers
    return {element for (_, _, element), count in customers.items() if count >= rules.grouping.least}


def group(
    turn: Turn,
    orphans: Iterable[AlertState],
    parents: Iterable[AlertState],
    meters: Mapping[str, int],
    rules: AlertRules,
) -> None:
    """Attach alerts to what they are a part of, and open that where enough of them have come.

    Args:
        turn: takes the changes.
        orphans: alerts that stand, of meters and of groups, none of them attached.
        parents: alerts of groups that stand.
        meters: meters below each element that could be a group.
        rules: what is enough.
    """
    known: dict[Spot, AlertState] = {(state.kind, state.condition, state.element): state for state in parents}
    left = [state for state in orphans if rules.kind[state.kind].grouped]
    left = _join(turn, left, known, rules)
    for level in LEVELS:
        left = _found(turn, left, level, meters, rules)


def _join(
    turn: Turn, orphans: list[AlertState], parents: Mapping[Spot, AlertState], rules: AlertRules
) -> list[AlertState]:
    """Attach to alerts of groups that stand; return what is left."""
    joining, left = defaultdict[str, list[AlertState]](list), list[AlertState]()
    for orphan in orphans:
        parent = next((parents[spot] for spot in spots_of(orphan) if spot in parents), None)
        if parent is None:
            left.append(orphan)
        else:
            joining[parent.alert_id].append(orphan)
    for alert_id, children in joining.items():
        _attach(turn, next(state for state in parents.values() if state.alert_id == alert_id), children, rules)
    return left


def _found(
    turn: Turn, orphans: list[AlertState], level: str, meters: Mapping[str, int], rules: AlertRules
) -> list[AlertState]:
    """Open alerts of the groups of one level where enough has come; return what is left."""
    by_spot, left = defaultdict[Spot, list[AlertState]](list), list[AlertState]()
    for orphan in orphans:
        element = f"{level}/{getattr(orphan, level)}"
        if getattr(orphan, level) and _rank(element) < _rank(orphan.element):
            by_spot[orphan.kind, orphan.condition, element].append(orphan)
        else:
            left.append(orphan)
    for (_, _, element), candidates in by_spot.items():
        together, apart = _together(candidates, rules)
        customers = sum(state.customers for state in together)
        # Of what nobody knows how much it feeds, nobody can say that enough of it is affected.
        enough = max(rules.grouping.least, rules.grouping.share * meters.get(element, math.inf))
        if customers < enough or len(together) < 2:
            left += candidates
            continue
        opened = _opened(element, together, rules)
        turn.note(opened)
        _attach(turn, opened.alert, together, rules)
        left += apart
    return left


def _together(states: list[AlertState], rules: AlertRules) -> tuple[list[AlertState], list[AlertState]]:
    """Return those that were first seen within a span that ends with the newest, and the others."""
    oldest = max(state.first_seen for state in states) - timedelta(seconds=rules.grouping.within_s)
    return [s for s in states if s.first_seen >= oldest], [s for s in states if s.first_seen < oldest]


def _opened(element: str, children: list[AlertState], rules: AlertRules) -> AlertNews:
    """Open the alert of a group; what it measures is how many meters it touches."""
    one, first_seen = children[0], min(state.first_seen for state in children)
    customers = sum(state.customers for state in children)
    level = element.partition("/")[0]
    above = LEVELS[: LEVELS.index(level) + 1]
    state = AlertState(
        alert_id=problem_id(one.kind, one.condition, element, first_seen),
        kind=one.kind,
        condition=one.condition,
        element=element,
        status=Status.OPEN,
        severity=severity_of(_severest(children), one.kind, element, customers, rules),
        sequence=1,
        first_seen=first_seen,
        last_seen=max(state.last_seen for state in children),
        duration_s=0.0,
        count=1,
        score=max(state.score for state in children),
        measured=float(customers),
        expected=0.0,
        unit="meters",
        message=_message(element, one.kind, customers),
        action=one.action,
        panel=rules.panel_of(element),
        customers=customers,
        region=one.region,
        **{name: getattr(one, name) for name in above},
    )
    return AlertNews(change=Change.OPENED, by=changes.ENGINE, alert=state)


def _attach(turn: Turn, parent: AlertState, children: list[AlertState], rules: AlertRules) -> None:
    for child in children:
        turn.note(changes.attach(turn.current(child), parent))
    before = turn.current(parent)
    # What opened with these children has counted them.
    new = 0 if before.sequence == 1 and before.children == 0 else sum(child.customers for child in children)
    customers = before.customers + new
    raised = before.model_copy(update={"severity": higher(before.severity, _severest(children))})
    turn.note(
        changes.grow(
            raised,
            before.children + len(children),
            customers,
            rules,
            measured=float(customers),
            message=_message(before.element, before.kind, customers),
            last_seen=max(before.last_seen, *(child.last_seen for child in children)),
        )
    )


def _message(element: str, kind: str, customers: int) -> str:
    return f"{customers:,} meters below {element.replace('/', ' ', 1)}: {kind.replace('_', ' ')}"


def _severest(states: list[AlertState]) -> Severity:
    found = Severity.INFO
    for state in states:
        found = higher(found, state.severity)
    return found


def _above(state: AlertState) -> list[str]:
    return [f"{level}/{getattr(state, level)}" for level in LEVELS if getattr(state, level)]


def _rank(element: str) -> int:
    """Return how far down an element stands: 0 for a substation, more below."""
    level = element.partition("/")[0]
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)
