"""Counters of all processes of a server, in small mapped files, added up when someone asks (Prometheus text format).

A process writes only its own file, with its own lock; whoever answers ``/metrics`` reads them all.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

from engine import peer_metrics

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
KINDS = ("frame", "rendered", "metadata", "search", "retrieve", "store", "page", "changes", "other")
_CODES = ("2xx", "3xx", "4xx", "5xx", "gone")
_COUNTERS = {
    "instances_stored": "instances that are new in the archive",
    "instances_duplicate": "instances that were there already, byte for byte",
    "instances_conflict": "instances kept beside another with the same SOP Instance UID",
    "instances_failed": "instances that were refused",
    "received_bytes": "bytes of accepted instances",
    "sent_bytes": "bytes of answers",
    "index_commits": "commits of the index",
    "fdatasyncs": "waits for stable storage",
    "frames_decoded": "frames decoded",
    "frame_cache_hits": "decoded frames found in memory",
    "outbox_sent": "instances that other archives have taken from the outbox",
    "outbox_sent_bytes": "bytes of these",
    "outbox_failed": "instances that were refused for good, or could not be given as the peer takes them",
    "outbox_postponed": "times that an instance was to be sent again later",
    "outbox_calls_failed": "associations with peers that could not be made",
    "renditions_made": "packs of renditions published",
    "rendition_frames_made": "frames encoded for packs, and proven to come back as they were",
    "stream_sessions": "sessions of the stream that were opened",
    "stream_bytes": "bytes of the stream's binary messages: records with what they carry",
    "rendition_hits": "frames that a rendition answered instead of the stored bytes",
}
_NUMBER = struct.Struct("<d")


def _slots() -> dict[str, int]:
    names = list(_COUNTERS)
    names += [f"requests:{kind}:{code}" for kind in KINDS for code in _CODES]
    for kind in KINDS:
        names += [f"seconds:{kind}:{le}" for le in (*BUCKETS, "+Inf")] + [f"seconds_sum:{kind}"]
    return {name: 8 * i for i, name in enumerate(names)}


SLOTS = _slots()
_SENT = SLOTS["sent_bytes"] // 8
# Of a kind and code: its count, the first of the kind's buckets (they lie in their order, the endless one last), its seconds.
_REQUEST_SLOTS = {
    (kind, code): tuple(
        SLOTS[name] // 8 for name in (f"requests:{kind}:{code}", f"seconds:{kind}:{BUCKETS[0]}", f"seconds_sum:{kind}")
    )
    for kind in KINDS
    for code in _CODES
}


class Metrics:
    """One process's counters; any thread. With the names of `peers` it has theirs too, behind those that each process has."""

    def __init__(self, path: Path | None = None, peers: Sequence[str] = ()) -> None:
        self._peers = tuple(peers)
        self._slots = SLOTS | {name: 8 * at for at, name in enumerate(peer_metrics.names(peers), len(SLOTS))}
        size = 8 * len(self._slots)
        self._folder = path.parent if path is not None else None
        self._lock = threading.Lock()
        if path is None:
            self._map: mmap.mmap | bytearray = bytearray(size)
            self._cells = memoryview(self._map).cast("d")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.ftruncate(fd, size)
            self._map = mmap.mmap(fd, size)
        finally:
            os.close(fd)
        self._cells = memoryview(self._map).cast("d")

    def add(self, name: str, value: float = 1.0) -> None:
        at = self._slots[name] // 8
        with self._lock:
            self._cells[at] += value

    def request(self, kind: str, code: str, seconds: float, sent: int) -> None:
        """One answered request."""
        count, first_bucket, total = _REQUEST_SLOTS[kind, code]
        with self._lock:
            self._cells[count] += 1.0
            self._cells[first_bucket + bisect_left(BUCKETS, seconds)] += 1.0
            self._cells[total] += seconds
            self._cells[_SENT] += sent

    def requests(self, kind: str, code: str, number: int, seconds: float, sent: int, within: Sequence[int]) -> None:
        """Answered requests together; `within`: how many of them are in each of the `BUCKETS`, and beyond the last."""
        count, first_bucket, total = _REQUEST_SLOTS[kind, code]
        with self._lock:
            self._cells[count] += float(number)
            for at, some in enumerate(within, first_bucket):
                if some:
                    self._cells[at] += some
            self._cells[total] += seconds
            self._cells[_SENT] += sent

    def text(self) -> str:
        """All processes together, as Prometheus reads it."""
        total = self._totals()
        lines: list[str] = []
        for name, what in _COUNTERS.items():
            lines += [f"# HELP voxcast_{name}_total {what}", f"# TYPE voxcast_{name}_total counter"]
            lines.append(f"voxcast_{name}_total {total[name]:.16g}")
        lines += ["# HELP voxcast_requests_total answered requests", "# TYPE voxcast_requests_total counter"]
        for kind in KINDS:
            for code in _CODES:
                lines.append(
                    f'voxcast_requests_total{{kind="{kind}",code="{code}"}} {total[f"requests:{kind}:{code}"]:.16g}'
                )
        lines += ["# HELP voxcast_request_seconds time to answer", "# TYPE voxcast_request_seconds histogram"]
        for kind in KINDS:
            count = 0.0
            for le in (*BUCKETS, "+Inf"):
                count += total[f"seconds:{kind}:{le}"]
                lines.append(f'voxcast_request_seconds_bucket{{kind="{kind}",le="{le}"}} {count:.16g}')
            lines.append(f'voxcast_request_seconds_sum{{kind="{kind}"}} {total[f"seconds_sum:{kind}"]:.16g}')
            lines.append(f'voxcast_request_seconds_count{{kind="{kind}"}} {count:.16g}')
        return "\n".join([*lines, *peer_metrics.lines(self._peers, total)]) + "\n"

    def _totals(self) -> dict[str, float]:
        maps: list[bytes] = []
        if self._folder is None:
            maps.append(bytes(self._map))
        else:
            maps += [p.read_bytes() for p in sorted(self._folder.glob("*.counters"))]
        whole, first = 8 * len(self._slots), 8 * len(SLOTS)
        maps = [m for m in maps if len(m) >= first]
        # Who counts no peers, or others, has nothing behind the first part that is understood here.
        return {
            name: sum(_NUMBER.unpack_from(m, at)[0] for m in maps if at < first or len(m) == whole)
            for name, at in self._slots.items()
        }
