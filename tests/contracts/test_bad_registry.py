"""What a registry may say that cannot be, and what becomes of readings whose element goes away under load."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from schemas.registry import RegistryEntry
from tests.builders import START_US, batch
from tests.contracts.test_places import entry, hour
from tests.contracts.test_windows_outbox import handed_on
from tests.contracts.writing import Writer, query

pytestmark = pytest.mark.integration

_START = datetime.fromtimestamp(START_US / 1e6, UTC)
_DAYS = (
    "SELECT element, sum(energy_kwh) FROM element_windows WHERE window_s = 3600 AND customer_class IS NULL GROUP BY 1"
)


def placed(meter: str, transformer: str, feeder: str, substation: str, region: str) -> RegistryEntry:
    return RegistryEntry(
        meter_number=meter, transformer=transformer, feeder=feeder, substation=substation, region=region
    )


async def test_names_that_go_round_in_a_circle_are_elements_of_four_kinds_and_count_once(
    url: str, writer: Writer
) -> None:
    """X under Y under X under Y: names may repeat between kinds, and nothing stands above itself."""
    await writer.stores[0].register([placed("A", "X", "Y", "X", "Y"), placed("B", "Y", "X", "Y", "X")])
    await writer.write(batch("A", [hour(1)], consumption_kwh=1.0))
    await writer.write(batch("B", [hour(1)], consumption_kwh=10.0))
    await handed_on(url)
    found = dict(query(url, _DAYS))
    assert found.pop("grid") == 11.0
    of_a = {
        f"{kind}/{name}": 1.0
        for kind, name in zip(("transformer", "feeder", "substation", "region"), "XYXY", strict=True)
    }
    of_b = {
        f"{kind}/{name}": 10.0
        for kind, name in zip(("transformer", "feeder", "substation", "region"), "YXYX", strict=True)
    }
    assert found == of_a | of_b


async def test_a_circle_that_closes_later_moves_the_element_and_counts_once(url: str, writer: Writer) -> None:
    """F1 under S1, then S1's other feeder says that F1 is under S2, and back: what is merged then stands there."""
    await writer.stores[0].register([placed("A", "T1", "F1", "S1", "R")])
    await writer.write(batch("A", [hour(1)], consumption_kwh=1.0))
    await handed_on(url)
    await writer.stores[0].register([placed("B", "T2", "F1", "S2", "R")])
    await writer.write(batch("A", [hour(3)], consumption_kwh=2.0))
    await handed_on(url)
    found = dict(query(url, _DAYS))
    assert (found["substation/S1"], found["substation/S2"], found["region/R"], found["grid"]) == (1.0, 2.0, 3.0, 3.0)


async def test_meters_without_a_transformer_are_in_the_grid_and_under_no_element(url: str, writer: Writer) -> None:
    await writer.stores[0].register([entry("A", None, "residential"), placed("B", "T1", "F1", "S1", "R")])
    for meter in ("A", "B", "unknown"):
        await writer.write(batch(meter, [hour(1)], consumption_kwh=1.0))
    await handed_on(url)
    found = dict(query(url, _DAYS))
    assert (found["transformer/unassigned"], found["transformer/T1"], found["region/R"], found["grid"]) == (2, 1, 1, 3)
    by_class = "SELECT customer_class, energy_kwh FROM element_windows WHERE element = 'grid' AND window_s = 3600"
    assert dict(query(url, by_class)) == {None: 3.0, "residential": 1.0, "unclassified": 2.0}


async def test_an_element_whose_meters_all_go_under_load_keeps_its_past(url: str, writer: Writer) -> None:
    """Readings keep coming, late ones of before, too; two workers write, one of which has not heard of it."""
    meters = ["A", "B"]
    await writer.stores[0].register([placed(meter, "T1", "F1", "S1", "R") for meter in meters])
    for k in range(4):
        await writer.write(batch(meters, [hour(k)] * 2, consumption_kwh=1.0), k % 2)
    await handed_on(url)
    gone = [RegistryEntry(meter_number=meter, status="unregistered") for meter in meters]
    await writer.stores[0].register(gone, [_START + timedelta(hours=2)] * 2)
    for k in range(4, 6):
        await writer.write(batch(meters, [hour(k)] * 2, consumption_kwh=1.0), k % 2)
    await writer.write(batch("A", [hour(1) + 1], consumption_kwh=1.0), 1)
    await handed_on(url)
    found = dict(query(url, _DAYS))
    assert {element: found[element] for element in ("feeder/F1", "transformer/unassigned", "grid")} == {
        "feeder/F1": 5.0,
        "transformer/unassigned": 8.0,
        "grid": 13.0,
    }


async def test_an_element_that_readings_counted_for_cannot_be_taken_out_of_the_database(
    url: str, writer: Writer
) -> None:
    await writer.stores[0].register([placed("A", "T1", "F1", "S1", "R"), placed("A", "T2", "F1", "S1", "R")],
                                    [_START, _START + timedelta(hours=2)])  # fmt: skip
    for statement in (
        "DELETE FROM transformers WHERE name = 'T2'",
        "DELETE FROM transformers WHERE name = 'T1'",
        "DELETE FROM feeders",
        "DELETE FROM substations",
    ):
        with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute(statement.encode())
