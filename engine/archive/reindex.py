"""Building the index again from the segments alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from engine.archive import index
from engine.archive.core import Core
from engine.archive.index import TABLES
from engine.archive.lmdb_engine import LmdbEngine
from engine.archive.lock import ServerLock, WriterLock
from engine.archive.ports import StoredMember, Tombstone
from engine.archive.segment_writer import sync_folder
from engine.archive.segments import SegmentStore
from engine.archive.writing import Writer
from engine.errors import InvalidParameter
from engine.limits import Limits
from engine.types import Location

_BATCH = 512


def reindex(path: Path, limits: Limits, progress: Callable[[int], None] = lambda n: None) -> int:
    """Replace ``index.lmdb`` by one made from the segments; returns the number of members read.

    No server, importer or other writer may be at work: `ArchiveLocked` says who is. The old index stays in place
    until the new one is complete.
    """
    folder = path / "segments"
    if not folder.is_dir():
        raise InvalidParameter("archive", str(path), "a folder with segments/")
    with ExitStack() as held:
        held.callback(ServerLock(path, "voxcast reindex").release)
        held.callback(WriterLock(path, is_alone=True).release)
        fresh, old = path / "index.new", path / "index.old"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        core = Core(
            LmdbEngine(fresh, TABLES, is_writable=True, is_replayed=True), SegmentStore(folder, limits), limits, path
        )
        try:
            core.write(index.check_schema)
            count = _fill(core, progress)
            core.engine.flush()
        finally:
            core.close()
        sync_folder(fresh)
        shutil.rmtree(old, ignore_errors=True)
        if (path / "index.lmdb").exists():
            (path / "index.lmdb").rename(old)
        fresh.rename(path / "index.lmdb")
        sync_folder(path)
        shutil.rmtree(old, ignore_errors=True)
    return count


def _fill(core: Core, progress: Callable[[int], None]) -> int:
    # Tombstones may stand before what they delete once compaction has moved them: they are read first.
    deleted: set[Location] = {m.content.location for m in core.blobs.members() if isinstance(m.content, Tombstone)}
    # A new index begins a new feed: who follows it has to read the archive anew, so it need not say what is there.
    writer = Writer(core, replaces=False, is_logging=False)
    count = 0
    for batch in _batches(core.blobs.members()):
        writer.take(batch, deleted)
        count += len(batch)
        progress(count)
    return count


def _batches(members: Iterator[StoredMember]) -> Iterator[list[StoredMember]]:
    while batch := list(islice(members, _BATCH)):
        yield batch
