"""What is wrong with transformers, from readings in a real database to signs: told once, restated, over in the end."""

import sys
from datetime import UTC, datetime

import numpy as np
import psycopg
import pytest

from processors.energy_balance import BalanceRules
from processors.imbalance import ImbalanceRules
from processors.loading import LoadingRules
from schemas.alerts import Alert
from schemas.layout import Floats
from schemas.registry import RegistryEntry
from sinks.grid_physics_outbox import GridPhysicsOutbox
from stream.grid_physics import balances, conditions, loads
from tests.builders import batch
from tests.contracts.test_windows_outbox import handed_on
from tests.contracts.writing import Writer, query

pytestmark = pytest.mark.integration

_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
_BEGIN_US = int(_BEGIN.timestamp()) * 10**6
_HOUR_US = 3_600_000_000
_DAYS, _THEFT_H = 6, 72
#: Two transformers of twelve customers, and what these use by the hour [kWh].
_STANDS = np.repeat([0, 1], 12)
_USED = np.random.default_rng(4).gamma(1.0, 0.8, (24 * _DAYS, 24)) * np.where(np.arange(24) == 3, 4.0, 1.0)


def entries(rating_kva: float = 50.0) -> list[RegistryEntry]:
    above = {"feeder": "F1", "substation": "S1", "region": "North", "transformer_kva": rating_kva}
    phases = ("L1", "L2", "L3")
    said = [
        {"meter_number": f"M{meter:02}", "transformer": f"T{_STANDS[meter]}", "class": "residential"}
        | {"phase": phases[meter % 3]}
        for meter in range(24)
    ]
    said += [{"meter_number": f"X{number}", "transformer": f"T{number}", "class": "transformer"} for number in range(2)]
    return [RegistryEntry.model_validate(one | above) for one in said]


def flows() -> Floats:
    """What comes in for all that is used, with 2 % of losses, float64[h, 2]."""
    return 1.02 * np.stack([_USED[:, number == _STANDS].sum(axis=1) for number in (0, 1)], axis=1)


async def send(writer: Writer, counted: Floats, own: Floats, voltage: float = 230.0) -> None:
    """Readings of every hour by its end, of all customers and both transformers, a day in a delivery."""
    names = [f"M{meter:02}" for meter in range(24)] + ["X0", "X1"]
    for day in range(len(counted) // 24):
        rows = slice(24 * day, 24 * day + 24)
        values = np.concatenate([counted[rows], own[rows]], axis=1)
        times = [_BEGIN_US + (24 * day + hour + 1) * _HOUR_US for hour in range(24) for _ in names]
        # Customers of the third phase have another voltage.
        volts = [voltage if name[0] == "M" and int(name[1:]) % 3 == 2 else 230.0 for name in names]
        await writer.write(batch(names * 24, times, consumption_kwh=values.reshape(-1).tolist(), voltage=volts * 24))


async def examined(url: str) -> list[Alert]:
    """Fold windows, count hours, examine until nothing is left to do; the signs that were raised."""
    await handed_on(url)
    outbox, told = GridPhysicsOutbox(url, LoadingRules(), BalanceRules(), ImbalanceRules()), list[Alert]()

    async def keep(signs: list[Alert]) -> None:
        told.extend(signs)

    while query(url, "SELECT FROM transformer_hours_due LIMIT 1"):
        await outbox.hand_on(keep)
    await outbox.hand_on(keep)
    await outbox.close()
    return told


async def test_theft_is_told_once_with_the_meter_that_explains_it(url: str, writer: Writer) -> None:
    thief, counted = 3, _USED.copy()
    counted[_THEFT_H:, thief] *= 0.1
    await writer.stores[0].register(entries())
    await send(writer, counted, flows())
    (one,) = [told for told in await examined(url) if told.kind == "unaccounted_energy"]
    assert (one.element, one.reasons) == ("transformer/T0", f"suspect meter/M{thief:02}")
    assert abs((one.occurred_at - _BEGIN).total_seconds() / 3_600 - _THEFT_H) <= 6
    assert [told for told in await examined(url) if told.kind == "unaccounted_energy"] == []
    (kept,) = conditions(url, None, "unaccounted_energy", 10, standing=True)
    assert kept.suspect == f"meter/M{thief:02}"
    until = datetime(2024, 1, 7, tzinfo=UTC)
    of = {found.transformer: found for found in balances(url, _BEGIN, until, 10)}
    sys.stdout.write(f"\n{of['T0'].model_dump_json()}\n{kept.model_dump_json()}\n")
    assert of["T0"].residual_share is not None
    assert of["T0"].residual_share > 0.05
    assert abs(of["T1"].residual_share or 1.0) < 0.02
    assert of["T0"].complete_hours >= 24 * _DAYS - 2
    assert len(balances(url, _BEGIN, until, 10, "T0")) >= _DAYS


async def test_what_turns_out_to_be_nothing_is_withdrawn(url: str, writer: Writer) -> None:
    counted = _USED.copy()
    counted[_THEFT_H:, :12] *= 0.5
    await writer.stores[0].register(entries())
    await send(writer, counted, flows())
    (one,) = [told for told in await examined(url) if told.kind == "unaccounted_energy"]
    assert one.severity == "critical"
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE transformer_hours SET own_uwh = round(customers_uwh * 1.02)::bigint WHERE transformer_id = "
            "(SELECT transformer_id FROM transformers WHERE name = 'T0')"
        )
        connection.execute("DELETE FROM grid_examined")
    await examined(url)
    assert query(url, "SELECT withdrawn FROM grid_conditions WHERE kind = 'unaccounted_energy'") == [(True,)]


async def test_a_customer_of_another_transformer_is_told_as_one(url: str, writer: Writer) -> None:
    await writer.stores[0].register(
        [
            entry.model_copy(update={"transformer": "T1"}) if entry.meter_number == "M05" else entry
            for entry in entries()
        ]
    )
    await send(writer, _USED, flows())
    told = [one for one in await examined(url) if one.kind in ("wrong_transformer", "unaccounted_energy")]
    assert [(one.element, one.reasons) for one in told] == [("meter/M05", "suspect transformer/T0")]


async def test_overload_and_imbalance_are_told_from_windows_and_phases(url: str, writer: Writer) -> None:
    await writer.stores[0].register(entries(rating_kva=2.0))
    await send(writer, _USED, flows(), voltage=219.0)
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO meter_intervals SELECT meter_id, 3600, '-infinity' FROM smart_meters")
    told = await examined(url)
    both = {"transformer/T0", "transformer/T1"}
    assert {one.element for one in told if one.kind == "phase_imbalance"} == both
    assert {(one.element, one.severity) for one in told if one.kind == "transformer_overload"} == {
        (element, "critical") for element in both
    }
    found = loads(url, _BEGIN, datetime(2024, 1, 7, tzinfo=UTC), None, 10)
    assert {one.transformer for one in found} == {"T0", "T1"}
    assert all(one.rating_kva == 2.0 and one.measured_by == "own_meter" for one in found)
    assert query(url, "SELECT count(*) FROM phase_imbalance WHERE voltage_imbalance > 0.02")[0][0] > 0
