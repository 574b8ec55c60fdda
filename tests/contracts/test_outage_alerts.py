"""Outages on the alert desk: one alert of the element that explains one, with its customers, and one end."""

from typing import Any

import pytest

from schemas.registry import RegistryEntry
from stream.alert_feed import attached
from tests.contracts import test_alert_desk
from tests.contracts.test_alert_desk import Bench
from tests.contracts.test_outages import Village, minutes_of

pytestmark = pytest.mark.integration

bench = test_alert_desk.bench


@pytest.fixture
async def town(bench: Bench) -> Any:
    made = Village(bench.url)
    await made.register()
    yield made
    await made.store.close()
    await made.outbox.close()


async def test_a_feeder_of_two_thousand_meters_is_one_critical_alert_and_one_clear(town: Village, bench: Bench) -> None:
    names = [f"M{number:04}" for number in range(2_000)]
    places = {"feeder": "F2", "substation": "S1", "region": "North", "status": "active"}
    said = [{"meter_number": name, "transformer": f"X{name[1:3]}", **places} for name in names]
    await town.store.register([RegistryEntry.model_validate(one) for one in said])
    await town.gaps(*((name, 15, 20, 0) for name in names if int(name[1:]) % 20 < 17))
    await bench.work()
    await town.gaps(*((name, 15, 0, 0) for name in names if int(name[1:]) % 20 >= 17))
    await bench.work()
    (standing,) = bench.kafka.standing().values()
    assert (standing.element, standing.severity, standing.customers) == ("feeder/F2", "critical", 2_000)
    assert (standing.region, standing.substation, standing.transformer) == ("North", "S1", None)
    assert standing.children == 2_000
    assert {child.until for child in attached(bench.url, standing.alert_id, "", 5_000)} == {None}
    await town.gaps(*((name, 15, 20 if int(name[1:]) % 20 < 17 else 0, 80) for name in names))
    await bench.work()
    told = [(event.data.change, event.data.alert.customers) for event in bench.kafka.events()]
    assert told == [("opened", 1_700), ("updated", 2_000), ("cleared", 2_000)]
    ended = bench.kafka.events()[-1].data.alert
    assert (minutes_of(ended.ended_at), ended.children) == (80, 2_000)
    first = attached(bench.url, ended.alert_id, "", 1_500)
    second = attached(bench.url, ended.alert_id, first[-1].element, 1_500)
    assert [child.element for child in [*first, *second]] == [f"meter/{name}" for name in names]
    assert {(minutes_of(child.since), minutes_of(child.until)) for child in [*first, *second]} == {(20, 80)}
    assert [alert.element for alert in bench.alerts(children=True)] == ["feeder/F2"]


async def test_each_alert_of_an_element_has_the_meters_of_its_own_outage(town: Village, bench: Bench) -> None:
    await town.gaps(*((meter, 15, 20, 80) for meter in "ABC"))
    await bench.work()
    await town.gaps(*((meter, 600, 605, 0) for meter in "AB"))
    await bench.work()
    late, early = sorted(bench.alerts(), key=lambda alert: alert.first_seen, reverse=True)
    assert [child.element for child in attached(bench.url, early.alert_id, "", 9)] == ["meter/A", "meter/B", "meter/C"]
    assert [(child.element, child.until) for child in attached(bench.url, late.alert_id, "", 9)] == [
        ("meter/A", None),
        ("meter/B", None),
    ]


async def test_the_alert_of_a_transformer_ends_when_its_feeder_explains_it_and_when_there_was_no_outage(
    town: Village, bench: Bench
) -> None:
    await town.gaps(*((meter, 15, 20, 0) for meter in "ABC"))
    await bench.work()
    await town.gaps(*((meter, 15, 20, 0) for meter in "DEF"))
    await bench.work()
    assert [one.element for one in bench.kafka.standing().values()] == ["feeder/F1"]
    await town.gaps(*((meter, 0, 0, 0) for meter in "ABCDEF"))
    await bench.work()
    assert not bench.kafka.standing()
