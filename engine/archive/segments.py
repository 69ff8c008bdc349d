"""The blob store on tar segments in a folder; readers share descriptors, one writer per process."""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from engine.archive.linux import punch_hole
from engine.archive.member import BLOCK, END, HEADER_BYTES, SEALED, pack_header, padded, parse_header
from engine.archive.ports import MemberMeta, SegmentSize, StoredMember
from engine.archive.records import Spooled
from engine.archive.segment_file import read_members, sealed_end, segment_numbers, segment_path
from engine.archive.segment_writer import SegmentWriter, disk_fault, lock_segment, sync_folder, write_all
from engine.errors import ArchiveReadOnly
from engine.limits import Limits
from engine.types import Location

_OPEN_FILES_MAX = 256
# Segments that grow at once: while the disk takes one group the next is copied, and neither waits for the index.
_LANES = 2


class SegmentStore:
    """`BlobStore` and `BlobUpkeep` on ``segments/NNNNNN.tar``.

    Attributes
    ----------
    syncs : int
        fdatasync calls so far, for tests that count work.
    """

    def __init__(self, folder: Path, limits: Limits, *, is_bulk: bool = False) -> None:
        self._folder, self._segment_bytes = folder, limits.segment_bytes
        self._files: OrderedDict[int, FileIO] = OrderedDict()
        self._lock = threading.Lock()
        self._writers = [
            SegmentWriter(folder, limits.segment_bytes, limits.disk_reserve_bytes, is_bulk, self._count_sync)
            for _ in range(_LANES)
        ]
        self._free = list(self._writers)
        self._freed = threading.Condition(self._lock)
        self.syncs = 0

    @property
    def read_only_reason(self) -> str:
        return next((w.read_only_reason for w in self._writers if w.read_only_reason), "")

    # -- reading

    def read(self, location: Location, start: int, length: int, cached_only: bool = False) -> bytes | bytearray | None:
        if cached_only:
            buffer = bytearray(length)
            return buffer if self.read_into(location, start, memoryview(buffer)) else None
        file = self._file(location.segment)  # kept alive by this name: closed only when the last reader is done
        return _read(file.fileno(), location.offset + start, length, location)

    def read_into(self, location: Location, start: int, room: memoryview) -> bool:
        file = self._file(location.segment)
        try:
            return os.preadv(file.fileno(), [room], location.offset + start, os.RWF_NOWAIT) == len(room)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
                return False  # a file system without the flag: the caller reads on a thread
            raise

    def file_of(self, location: Location) -> tuple[FileIO, int] | None:
        return self._file(location.segment), location.offset

    def members(self, where: int | Location | None = None) -> Iterator[StoredMember]:
        if isinstance(where, Location):
            start = where.offset - HEADER_BYTES
            found = next(self._members(where.segment, start, False), None)
            if found is not None and found.location == where:
                yield found
            return
        for segment in segment_numbers(self._folder) if where is None else [where]:
            yield from self._members(segment, 0, True)

    def _members(self, segment: int, start: int, may_skip: bool) -> Iterator[StoredMember]:
        try:
            fd = os.open(segment_path(self._folder, segment), os.O_RDONLY)
        except FileNotFoundError:
            return  # a spool that was dropped in the meantime
        try:
            is_open = sealed_end(fd) is None
            yield from read_members(fd, segment, start, check_hashes=is_open, may_skip=may_skip)
        finally:
            os.close(fd)

    def _file(self, segment: int) -> FileIO:
        with self._lock:
            file = self._files.get(segment)
            if file is None:
                file = FileIO(segment_path(self._folder, segment), "r")
                self._let_go()
                self._files[segment] = file
                if len(self._files) > _OPEN_FILES_MAX:
                    self._files.popitem(last=False)
            else:
                self._files.move_to_end(segment)
            return file

    def _let_go(self) -> None:
        """Close files that compaction has removed: their blocks are free only then."""
        for segment in [n for n, file in self._files.items() if not os.fstat(file.fileno()).st_nlink]:
            del self._files[segment]

    # -- writing

    @contextmanager
    def lane(self) -> Iterator[SegmentWriter]:
        with self._freed:
            while not self._free:
                self._freed.wait()
            # The first that is free: a second segment is begun only when two threads really meet.
            writer = min(self._free, key=self._writers.index)
            self._free.remove(writer)
        try:
            yield writer
        finally:
            writer.published()
            with self._freed:
                self._free.append(writer)
                self._freed.notify()

    def make_sure(self, location: Location) -> None:
        if any(writer.has_synced(location) for writer in self._writers):
            return
        try:
            file = self._file(location.segment)
        except FileNotFoundError:
            return  # moved since, and synced for that
        self._writers[0].sync_now(file.fileno())

    def spool(self) -> Spooled:
        if self.read_only_reason:
            raise ArchiveReadOnly(str(self._folder.parent), self.read_only_reason)
        first = self._writers[0]
        segment, fd = first.create()
        return Spooled(segment, fd, HEADER_BYTES, segment_path(self._folder, segment), check_room=first.check_room)

    def recover(
        self,
        indexed_end: Callable[[int], tuple[int, int]],
        take: Callable[[list[StoredMember]], None],
        give_up: Callable[[int, int], None],
    ) -> None:
        """After a crash: hand every whole member behind the indexed end to `take`, then cut what is torn.

        What was indexed while it was being written (from the second number of `indexed_end` on) is looked at: `give_up`
        hears from where on a segment does not have it.

        Segments that another living process writes to are left alone: it holds their locks.
        """
        for segment in segment_numbers(self._folder):
            path = segment_path(self._folder, segment)
            if self._is_settled(path, indexed_end(segment)[0]):
                continue
            fd = lock_segment(path)
            if fd is None:
                continue
            # Asked again: its writer may have gone on until it gave the lock up, and others deleted what it had written.
            start, sure = indexed_end(segment)
            seal = sealed_end(fd)
            if sure < start:
                whole = [m.end for m in read_members(fd, segment, sure, check_hashes=True, may_skip=False)]
                os.fdatasync(fd)
                if (is_there := max([sure, *(end for end in whole if end <= start)])) < start:
                    give_up(segment, is_there)
                    start = is_there
            found = list(read_members(fd, segment, start, check_hashes=True, may_skip=False))
            if found:
                os.fdatasync(fd)  # whole, but perhaps in memory only: whoever sends it again is told that it is safe
                take(found)
            end = found[-1].end if found else start
            if seal is None:
                os.ftruncate(fd, end)
                if end > self._segment_bytes // 2:
                    # Nearly full: it would never be compacted otherwise. No room for that: the next start tries again.
                    with suppress(OSError):
                        write_all(fd, [pack_header(SEALED, 0), END], end)
                        os.fdatasync(fd)
                elif any(writer.adopt(segment, fd, end) for writer in self._writers):
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

    # -- upkeep

    @contextmanager
    def opened(self, location: Location) -> Iterator[tuple[int, int]]:
        # A descriptor of its own: what is looked at here may not be in the index yet, and its segment's number come to
        # name another file.
        with FileIO(segment_path(self._folder, location.segment), "r") as file:
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
                end = sealed_end(fd)
                if end != 0:  # what `drop` leaves
                    found[segment] = SegmentSize(os.fstat(fd).st_blocks * BLOCK, end is not None)
            finally:
                os.close(fd)
        return found

    def erase(self, location: Location) -> None:
        """Rewrite the member's header as erased, make that durable, then give its blocks back."""
        fd = os.open(segment_path(self._folder, location.segment), os.O_RDWR)
        try:
            if sealed_end(fd) == 0:
                return  # the whole segment has gone
            at = location.offset - HEADER_BYTES
            header = parse_header(os.pread(fd, HEADER_BYTES, at))
            # A torn header is that of an erasure which was cut short.
            if header is not None and (header.content == SEALED or header.size != location.length):
                raise ArchiveReadOnly(str(self._folder.parent), f"no member at {location}; run verify")
            write_all(fd, [pack_header(None, location.length)], at)
            self._writers[0].sync_now(fd)
            punch_hole(fd, location.offset, padded(location.length))
        except OSError as error:
            raise disk_fault(str(self._folder.parent), error) from error
        finally:
            os.close(fd)

    def drop(self, segment: int) -> None:
        """Put an empty sealed segment in its place, which keeps the number taken.

        Tombstones and other processes' open files know a place by its segment's number: a new segment of the same number
        would be deleted by the one at the next reindex, and read as the old one by the other.
        """
        path = segment_path(self._folder, segment)
        empty = path.with_suffix(".empty")
        with empty.open("wb") as file:
            file.write(pack_header(SEALED, 0) + END)
            file.flush()
            self._writers[0].sync_now(file.fileno())
        empty.replace(path)
        sync_folder(self._folder)
        with self._lock:
            self._files.pop(segment, None)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()
        with self._lock:
            self._files.clear()

    def _count_sync(self) -> None:
        with self._lock:
            self.syncs += 1


def _read(fd: int, at: int, length: int, location: Location) -> bytes:
    data = os.pread(fd, length, at)
    while 0 < len(data) < length:  # Linux gives 2 GiB at once at most
        piece = os.pread(fd, length - len(data), at + len(data))
        if not piece:
            break
        data += piece
    if len(data) < length:
        raise FileNotFoundError(f"segment {location.segment} ends before {at + length}: moved")
    return data
