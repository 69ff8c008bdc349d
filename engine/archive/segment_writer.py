"""The one segment that this process appends to: claimed by a lock, preallocated, made durable by one fdatasync."""

from __future__ import annotations

import errno
import fcntl
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.archive.linux import begin_writeback, write_through
from engine.archive.member import END, HEADER_BYTES, SEALED, pack_header, padded
from engine.archive.ports import MemberMeta, StoredMember, Tombstone
from engine.archive.records import Spooled
from engine.archive.segment_file import segment_numbers, segment_path
from engine.errors import ArchiveFull, ArchiveReadOnly
from engine.limits import MIB
from engine.types import Buffer, Location

# One allocation for some hundred CT slices: fdatasync then has no size of the file to write (0.38 against 0.69 ms).
_ALLOCATE_BYTES = 64 * MIB
_SEAL_BYTES = HEADER_BYTES + len(END)
_IOV_MAX = 1000
_CHUNK_BYTES = 1 * MIB  # written at once
_WRITEBACK_BYTES = 4 * MIB  # the disk begins with these while the next are copied


def lock_segment(path: Path) -> int | None:
    """A descriptor that holds the segment's lock, or None: another process writes there, or it is gone."""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Someone may have removed an empty segment between our open and our lock.
        if path.stat().st_ino == os.fstat(fd).st_ino:
            return fd
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(fd)
    return None


