"""What is stored, counted over the whole index."""

from __future__ import annotations

from pathlib import Path
from stat import S_ISREG

from engine.archive.packing import unpack_instance
from engine.archive.ports import SegmentSize, Snapshot
from engine.archive.records import ArchiveStats


def measure(view: Snapshot, segments: dict[int, SegmentSize], index_bytes: int, path: Path | None) -> ArchiveStats:
    """Read every instance record once."""
    syntaxes: dict[str, int] = {}
    instance_bytes = 0
    oldest: int | None = None
    newest: int | None = None
    for _, data in view.scan("instances"):
        record = unpack_instance(data)
        syntaxes[record.transfer_syntax_uid] = syntaxes.get(record.transfer_syntax_uid, 0) + 1
        instance_bytes += record.location.length
        oldest = record.received_ns if oldest is None else min(oldest, record.received_ns)
        newest = record.received_ns if newest is None else max(newest, record.received_ns)
    defects: dict[str, int] = {}
    for key, _ in view.scan("defects"):
        code = key.partition(b"\0")[0].decode()
        defects[code] = defects.get(code, 0) + 1
    patients = {key.split(b"\0")[0] for key, _ in view.scan("keys", b"I", b"J")}
    renditions = (path / "renditions").rglob("*") if path is not None else ()
    return ArchiveStats(
        patients=len(patients),
        studies=view.count("studies"),
        series=view.count("series"),
        instances=view.count("instances"),
        instance_bytes=instance_bytes,
        segment_count=len(segments),
        segment_bytes=sum(s.size_bytes for s in segments.values()),
        index_bytes=index_bytes,
        rendition_bytes=sum(map(_size, renditions)),
        conflicts=view.count("versions"),
        defects=defects,
        transfer_syntaxes=syntaxes,
        oldest_received_ns=oldest,
        newest_received_ns=newest,
    )


def _size(path: Path) -> int:
    """Of a file; derived data may go at any moment."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0
    return status.st_size if S_ISREG(status.st_mode) else 0
