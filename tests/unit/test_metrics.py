"""What `/metrics` says is what was counted."""

from __future__ import annotations

from engine.metrics import Metrics


def test_counters_are_said_to_the_last_byte() -> None:
    metrics = Metrics()
    for bytes_sent in (145_622_117, 30_705_917, 7):
        metrics.add("stream_bytes", bytes_sent)
    assert f"\nvoxcast_stream_bytes_total {145_622_117 + 30_705_917 + 7}\n" in metrics.text()
