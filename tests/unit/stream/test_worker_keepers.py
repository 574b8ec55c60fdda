"""Records of topics that are kept as they are: read, passed over, or, of the registry, a meter that is gone."""

import pytest
from pydantic import ValidationError

from schemas.layout import instant_of
from schemas.registry import RegistryEntry
from schemas.rejected import Rejected
from stream.worker.intake import Record
from stream.worker.keepers import json_of, registry_entry

CAME_US = 1_780_000_000_000_000


def test_an_entry_comes_with_the_time_of_its_coming() -> None:
    found = registry_entry(Record(0, b'{"meter_number":"M1","transformer":"T1"}', None, CAME_US))
    assert found == (RegistryEntry(meter_number="M1", transformer="T1"), instant_of(CAME_US))


def test_a_record_without_a_value_says_that_the_meter_of_its_key_is_gone() -> None:
    found = registry_entry(Record(0, b"", None, CAME_US, key=b"M1"))
    assert found == (RegistryEntry(meter_number="M1", status="unregistered"), instant_of(CAME_US))
    assert registry_entry(Record(0, b"", None, CAME_US)) is None


def test_what_cannot_be_an_entry_is_invalid() -> None:
    for record in (Record(0, b"{}", None, CAME_US), Record(0, b"", None, CAME_US, key=b"M" * 51)):
        with pytest.raises(ValidationError):
            registry_entry(record)


def test_a_record_of_another_topic_without_a_value_says_nothing() -> None:
    assert json_of(Rejected)(Record(0, b"", None, CAME_US)) is None