def create_segment(folder: Path) -> tuple[int, int]:
    """Number and locked descriptor of a new segment behind all others; its name is on disk."""
    number = (segment_numbers(folder) or [0])[-1] + 1
    while True:
        path = segment_path(folder, number)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            number += 1
            continue
        except OSError as error:
            raise disk_fault(str(folder.parent), error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = path.stat().st_ino == os.fstat(fd).st_ino
        except (BlockingIOError, FileNotFoundError):
            is_ours = False
        if not is_ours:  # another process found it before we had locked it: it has adopted or removed it
            os.close(fd)
            number += 1
            continue
        try:
            sync_folder(folder)
        except OSError as error:
            path.unlink(missing_ok=True)
            os.close(fd)
            raise disk_fault(str(folder.parent), error) from error
        return number, fd


def write_all(fd: int, pieces: Sequence[Buffer], at: int, *, is_bulk: bool = False) -> None:
    """Write the pieces behind each other; a disk that fills up may take a part of them and only then say so."""
    write = write_through if is_bulk else os.pwritev
    views = deque(memoryview(piece).cast("B") for piece in pieces if len(piece))
    begun = at  # the disk has been asked to write what lies before this
    while views:
        chunk: list[memoryview] = []
        size = 0
        while views and size < _CHUNK_BYTES and len(chunk) < _IOV_MAX:
            view = views.popleft()
            if len(view) > _CHUNK_BYTES - size:
                views.appendleft(view[_CHUNK_BYTES - size :])
                view = view[: _CHUNK_BYTES - size]
            chunk.append(view)
            size += len(view)
        written = write(fd, chunk, at)
        at += written
        if at - begun >= _WRITEBACK_BYTES:
            begin_writeback(fd, begun, at - begun)
            begun = at
        if written < size:
            views.extendleft(reversed(_behind(chunk, written)))


def _behind(chunk: list[memoryview], written: int) -> list[memoryview]:
    """What is left of a chunk of which this many bytes were written."""
    while written >= len(chunk[0]):
        written -= len(chunk.pop(0))
    return [chunk[0][written:], *chunk[1:]]


def sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class SegmentWriter:
    """Appends to the active segment; one thread at a time.

    Attributes
    ----------
    read_only_reason : str
        Not empty after a failed write or sync. A failed fsync must not be repeated (the kernel forgets the dirty
        pages), so nothing more is acknowledged until a restart has looked at what is there.
    """

    def __init__(
        self, folder: Path, segment_bytes: int, reserve_bytes: int, is_bulk: bool, on_sync: Callable[[], None]
    ) -> None:
        self._folder, self._segment_bytes, self._on_sync = folder, segment_bytes, on_sync
        self._is_bulk = is_bulk
        self._reserve_bytes = reserve_bytes
        self._fd = -1
        self._segment = self._end = self._allocated = self._before = 0
        self._spools: list[Spooled] = []
        self._syncer: ThreadPoolExecutor | None = None
        self._synced = (0, 0)  # segment, and up to where
        self.read_only_reason = ""

    def adopt(self, segment: int, fd: int, end: int) -> bool:
        """Go on with a recovered segment (locked, cut at `end`) unless there is one already."""
        if self._fd >= 0:
            return False
        self._segment, self._fd, self._end, self._allocated = segment, fd, end, end
        return True

    def append(self, members: Sequence[tuple[MemberMeta | Tombstone, Buffer | Spooled]]) -> list[StoredMember]:
        if self.read_only_reason:
            raise ArchiveReadOnly(str(self._folder.parent), self.read_only_reason)
        small = [(meta, content) for meta, content in members if not isinstance(content, Spooled)]
        self._before, self._spools = self._end, []
        places = iter(self._append_small(small) if small else [])
        try:
            return [
                self._publish(meta, content) if isinstance(content, Spooled) else next(places)
                for meta, content in members
            ]
        except BaseException:
            self.retract()
            raise

    def sync(self) -> Callable[[], None]:
        """See `BlobLane.sync`; streams are synced already."""
        if self._end == self._before:
            return lambda: None
        if self._syncer is None:
            self._syncer = ThreadPoolExecutor(1, "sync")
        return self._syncer.submit(self._sync_to, self._fd, self._segment, self._end).result

    def has_synced(self, location: Location) -> bool:
        """Whether this writer itself has made that place durable, as far as it remembers; any thread."""
        segment, end = self._synced
        return segment == location.segment and location.offset < end

    def retract(self, doubt: str = "") -> None:
        """Cut the last `append` off; it was not acknowledged. See `BlobStore.retract`."""
        if doubt:
            self.read_only_reason = self.read_only_reason or doubt
            return
        if self._fd >= 0 and not self.read_only_reason:
            self._cut(self._before)
        self._spools = []

    def seal(self) -> None:
        """Close the active segment for ever: its last member says so, and the rest of the space is given back."""
        if self._fd < 0:
            return
        try:
            write_all(self._fd, [pack_header(SEALED, 0), END], self._end)
            os.ftruncate(self._fd, self._end + _SEAL_BYTES)
        except OSError as error:
            raise self._failed(error) from error
        self.sync_now(self._fd)
        self._release()

    def close(self) -> None:
        """Give back preallocated space and the claim; an empty segment goes altogether."""
        if self._syncer is not None:
            self._syncer.shutdown()
        if self._fd >= 0:
            if not self.read_only_reason:
                self._cut(self._end)
                if self._end == 0:
                    segment_path(self._folder, self._segment).unlink(missing_ok=True)
            self._release()

    def _append_small(self, members: Sequence[tuple[MemberMeta | Tombstone, Buffer]]) -> list[StoredMember]:
        total = sum(HEADER_BYTES + padded(len(content)) for _, content in members)
        if self._fd >= 0 and self._end and self._end + total > self._segment_bytes:
            self.seal()
        if self._fd < 0:
            self._segment, self._fd = self.create()
            self._end = self._allocated = 0
        stored, pieces, at = [], [], self._end
        for meta, content in members:
            size = len(content)
            pieces += [pack_header(meta, size), content, bytes(padded(size) - size)]
            start, at = at + HEADER_BYTES, at + HEADER_BYTES + padded(size)
            stored.append(StoredMember(Location(self._segment, start, size), meta, at))
        self._before = self._end
        try:
            if at + _SEAL_BYTES > self._allocated:
                self._allocate(at + _SEAL_BYTES, any(isinstance(meta, MemberMeta) for meta, _ in members))
            write_all(self._fd, pieces, self._end, is_bulk=self._is_bulk)
        except OSError as error:
            raise self._failed(error) from error
        self._end = at
        return stored

    def create(self) -> tuple[int, int]:
        """A new segment, number and descriptor; see `create_segment`."""
        try:
            return create_segment(self._folder)
        except ArchiveReadOnly as error:
            self.read_only_reason = error.reason
            raise

    def check_room(self, fd: int, bytes_wanted: int) -> None:
        """Raises OSError (ENOSPC) when instances may not have this much more of the disk."""
        free = os.fstatvfs(fd)
        if free.f_bavail * free.f_frsize < bytes_wanted + self._reserve_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _allocate(self, end: int, is_for_instances: bool) -> None:
        """Get blocks up to `end`, and as many more as are usual where there are enough.

        Tombstones may have the reserve: on a full disk deleting must still be possible.
        """
        needed = end - self._allocated
        usual = min(max(_ALLOCATE_BYTES, needed), max(end, self._segment_bytes + _SEAL_BYTES) - self._allocated)
        try:
            self.check_room(self._fd, usual)
        except OSError:
            if is_for_instances:
                self.check_room(self._fd, needed)
            usual = needed
        os.posix_fallocate(self._fd, self._allocated, usual)
        self._allocated = os.fstat(self._fd).st_size

    def _publish(self, meta: MemberMeta | Tombstone, spool: Spooled) -> StoredMember:
        """Write the header in front of a spooled stream and seal its segment."""
        end = spool.offset + padded(spool.length)
        self._spools.append(spool)
        try:
            tail = [bytes(end - spool.offset - spool.length), pack_header(SEALED, 0), END]
            write_all(spool.fd, [pack_header(meta, spool.length)], spool.offset - HEADER_BYTES)
            write_all(spool.fd, tail, spool.offset + spool.length)
        except OSError as error:
            raise self._failed(error) from error
        self.sync_now(spool.fd)
        return StoredMember(Location(spool.segment, spool.offset, spool.length), meta, end)

    def published(self) -> None:
        """The index has the last `append`, or may have it: descriptors of its spooled streams are given up."""
        for spool in self._spools:
            spool.publish()
        self._spools = []

    def _sync_to(self, fd: int, segment: int, end: int) -> None:
        self.sync_now(fd)
        self._synced = (segment, end)

    def sync_now(self, fd: int) -> None:
        """fdatasync, never repeated after a failure."""
        try:
            os.fdatasync(fd)
        except OSError as error:
            self.read_only_reason = f"a sync failed: {os.strerror(error.errno or 0)}"
            raise ArchiveReadOnly(str(self._folder.parent), self.read_only_reason) from error
        self._on_sync()

    def _failed(self, error: OSError) -> ArchiveFull | ArchiveReadOnly:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            self._cut(self._end)
        else:
            self.read_only_reason = f"a write failed: {error.strerror}"
        return disk_fault(str(self._folder.parent), error)

    def _cut(self, end: int) -> None:
        if self._fd >= 0:
            try:
                os.ftruncate(self._fd, end)
            except OSError as error:
                self.read_only_reason = self.read_only_reason or f"a segment could not be cut: {error.strerror}"
                return
            self._end = self._allocated = end

    def _release(self) -> None:
        os.close(self._fd)
        self._fd = -1


def disk_fault(archive: str, error: OSError) -> ArchiveFull | ArchiveReadOnly:
    """What an error of the disk means for the operator."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ArchiveFull(archive)
    return ArchiveReadOnly(archive, f"a write failed: {error.strerror}")
