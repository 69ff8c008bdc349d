"""The blob store on tar segments in a folder; readers share descriptors, one writer per process."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from engine.archive.member import BLOCK, HEADER_BYTES, SEALED, pack_header, padded, parse_header
from engine.archive.ports import MemberMeta, SegmentSize, StoredMember, Tombstone
from engine.archive.records import Spooled
from engine.archive.segment_file import read_members, sealed_end, segment_numbers, segment_path
from engine.archive.segment_writer import SegmentWriter, create_segment, lock_segment
from engine.errors import ArchiveFull, ArchiveLocked, ArchiveReadOnly
from engine.types import Buffer, Location

_OPEN_FILES_MAX = 256
_PUNCH_HOLE, _KEEP_SIZE = 0x02, 0x01


class SegmentStore:
    """`BlobStore` and `BlobUpkeep` on ``segments/NNNNNN.tar``.

    Attributes
    ----------
    syncs : int
        fdatasync calls so far, for tests that count work.
    """

    def __init__(self, folder: Path, segment_bytes: int) -> None:
        self._folder = folder
        self._files: OrderedDict[int, FileIO] = OrderedDict()
        self._lock = threading.Lock()
        self._writer = SegmentWriter(folder, segment_bytes, self._count_sync)
        self.syncs = 0

    @property
    def read_only_reason(self) -> str:
        return self._writer.read_only_reason

    # -- reading

    def read(self, location: Location, start: int, length: int, cached_only: bool = False) -> bytes | bytearray | None:
        file = self._file(location.segment)  # kept alive by this name: closed only when the last reader is done
        at = location.offset + start
        if not cached_only:
            return os.pread(file.fileno(), length, at)
        buffer = bytearray(length)
        try:
            got = os.preadv(file.fileno(), [buffer], at, os.RWF_NOWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
                return None  # a file system without the flag: the caller reads on a thread
            raise
        return buffer if got == length else None

    def members(self, since: Mapping[int, int]) -> Iterator[StoredMember]:
        for segment in segment_numbers(self._folder):
            fd = os.open(segment_path(self._folder, segment), os.O_RDONLY)
            try:
                is_open = sealed_end(fd) is None
                yield from read_members(fd, segment, since.get(segment, 0), check_hashes=is_open, may_skip=True)
            finally:
                os.close(fd)

    def _file(self, segment: int) -> FileIO:
        with self._lock:
            file = self._files.get(segment)
            if file is None:
                file = self._files[segment] = FileIO(segment_path(self._folder, segment), "r")
                if len(self._files) > _OPEN_FILES_MAX:
                    self._files.popitem(last=False)
            else:
                self._files.move_to_end(segment)
            return file

    # -- writing

    def append(self, members: Sequence[tuple[MemberMeta | Tombstone, Buffer | Spooled]]) -> list[StoredMember]:
        self._writer.published()
        return self._writer.append(members)

    def retract(self) -> None:
        self._writer.retract()

    def spool(self) -> Spooled:
        if self.read_only_reason:
            raise ArchiveReadOnly(str(self._folder.parent), self.read_only_reason)
        segment, fd = create_segment(self._folder)
        return Spooled(segment, fd, HEADER_BYTES, segment_path(self._folder, segment))

    def recover(self, since: Mapping[int, int], take: Callable[[list[StoredMember]], None]) -> None:
        """After a crash: hand every whole member behind the indexed end to `take`, then cut what is torn.

        Segments that another living process writes to are left alone: it holds their locks.
        """
        for segment in segment_numbers(self._folder):
            path = segment_path(self._folder, segment)
            if self._is_settled(path, since.get(segment, 0)):
                continue
            fd = lock_segment(path)
            if fd is None:
                continue
            seal = sealed_end(fd)
            found = list(read_members(fd, segment, since.get(segment, 0), check_hashes=True, may_skip=False))
            if found:
                take(found)
            end = found[-1].end if found else since.get(segment, 0)
            if seal is None:
                os.ftruncate(fd, end)
                if self._writer.adopt(segment, fd, end):
                    continue
                if end == 0:
                    path.unlink()
            os.close(fd)

    def _is_settled(self, path: Path, indexed_end: int) -> bool:
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return True
        try:
            return sealed_end(fd) == indexed_end
        finally:
            os.close(fd)

    def lock_all(self) -> list[int]:
        """Descriptors that hold every segment's lock: nobody else writes while they are open."""
        held: list[int] = []
        for segment in segment_numbers(self._folder):
            fd = lock_segment(segment_path(self._folder, segment))
            if fd is None:
                for other in held:
                    os.close(other)
                raise ArchiveLocked(str(self._folder.parent), f"the writer of segment {segment}")
            held.append(fd)
        return held

    # -- upkeep

    @contextmanager
    def opened(self, location: Location) -> Iterator[tuple[int, int]]:
        file = self._file(location.segment)
        header = parse_header(os.pread(file.fileno(), HEADER_BYTES, location.offset - HEADER_BYTES))
        if header is None or not isinstance(header.content, MemberMeta):
            raise FileNotFoundError(f"segment {location.segment} at {location.offset}: erased")
        yield file.fileno(), location.offset

    def sizes(self) -> dict[int, SegmentSize]:
        found: dict[int, SegmentSize] = {}
        for segment in segment_numbers(self._folder):
            try:
                fd = os.open(segment_path(self._folder, segment), os.O_RDONLY)
            except FileNotFoundError:
                continue
            try:
                found[segment] = SegmentSize(os.fstat(fd).st_blocks * BLOCK, sealed_end(fd) is not None)
            finally:
                os.close(fd)
        return found

    def erase(self, location: Location) -> None:
        """Rewrite the member's header as erased, make that durable, then give its blocks back."""
        fd = os.open(segment_path(self._folder, location.segment), os.O_RDWR)
        try:
            at = location.offset - HEADER_BYTES
            header = parse_header(os.pread(fd, HEADER_BYTES, at))
            if header is None or header.content == SEALED or header.size != location.length:
                raise ArchiveReadOnly(str(self._folder.parent), f"no member at {location}; run verify")
            os.pwrite(fd, pack_header(None, location.length), at)
            os.fdatasync(fd)
            self._count_sync()
            _punch_hole(fd, location.offset, padded(location.length))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ArchiveFull(str(self._folder.parent)) from error
            raise
        finally:
            os.close(fd)

    def drop(self, segment: int) -> None:
        segment_path(self._folder, segment).unlink(missing_ok=True)
        with self._lock:
            self._files.pop(segment, None)

    def close(self) -> None:
        self._writer.published()
        self._writer.close()
        with self._lock:
            self._files.clear()

    def _count_sync(self) -> None:
        self.syncs += 1


def _punch_hole(fd: int, offset: int, length: int) -> None:
    """fallocate(2) with FALLOC_FL_PUNCH_HOLE; a file system without holes keeps the blocks until compaction."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.fallocate(fd, _PUNCH_HOLE | _KEEP_SIZE, ctypes.c_int64(offset), ctypes.c_int64(length))
    if done != 0 and ctypes.get_errno() not in (errno.EOPNOTSUPP, errno.ENOSYS):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
