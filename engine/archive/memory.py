"""The second implementation of the ports, all in memory: proves the protocols, and carries tests that need no disk."""

from __future__ import annotations

import bisect
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import FileIO

from engine.archive.ports import MemberMeta, SegmentSize, Snapshot, StoredMember, Tombstone, Transaction
from engine.archive.records import Spooled
from engine.errors import ArchiveReadOnly
from engine.types import Buffer, Location


class MemoryEngine:
    """`IndexEngine` on sorted keys; snapshots see the tables as they were when they began."""

    def __init__(self, tables: tuple[str, ...]) -> None:
        self._tables: dict[str, dict[bytes, bytes]] = {name: {} for name in tables}
        self._lock = threading.RLock()
        self.read_only_reason = ""

    def commit_mark(self) -> None:
        return None

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        yield _MemoryTxn(self._tables)  # tables are replaced on commit, never changed

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        with self._lock:
            txn = _MemoryTxn({name: dict(table) for name, table in self._tables.items()})
            yield txn
            self._tables = txn.tables

    def flush(self) -> None:
        return

    def check_readers(self) -> int:
        return 0

    def size_bytes(self) -> int:
        return sum(len(k) + len(v) for table in self._tables.values() for k, v in table.items())

    def close(self) -> None:
        self._tables = {name: {} for name in self._tables}


class _MemoryTxn:
    def __init__(self, tables: dict[str, dict[bytes, bytes]]) -> None:
        self.tables = tables

    def get(self, table: str, key: bytes) -> bytes | None:
        return self.tables[table].get(key)

    def scan(
        self, table: str, start: bytes = b"", stop: bytes | None = None, *, is_reversed: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        keys = sorted(self.tables[table])
        within = keys[bisect.bisect_left(keys, start) : None if stop is None else bisect.bisect_left(keys, stop)]
        for key in reversed(within) if is_reversed else within:
            if key in self.tables[table]:
                yield key, self.tables[table][key]

    def keys(self, table: str, start: bytes = b"", stop: bytes | None = None) -> Iterator[bytes]:
        return (key for key, _ in self.scan(table, start, stop))

    def key_lists(
        self, table: str, start: bytes = b"", stop: bytes | None = None, *, is_reversed: bool = False
    ) -> Iterator[list[bytes]]:
        found = [key for key, _ in self.scan(table, start, stop, is_reversed=is_reversed)]
        return iter([found] if found else [])

    def count(self, table: str) -> int:
        return len(self.tables[table])

    def put(self, table: str, key: bytes, value: bytes) -> None:
        self.tables[table][key] = bytes(value)

    def delete(self, table: str, key: bytes) -> bool:
        return self.tables[table].pop(key, None) is not None


class MemoryBlobs:
    """`BlobStore` and `BlobUpkeep` on a list; every append makes one segment of its own."""

    def __init__(self) -> None:
        self._members: dict[tuple[int, int], tuple[MemberMeta | Tombstone, bytes]] = {}
        self._next = 1
        self._lane = threading.Lock()
        self.syncs = 0
        self.read_only_reason = ""

    @contextmanager
    def lane(self) -> Iterator[_MemoryLane]:
        with self._lane:
            lane = _MemoryLane(self)
            try:
                yield lane
            finally:
                lane.published()

    def keep(self, members: Sequence[tuple[MemberMeta | Tombstone, bytes]]) -> list[StoredMember]:
        segment, self._next = self._next, self._next + 1
        stored, offset = [], 0
        for meta, data in members:
            stored.append(StoredMember(Location(segment, offset, len(data)), meta, offset + len(data) + 1))
            self._members[segment, offset] = (meta, data)
            offset += len(data) + 1
        return stored

    def make_sure(self, location: Location) -> None:
        return

    def read(self, location: Location, start: int, length: int, cached_only: bool = False) -> bytes:
        try:
            return self._members[location.segment, location.offset][1][start : start + length]
        except KeyError:
            raise FileNotFoundError(f"segment {location.segment}") from None

    def read_into(self, location: Location, start: int, room: memoryview) -> bool:
        data = self.read(location, start, len(room))
        if len(data) != len(room):
            return False
        room[:] = data
        return True

    def members(self, where: int | Location | None = None) -> Iterator[StoredMember]:
        for (segment, offset), (meta, data) in sorted(self._members.items(), key=lambda item: item[0]):
            location = Location(segment, offset, len(data))
            if where in (None, segment, location):
                yield StoredMember(location, meta, offset + len(data) + 1)

    def file_of(self, location: Location) -> tuple[FileIO, int] | None:
        return None

    def spool(self) -> Spooled:
        return Spooled(0, os.memfd_create("spool"), 0)

    @contextmanager
    def opened(self, location: Location) -> Iterator[tuple[int, int]]:
        fd = os.memfd_create("blob")
        try:
            os.write(fd, self.read(location, 0, location.length))
            yield fd, 0
        finally:
            os.close(fd)

    def sizes(self) -> dict[int, SegmentSize]:
        sizes: dict[int, int] = {}
        for (segment, _), (_, data) in self._members.items():
            sizes[segment] = sizes.get(segment, 0) + len(data)
        return {segment: SegmentSize(size, True) for segment, size in sizes.items()}

    def erase(self, location: Location) -> None:
        self._members.pop((location.segment, location.offset), None)

    def drop(self, segment: int) -> None:
        for key in [key for key in self._members if key[0] == segment]:
            del self._members[key]

    def close(self) -> None:
        self._members.clear()


class _MemoryLane:
    """`BlobLane`; as good as one lane is, for nothing waits here."""

    def __init__(self, blobs: MemoryBlobs) -> None:
        self._blobs = blobs
        self._spools: list[Spooled] = []
        self._segment = 0

    def sync(self) -> Callable[[], None]:
        self._blobs.syncs += 1
        return lambda: None

    def append(self, members: Sequence[tuple[MemberMeta | Tombstone, Buffer | Spooled]]) -> list[StoredMember]:
        if self._blobs.read_only_reason:
            raise ArchiveReadOnly("in memory", self._blobs.read_only_reason)
        self._spools = [content for _, content in members if isinstance(content, Spooled)]
        stored = self._blobs.keep([(meta, _bytes(content)) for meta, content in members])
        self._segment = stored[0].location.segment
        return stored

    def retract(self, doubt: str = "") -> None:
        if doubt:
            self._blobs.read_only_reason = doubt
            return
        self._spools = []
        self._blobs.drop(self._segment)

    def published(self) -> None:
        """The index has the last `append`, or may have it: descriptors of its spooled blobs are closed."""
        for spool in self._spools:
            spool.publish()


def _bytes(content: Buffer | Spooled) -> bytes:
    return os.pread(content.fd, content.length, content.offset) if isinstance(content, Spooled) else bytes(content)
