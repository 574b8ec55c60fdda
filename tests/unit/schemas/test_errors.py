"""The error tree: what may be tried again says so, by class and not by message."""

import pytest

from schemas import errors
from schemas.errors import (
    ConfigurationError,
    MeterstreamError,
    MissingColumns,
    OffsetConflict,
    ServiceUnavailable,
)


def every_error() -> list[type[MeterstreamError]]:
    found = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, MeterstreamError)]
    assert len(found) > 5
    return found


@pytest.mark.parametrize("cls", every_error(), ids=lambda cls: cls.__name__)
def test_only_an_absent_service_is_worth_another_try(cls: type[MeterstreamError]) -> None:
    assert cls.retriable is (cls is ServiceUnavailable)


def test_errors_carry_their_facts() -> None:
    conflict = OffsetConflict("meters.raw", 3, expected=10, stored=12)
    assert (conflict.topic, conflict.partition, conflict.expected, conflict.stored) == ("meters.raw", 3, 10, 12)
    assert str(conflict) == "meters.raw[3]: expected next offset 10, the database holds 12"
    assert ServiceUnavailable("redis", "gone").service == "redis"
    assert MissingColumns(["a"], ["b"]).missing == ["a"]


def test_one_class_catches_all_that_we_raise_on_purpose() -> None:
    with pytest.raises(MeterstreamError):
        raise ConfigurationError("unknown setting")
