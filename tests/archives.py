"""Archives for tests: instances as the accept path hands them over, and what must be true of an archive at any time."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from engine.archive.archive import Archive
from engine.archive.records import Incoming
from engine.archive.reindex import reindex
from engine.dicom.scan import scan
from engine.limits import Limits
from engine.types import Source

# Small enough that a few instances fill several segments, and that some are spooled.
LIMITS = Limits(segment_bytes=256 * 1024, spool_bytes=64 * 1024, disk_reserve_bytes=0)


def incoming(content: bytes, received_ns: int = 1, limits: Limits = LIMITS) -> Incoming:
    """An instance as `Archive.store` takes it."""
    scanned = scan(content, limits)
    at = scanned.data_set_offset
    return Incoming(
        scanned=scanned,
        content=content,
        data_set_sha256=hashlib.sha256(content[at:]).digest(),
        header_sha256=hashlib.sha256(content[:at]).digest(),
        received_ns=received_ns,
        source=Source("test", "peer"),
    )


def spooled(archive: Archive, content: bytes, received_ns: int = 1) -> Incoming:
    """The same, written to a spool first, as large instances are."""
    spool = archive.spool()
    archive.write_spool(spool, content)
    plain = incoming(content, received_ns)
    return Incoming(
        scanned=plain.scanned,
        content=spool,
        data_set_sha256=plain.data_set_sha256,
        header_sha256=plain.header_sha256,
        received_ns=received_ns,
        source=plain.source,
    )


def problems(archive: Archive) -> list[str]:
    """What `verify` finds wrong."""
    return [f"{c.sop_instance_uid}: {c.problem}" for c in archive.upkeep().verify() if c.problem]


def assert_reindex_is_equal(path: Path, limits: Limits = LIMITS) -> None:
    """Deleting ``index.lmdb`` and building it again gives the same index. Nobody may have the archive open."""
    archive = Archive.open(path, limits)
    before = archive.dump()
    archive.close()
    shutil.rmtree(path / "index.lmdb")
    reindex(path, limits)
    archive = Archive.open(path, limits, mode="read")
    after = archive.dump()
    archive.close()
    for table, rows in before.items():
        assert after[table] == rows, table
