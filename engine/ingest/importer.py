"""Importing files, folders, zip and tar files and DICOMDIRs: safe to repeat, one event for each file."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from engine.archive.linux import read_through
from engine.errors import ArchiveFault, EngineError, NotDicom
from engine.ingest.accept import Accepted, Acceptor
from engine.ingest.entries import find_entries, reason
from engine.ingest.entry import Entry
from engine.limits import MIB, Limits
from engine.types import Source

# Loaded but not yet durable: enough that a group commit finds company, bounded by accept_queue_bytes_max in bytes.
_AHEAD = 256


@dataclass(frozen=True, slots=True)
class ImportEvent:
    """What became of one file: `accepted`, or the reason of its `failure`, or why it was `skipped`."""

    name: str
    accepted: Accepted | None = None
    failure: str = ""
    skipped: str = ""


def import_paths(
    paths: list[Path], acceptor: Acceptor, limits: Limits, threads: int = 3
) -> Generator[ImportEvent, None, None]:
    """Import all that is below `paths`; yields in the order of the files. Ends early only on an `ArchiveFault`.

    Reading, scanning and hashing run on `threads` threads; memory does not grow with the number or size of the files.

    Raises
    ------
    ArchiveFull, ArchiveReadOnly
        Nothing more can be stored; what was yielded before is safe.
    """
    source = Source("import")
    with ThreadPoolExecutor(threads, "import") as pool:
        waiting: deque[tuple[Entry, Future[Future[Accepted]] | ImportEvent]] = deque()
        try:
            for entry in find_entries(paths, limits):
                waiting.append((entry, _begin(entry, pool, acceptor, limits, source)))
                while len(waiting) > _AHEAD or (waiting and _is_done(waiting[0][1])):
                    yield _event(*waiting.popleft())
            while waiting:
                yield _event(*waiting.popleft())
        finally:
            for _, begun in waiting:
                if isinstance(begun, Future):
                    begun.cancel()


def _begin(
    entry: Entry, pool: ThreadPoolExecutor, acceptor: Acceptor, limits: Limits, source: Source
) -> Future[Future[Accepted]] | ImportEvent:
    if entry.failure or entry.skipped:
        return ImportEvent(entry.name, failure=entry.failure, skipped=entry.skipped)
    if entry.path is not None:
        return pool.submit(_load_file, entry.path, acceptor, limits, source)
    # Members of a zip or tar file share one stream: they are read here, in order, and hashed here.
    done: Future[Future[Accepted]] = Future()
    try:
        assert entry.open_stream is not None
        with entry.open_stream() as stream:
            done.set_result(_load_stream(stream, entry.size, acceptor, limits, source))
    except Exception as error:  # noqa: BLE001 - becomes this entry's event
        done.set_exception(error)
    return done


def _load_file(path: Path, acceptor: Acceptor, limits: Limits, source: Source) -> Future[Accepted]:
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= limits.spool_bytes:
            return acceptor.submit(read_through(file.fileno(), size), source)
        return _load_stream(file, size, acceptor, limits, source)


def _load_stream(stream: IO[bytes], size: int, acceptor: Acceptor, limits: Limits, source: Source) -> Future[Accepted]:
    """Through a spool, 1 MiB at a time. A member that gives more than it said is cut there: it is a bomb."""
    spool = acceptor.open_spool(source)
    try:
        while piece := stream.read(MIB):
            if size < 0 or spool.length + len(piece) <= size:
                spool.write(piece)
            else:
                raise NotDicom("it unpacks to more than its directory says")
        return spool.finish()
    except BaseException:
        spool.abort()
        raise


def _is_done(begun: Future[Future[Accepted]] | ImportEvent) -> bool:
    if isinstance(begun, ImportEvent) or not begun.done():
        return isinstance(begun, ImportEvent)
    return begun.exception() is not None or begun.result().done()


def _event(entry: Entry, begun: Future[Future[Accepted]] | ImportEvent) -> ImportEvent:
    if isinstance(begun, ImportEvent):
        return begun
    try:
        return ImportEvent(entry.name, begun.result().result())
    except ArchiveFault:
        raise
    except EngineError as error:
        return ImportEvent(entry.name, failure=str(error))
    except OSError as error:
        return ImportEvent(entry.name, failure=reason(error))
    except Exception as error:  # noqa: BLE001 - the standard library's unpackers raise many kinds; one file must not cost the rest
        return ImportEvent(entry.name, failure=f"cannot be unpacked: {error or type(error).__name__}")
