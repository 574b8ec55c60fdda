"""What a sink is: the store keeps everything for good, the latest-value sinks keep what can be made again."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from schemas.alerts import Alert
from schemas.delivery import Delivery, Position, Rows, Stored, StoredRows
from schemas.layout import Ints
from schemas.meter_class import Codes
from schemas.registry import RegistryEntry
from schemas.rejected import Rejected

#: Called with the store's verdict while its transaction is still open.
BeforeCommit = Callable[[Stored], Awaitable[None]]

R = TypeVar("R", bound=StoredRows[Any])
R_contra = TypeVar("R_contra", bound=StoredRows[Any], contravariant=True)


class Journal(Protocol[R]):
    """Where the rows of one topic are kept for good.

    Guarantee: each delivery takes effect wholly and once, or not at all.
    """

    async def open(self) -> None:
        """Connect; called once, before anything else.

        Raises:
            ServiceUnavailable: try again later.
        """

    async def position(self, topic: str, topic_id: str, partition: int, first_offset: int) -> Position:
        """Return where a partition stands; one never seen starts at `first_offset`."""

    async def resolve(self, keys: Sequence[str]) -> tuple[Ints, Ints]:
        """Return database keys, and those of their groups (0 without one); unknown keys are made known first."""

    async def write(self, delivery: Delivery[R], before_commit: BeforeCommit) -> Stored:
        """Store a delivery in one transaction, calling `before_commit` as the last thing before its commit.

        Raises:
            OffsetConflict: another worker has moved one of the partitions.
            RowsRefused: nothing was stored, and with these rows nothing ever will be.
            ServiceUnavailable: nothing was stored; try again later.
        """

    async def keep_alerts(self, alerts: Sequence[Alert]) -> None:
        """Keep alerts that no row of a topic has shown; one that is there already stays as it is.

        Raises:
            ServiceUnavailable: try again later; repeating is safe.
        """

    async def close(self) -> None:
        """Disconnect; never called before `open`, and nothing is called after."""


class Store(Journal[Rows], Protocol):
    """Where readings, the registry of meters and all rejects are kept; keys are meters, groups their transformers."""

    async def standing(self, meter_numbers: Sequence[str]) -> tuple[Codes, Codes]:
        """Return codes of class and status (`schemas.meter_class`) of meters that `resolve` has made known."""

    async def register(self, entries: Sequence[RegistryEntry], arrived_at: Sequence[datetime] = ()) -> None:
        """Take over where meters stand in the grid, and since when: a place holds until the next one.

        Args:
            entries: in the order of their coming.
            arrived_at: when each came, now by default; without a `valid_from` it holds since then, or, where nothing
                was known of its meter before, since ever.

        Raises:
            ServiceUnavailable: try again later; repeating is safe.
        """

    async def keep_rejected(self, rejected: Sequence[Rejected]) -> None:
        """Keep what was rejected; one that is there already stays as it is.

        Raises:
            ServiceUnavailable: try again later; repeating is safe.
        """


class Latest(Protocol[R_contra]):
    """Where newest values are kept for quick reading. Guarantee: an older reading never replaces a newer one."""

    async def open(self) -> None:
        """Connect; called once, before anything else."""

    async def write(self, rows: R_contra) -> int:
        """Keep the newest row of each key; return how many values were replaced.

        Raises:
            ServiceUnavailable: some may have been kept; writing the same rows again is safe.
        """

    async def close(self) -> None:
        """Disconnect."""
