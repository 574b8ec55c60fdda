"""Payloads that are no readings: what real feeds carry when firmware, cables or software go wrong."""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from schemas.rejected import MAX_KEPT_BYTES
from simulators.randomness import draw, salt

_NOISE = salt("garbage")


class Garbage(NamedTuple):
    """Bytes that are no reading.

    Attributes:
        due_s: when they are sent, seconds since the epoch.
        meter: who sends them, position in the grid.
        payload: what is sent.
    """

    due_s: float
    meter: int
    payload: bytes


def digest(payload: bytes) -> str:
    """Return what stands for a payload in labels: of a long one its beginning, as rejects keep no more."""
    return hashlib.sha256(payload[:MAX_KEPT_BYTES]).hexdigest()[:16]


def garbage_bytes(bits: int, size: int) -> bytes:
    """Return a payload of about some size that no decoder can read as a reading; equal bits give equal bytes."""
    return _FORMS[bits % len(_FORMS)](bits, max(1, size))


def _noise(bits: int, size: int) -> bytes:
    entity = np.full(-(-size // 8), bits, dtype=np.uint64)
    # A lone continuation byte first: such bytes are not UTF-8, whatever follows.
    return b"\x9d" + draw(entity, _NOISE, np.arange(len(entity))).tobytes()[: size - 1]


def _cut_off(bits: int, size: int) -> bytes:
    return (b'{"meter_number":"M%d' % bits + b"0" * size)[:size]


def _no_meter(bits: int, _size: int) -> bytes:
    return b'{"reading_time":"2026-01-01T00:00:00Z","consumption_kwh":%d.5}' % (bits >> 40)


def _words(bits: int, size: int) -> bytes:
    return b'"' + (b"ERR 0x%016x modem busy " % bits * (size // 36 + 1))[:size] + b'"'


def _wrong_type(bits: int, _size: int) -> bytes:
    return b'{"meter_number":"?","reading_time":"not yet","consumption_kwh":"n/a %x"}' % bits


def _nothing(_bits: int, _size: int) -> bytes:
    return b"null"


_FORMS: tuple[Callable[[int, int], bytes], ...] = (_noise, _cut_off, _no_meter, _words, _wrong_type, _nothing)
