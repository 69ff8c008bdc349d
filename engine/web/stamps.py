"""Points in time as answers give them (RFC 3339)."""

from __future__ import annotations

from datetime import UTC, datetime


def when(ns: int) -> str:
    """Unix nanoseconds as ``2026-11-26T02:07:33.120Z``."""
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
