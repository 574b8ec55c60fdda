"""The next item is made while the last one is used, in order, and errors are not lost."""

import threading
from collections.abc import Iterator

import pytest

from stream.simulate.ahead import ahead


def test_items_come_in_order_and_all() -> None:
    assert list(ahead(range(100))) == list(range(100))


def test_the_next_item_is_made_meanwhile() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        made.set()
        yield 2

    stream = ahead(items())
    assert next(stream) == 1
    assert made.wait(5)
    assert list(stream) == [2]


def test_an_error_of_the_maker_is_raised_where_the_items_are_used() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    stream = ahead(items())
    assert next(stream) == 1
    with pytest.raises(ValueError, match="no more"):
        next(stream)


def test_leaving_early_ends_the_maker() -> None:
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    before = threading.active_count()
    stream = ahead(endless())
    assert next(stream) == 0
    stream.close()
    assert threading.active_count() == before
