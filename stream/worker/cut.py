"""What every partition's flow does last: cut from a step what the database does not have yet."""

import numpy as np

from processors.record_sources import Runs, changes
from schemas.delivery import Position, Progress
from schemas.errors import StepMissing
from schemas.layout import Mask
from schemas.rejected import Rejected
from stream.worker.intake import AnyStep


def due_rows(step: AnyStep, position: Position) -> Mask | None:
    """Say which rows of a step the database does not have yet; None where it has the whole step.

    Raises:
        StepMissing: an earlier step never took effect; going on would lose its records.
    """
    if step.first_offset > position.next_offset:
        raise StepMissing(step.partition, position.next_offset, step.first_offset)
    if step.next_offset <= position.next_offset:
        return None
    return np.asarray(step.offset >= position.next_offset)


def due_rejects(step: AnyStep, position: Position) -> list[Rejected]:
    """Return what a step rejected at offsets that the database does not have yet."""
    return [item for item, at in zip(step.rejected, step.rejected_at, strict=True) if at >= position.next_offset]


def progress_of(
    step: AnyStep,
    position: Position,
    watermark_us: int,
    rows: int,
    rejected: int,
    lost_records: int,
    sources: Runs = (),
) -> Progress:
    """Return how far a step moves its partition; `sources` are runs of its records."""
    changed = changes(sources, position.source, position.next_offset)
    return Progress(
        partition=step.partition,
        expected=position.next_offset,
        next_offset=step.next_offset,
        watermark_us=watermark_us,
        readings=rows + rejected,
        rejected=rejected,
        lost_records=lost_records,
        source=changed[-1][1] if changed else position.source,
        sources=changed,
    )
