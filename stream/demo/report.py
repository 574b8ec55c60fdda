"""The demo's figures, as the report file holds them; pure."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from stream.demo.options import Options
from stream.demo.snapshot import Snapshot
from stream.reconcile.account import Reconciliation


@dataclass(frozen=True)
class Outcome:
    """Everything that the report tells of.

    Attributes:
        started_at: when the feed began.
        final: the last snapshot.
        proof: what Kafka and the database hold of the demo.
        refused: what the bridge could not read, as the topic of rejects tells.
        ready_s: when stack and engine were ready, since the command began [s].
        feed_s: from the first message to the last stored reading [s].
        peak_per_s: highest rate of storing over some seconds [readings/s].
        injected: anomalies that were sent.
        interrupted: somebody ended it early.
        restarts: how often a process of the engine was started again.
    """

    started_at: datetime
    final: Snapshot
    proof: Reconciliation
    refused: int
    ready_s: float
    feed_s: float
    peak_per_s: float
    injected: int
    interrupted: bool
    restarts: int

    @property
    def lost_before_kafka(self) -> int:
        """Readings that the MQTT broker had acknowledged and that are neither in Kafka nor among the rejects."""
        if self.proof.total.pending:
            return 0  # not known: some of them may be what is pending
        return max(0, self.final.published - self.proof.total.readings - self.refused)

    @property
    def unaccounted(self) -> int:
        """Readings that were acknowledged to the publisher and are nowhere."""
        return self.proof.total.unaccounted + self.lost_before_kafka

    @property
    def good(self) -> bool:
        """Whether something was stored and nothing is missing."""
        everything = self.proof.sound and self.unaccounted == 0 and not self.proof.total.pending
        return everything and self.proof.total.rows > 0


def as_json(outcome: Outcome, options: Options, versions: dict[str, str | None]) -> dict[str, Any]:
    """Return the report.

    Args:
        outcome: what came of the demo.
        options: what was asked for.
        versions: of everything that took part.
    """
    final, total = outcome.final, outcome.proof.total
    return {
        "readings_published": final.published,
        "bridged": total.readings,
        "stored": total.rows,
        "rejected": total.rejected + outcome.refused,
        "duplicates": total.duplicates,
        "alerts": final.alerts,
        "unaccounted": outcome.unaccounted,
        "readings_per_s": round(total.rows / outcome.feed_s, 1) if outcome.feed_s > 0 else 0.0,
        "stored_per_s_peak": round(outcome.peak_per_s, 1),
        "alert_latency_ms": {
            "p50": final.latency.p50_ms,
            "p99": final.latency.p99_ms,
            "max": final.latency.max_ms,
            "measured": final.latency.count,
        },
        "first_stored_s": _rounded(final.first_stored_s),
        "first_alert_s": _rounded(final.first_alert_s),
        "ready_s": _rounded(outcome.ready_s),
        "feed_s": _rounded(outcome.feed_s),
        "anomalies_injected": outcome.injected,
        "lost_before_kafka": outcome.lost_before_kafka,
        "pending_records": total.pending,
        "sound": outcome.good,
        "interrupted": outcome.interrupted,
        "restarts": outcome.restarts,
        "quality": dict(final.totals.stored),
        "rejected_by_reason": dict(sorted(final.rejects.items())),
        "rejects": asdict(outcome.proof.rejects),
        "started_at": outcome.started_at.isoformat(timespec="seconds"),
        "meters": options.meters,
        "seed": options.seed,
        "seconds": options.seconds,
        "versions": versions,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
