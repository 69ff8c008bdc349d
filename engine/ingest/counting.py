"""What became of instances that came in, in the counters of /metrics; the same for every door."""

from __future__ import annotations

from engine.archive.records import StoreStatus
from engine.ingest.accept import Accepted
from engine.metrics import Metrics

_NAMES = {StoreStatus.STORED: "instances_stored", StoreStatus.DUPLICATE: "instances_duplicate"}


def count(metrics: Metrics, accepted: Accepted | None) -> None:
    """Of one instance; None for one that was refused."""
    if accepted is None:
        metrics.add("instances_failed")
        return
    metrics.add(_NAMES.get(accepted.status, "instances_conflict"))
    metrics.add("received_bytes", accepted.length)
