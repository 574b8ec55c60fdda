"""What was asked of a demo."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """What was asked for.

    Attributes:
        meters: size of the fleet.
        seed: of everything that is invented.
        seconds: how long to feed [s]; None until somebody ends it.
        report: where the figures go.
        purge: remove the data in the end.
        data: folder of recorded data sets; None for the one beside the checkout.
    """

    meters: int
    seed: int
    seconds: float | None = None
    report: Path | None = None
    purge: bool = False
    data: Path | None = None
