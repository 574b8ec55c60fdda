"""Rules about who sends, and in which state: identity, device, test mode, maintenance, estimation by the source."""

import numpy as np

from processors.vee.facts import Facts
from processors.vee.rule import Parameters, Rule
from schemas.layout import Floats
from schemas.meter_class import INACTIVE, NOT_ASKED, UNREGISTERED

_HOUR_S = 3_600.0


def _unknown(facts: Facts, _: Parameters) -> Floats:
    return facts.where(facts.status != NOT_ASKED, facts.status == UNREGISTERED)


def _inactive(facts: Facts, _: Parameters) -> Floats:
    return facts.where(facts.status != NOT_ASKED, facts.status == INACTIVE)


def _changed(facts: Facts, _: Parameters) -> Floats:
    known = (facts.past.device > 0) & ~np.isnan(facts.device)
    return facts.where(known, facts.device != facts.past.device)


def _test_mode(facts: Facts, _: Parameters) -> Floats:
    return np.asarray((facts.mode == 1), dtype=np.float64)


def _maintenance(facts: Facts, _: Parameters) -> Floats:
    return np.asarray((facts.mode == 2), dtype=np.float64)


def _estimated(facts: Facts, _: Parameters) -> Floats:
    return np.asarray(facts.estimated, dtype=np.float64)


def _prolonged(facts: Facts, _: Parameters) -> Floats:
    return facts.where(facts.estimated, facts.past.estimated_s / _HOUR_S)


RULES = (
    Rule("unknown_meter", 0, 1, "I01", "the registry does not know the meter", "0 or 1", _unknown),
    Rule("inactive_meter", 1, 1, "I02", "the registry says that the meter is not in use", "0 or 1", _inactive),
    Rule(
        "changed_device",
        2,
        1,
        "I03",
        "another device than before sends for the meter",
        "0 or 1",
        _changed,
        (),
        ("device",),
    ),
    Rule("test_mode", 40, 1, "M01", "the source says that the meter was being tested", "0 or 1", _test_mode),
    Rule("maintenance", 41, 1, "M02", "in a period of maintenance that the rule set names", "0 or 1", _maintenance),
    Rule("source_estimate", 42, 1, "M03", "the source estimated or substituted the value", "0 or 1", _estimated),
    Rule("prolonged_estimation", 43, 1, "M04", "the source has been estimating for too long", "h", _prolonged),
)
