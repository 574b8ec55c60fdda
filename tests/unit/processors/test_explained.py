"""Explanations: one for each reading worth watching, of its meter's past or of a model."""

import numpy as np

from processors.explained import _MOST_WITH_FEATURES, contributions, explain
from processors.judgement import Judgement
from processors.opinion import Onsets, Opinion
from schemas.layout import Positions
from tests.judging import judged

MONITORING = 0.7


def opinion(scores: list[float], calls: list[int] | None = None) -> Opinion:
    def told(at: Positions) -> list[str]:
        if calls is not None:
            calls.append(len(at))
        return [f"voltage {place}" for place in at.tolist()]

    score = np.array(scores, dtype=np.float32)
    return Opinion(score, np.full(len(score), np.nan, dtype=np.float32), told)


def test_only_what_is_worth_watching_is_explained() -> None:
    _, judgement = judged([1.0] * 100 + [9.0, 1.0])
    found = explain(judgement, Opinion.none(102), MONITORING)
    assert [place for place, why in enumerate(found) if why] == np.flatnonzero(judgement.score >= MONITORING).tolist()
    why = found[100]
    assert (why.kind, why.unit) == ("high_consumption", "kWh")
    assert why.expected == judgement.expected_kwh[100]
    assert why.band == judgement.band_kwh[100]
    assert why.contributions.startswith("spike 1.00")


def test_volts_are_explained_in_volts() -> None:
    judgement = Judgement.nothing(1)
    judgement.score[:], judgement.usual_voltage[:], judgement.expected_kwh[:] = 0.9, 231.0, 1.0
    judgement.rarity[0] = 0.5
    judgement.rarity[0, 5] = 1e-6
    judgement.past.interval_s[:] = 900.0
    (why,) = explain(judgement, Opinion.none(1), MONITORING)
    assert (why.kind, why.expected, why.unit) == ("voltage_sag", 231.0, "V")
    assert np.isnan(why.band)
    assert why.contributions == "sag 0.98"


def test_what_a_model_alone_finds_is_explained_by_its_features() -> None:
    judgement = Judgement.nothing(3)
    judgement.score[:], judgement.expected_kwh[:], judgement.band_kwh[:] = (0.1, 0.1, 0.1), 2.0, 0.5
    first, second, third = explain(judgement, opinion([0.2, 0.8, np.nan]), MONITORING)
    assert first is None
    assert third is None
    assert tuple(second) == ("unusual_reading", 2.0, 0.5, "kWh", "voltage 1")


def test_in_a_storm_the_strangest_have_features_and_all_have_a_kind() -> None:
    calls: list[int] = []
    n = _MOST_WITH_FEATURES + 5
    found = explain(Judgement.nothing(n), opinion([0.7 + k / 10_000 for k in range(n)], calls), MONITORING)
    assert calls == [_MOST_WITH_FEATURES]
    assert [why.contributions for why in found[:6]] == ["", "", "", "", "", "voltage 5"]
    assert {why.kind for why in found} == {"unusual_reading"}


def test_what_begins_has_its_reasons_already_and_they_are_not_worked_out_again() -> None:
    calls: list[int] = []
    n = _MOST_WITH_FEATURES + 5
    said = opinion([0.7 + k / 10_000 for k in range(n)], calls)
    begun = Onsets(np.array([0, 7]), np.ones(2, dtype=np.int8), ["current 0.90", "hour 0.80"])
    found = explain(Judgement.nothing(n), said, MONITORING, begun)
    assert calls == [_MOST_WITH_FEATURES - 2]
    told = [why.contributions for why in found[:9]]
    assert told == ["current 0.90", *[""] * 5, "voltage 6", "hour 0.80", "voltage 8"]


def test_contributions_name_rare_signals_the_rarest_first() -> None:
    judgement = Judgement.nothing(2)
    judgement.past.interval_s[:] = 900.0
    judgement.rarity[0, :3] = (0.009, 0.0001, 0.02)
    assert contributions(judgement, np.array([0, 1])) == ["drop 0.85, spike 0.51", ""]
    assert contributions(judgement, np.array([], dtype=np.intp)) == []
