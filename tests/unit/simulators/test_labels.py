"""Labels say what happened to whom, and the registry says what is written down, right or wrong."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from schemas.registry import RegistryEntry
from simulators.faults import CLASSES, FLEET_CLASSES, FaultClass
from simulators.grid import Grid
from simulators.labels import labels, moment, read_labels, write_labels
from simulators.local_time import DAY_S, day_of
from simulators.profile import FaultRate, Profile, load_profile
from simulators.registry import named_transformers, registry, registry_rows, transformer_registry
from simulators.schedule import Events, Window, schedule

GRID = Grid.build(1_500, 7)
WINDOW = Window(5_900 * DAY_S, 5_901 * DAY_S, 900)
FAULTS = schedule(load_profile("showcase"), GRID, 7, WINDOW)
TRUTH = list(labels(FAULTS, GRID))


def test_there_is_one_label_per_fault_with_an_id_of_its_own() -> None:
    assert [label.fault for label in TRUTH] == [CLASSES[event.fault] for event in FAULTS]
    assert len({label.label_id for label in TRUTH}) == len(TRUTH)
    assert {label.fault for label in TRUTH} == FLEET_CLASSES


def test_a_label_names_every_meter_that_the_fault_touched() -> None:
    for label, event in zip(TRUTH, FAULTS, strict=True):
        assert len(label.meters) == event.last - event.first
        assert label.meters[0] == GRID.meter_numbers[event.first].decode()


def test_a_feeder_outage_names_the_meters_of_its_feeder() -> None:
    (outage,) = [label for label in TRUTH if label.fault is FaultClass.FEEDER_OUTAGE]
    feeder = int(outage.element[1:])
    assert outage.element.startswith("F")
    assert outage.meters == [number.decode() for number in GRID.meter_numbers[GRID.meter_feeder == feeder]]


def test_labels_survive_the_file(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.parquet", TRUTH)
    assert read_labels(tmp_path / "labels.parquet") == TRUTH


def test_a_run_without_faults_has_an_empty_file(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.parquet", [])
    assert read_labels(tmp_path / "labels.parquet") == []


def test_moments_and_day_numbers_agree() -> None:
    assert moment(day_of(datetime(2026, 5, 4, tzinfo=UTC)) * DAY_S) == datetime(2026, 5, 4, tzinfo=UTC)


def test_without_faults_the_registry_tells_the_truth() -> None:
    assert (named_transformers(GRID, Events.none()) == GRID.meter_transformer).all()
    assert registry(GRID).num_rows == GRID.meters


def test_a_wrong_transformer_is_another_one_of_the_feeder_and_stands_in_the_label() -> None:
    named = named_transformers(GRID, FAULTS)
    wrong = {label.meters[0]: label.detail for label in TRUTH if label.fault is FaultClass.WRONG_TRANSFORMER}
    moved = (named != GRID.meter_transformer).nonzero()[0]
    assert {GRID.meter_numbers[meter].decode(): f"T{named[meter]:06d}" for meter in moved} == wrong
    assert (GRID.transformer_feeder[named[moved]] == GRID.meter_feeder[moved]).all()


def test_a_grid_of_one_transformer_has_no_wrong_one() -> None:
    tiny = Grid.build(10, 7)
    profile = Profile(faults={FaultClass.WRONG_TRANSFORMER: FaultRate(count=3)})
    faults = schedule(profile, tiny, 7, WINDOW)
    assert (named_transformers(tiny, faults) == tiny.meter_transformer).all()


@pytest.mark.parametrize("entries", [registry(GRID, FAULTS), transformer_registry(GRID)])
def test_registry_records_are_json_that_the_engine_takes(entries: object) -> None:
    keys, rows = registry_rows(entries)  # type: ignore[arg-type]
    for key, row in zip(keys[::97], rows[::97], strict=True):
        entry = RegistryEntry.model_validate_json(row)
        assert entry.meter_number.encode() == key
        assert entry.transformer
        assert entry.region
        assert entry.customer_class
        assert {"phases", "valid_from", "status"} <= set(orjson.loads(row))
        assert entry.transformer_kva
        assert (entry.phase == "L1L2L3") == (orjson.loads(row)["phases"] == 3)
