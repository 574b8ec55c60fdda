"""Passes over readings that are machine code: numba compiles them once, and a restart loads what it made.

Such a pass takes readings one after another, each after what its meter showed before, which numpy could only do by
going through a batch again and again. It does not hold the interpreter's lock.

Numba knows what it has kept by the file of a function alone, and does not notice that something it calls, or a
constant, has changed in another file. So code is kept in a folder that is named after all sources of this room.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba as nb
import numpy as np
import numpy.typing as npt

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T", bound=np.generic)

# Passes allocate nothing (`_nrt`): otherwise each of thirty columns is counted whenever they are handed over, which
# takes longer than all the rest. Dividing by zero gives what it gives in numpy.
_COMPILE: Any = nb.njit
_HOW = {"error_model": "numpy", "_nrt": False}
_CONFIG: Any = nb.config
_SOURCES = sorted(Path(__file__).parent.rglob("*.py"))
_DIGEST = hashlib.sha256(b"\0".join(source.read_bytes() for source in _SOURCES)).hexdigest()[:16]


def compiled(function: F) -> F:
    """Compile a pass when it is first called with arguments of some kinds."""
    before, _CONFIG.CACHE_DIR = _CONFIG.CACHE_DIR, _folder()
    try:
        return cast("F", _COMPILE(nogil=True, cache=True, **_HOW)(function))
    except RuntimeError:  # no folder can be written to: it is compiled at each start
        return cast("F", _COMPILE(nogil=True, **_HOW)(function))
    finally:
        _CONFIG.CACHE_DIR = before


def part(function: F) -> F:
    """Let compiled passes contain a function wherever they call it."""
    return cast("F", _COMPILE(inline="always", **_HOW)(function))


def own(column: npt.NDArray[T]) -> npt.NDArray[T]:
    """Return a column as compiled passes want all of them; one that may not be written to is another type for numba."""
    return np.require(column, requirements=["C_CONTIGUOUS", "WRITEABLE"])


def _folder() -> str:
    """Return where code of these sources is kept: as the user wants, beside the sources, or in the user's cache."""
    wanted = Path(_CONFIG.CACHE_DIR) if _CONFIG.CACHE_DIR else Path(__file__).parent / "__pycache__"
    for base in (wanted, Path.home() / ".cache" / "meterstream"):
        try:
            (found := base / f"compiled-{_DIGEST}").mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        return str(found)
    return ""
