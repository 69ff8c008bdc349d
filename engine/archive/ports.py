"""The two protocols that an archive stands on: an ordered index engine and a store of immutable blobs.

LMDB and tar segments are the embedded pair, `archive/memory.py` is the second one; both run `tests/contract`. No other
package may assume LMDB or a local file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import FileIO
from typing import Protocol

from engine._native import CommitMark
from engine.archive.records import Spooled
from engine.types import Buffer, Location, Source


class Snapshot(Protocol):
    """A consistent view; valid inside its ``with`` block, on its thread. Values must not be kept without a copy."""

    def get(self, table: str, key: bytes) -> bytes | None: ...

    def scan(
        self, table: str, start: bytes = b"", stop: bytes | None = None, *, is_reversed: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Entries with ``start <= key < stop`` in key order, or from the last of them to the first."""
        ...

    def keys(self, table: str, start: bytes = b"", stop: bytes | None = None) -> Iterator[bytes]:
        """The keys alone, which costs two thirds."""
        ...

    def key_lists(
        self, table: str, start: bytes = b"", stop: bytes | None = None, *, is_reversed: bool = False
    ) -> Iterator[list[bytes]]:
        """The keys alone, as `scan` orders them, some at once and ever more: for who looks at thousands. None is empty."""
        ...

    def count(self, table: str) -> int: ...


class Transaction(Snapshot, Protocol):
    """All of it, or nothing, when its ``with`` block has ended without an error; durable then, but see `IndexEngine.flush`."""

    def put(self, table: str, key: bytes, value: bytes) -> None: ...

    def delete(self, table: str, key: bytes) -> bool: ...


class IndexEngine(Protocol):
    """Ordered tables of small records. Many snapshots at once, one transaction at a time (others wait).

    Attributes
    ----------
    read_only_reason : str
        Not empty once the disk has failed a transaction: no more are taken before a restart.
    """

    read_only_reason: str

    def read(self) -> AbstractContextManager[Snapshot]: ...

    def write(self) -> AbstractContextManager[Transaction]:
        """Raises `ArchiveFull` or `ArchiveReadOnly` when the disk does not take it."""
        ...

    def commit_mark(self) -> CommitMark | None:
        """A number that is another one after each commit, of whatever process; None: there is none that native code can read."""
        ...

    def check_readers(self) -> int:
        """Let go of the snapshots of processes that died, which keep old pages alive; returns how many."""
        ...

    def flush(self) -> None:
        """Every transaction so far is on stable storage; to be called before the bytes go that could give the last one back."""
        ...

    def size_bytes(self) -> int: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberMeta:
    """What is written beside the bytes of an instance, so that the index can be built again from the blobs alone.

    Attributes
    ----------
    name : str
        ``Study/Series/SOP.dcm``: for people who unpack the archive by hand; the index never reads it.
    is_replacing : bool
        Arrived under ``on_conflict = "replace"``.
    """

    name: str
    data_set_sha256: bytes
    header_sha256: bytes
    data_set_offset: int
    received_ns: int
    source: Source
    is_replacing: bool = False


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The instance at this place was deleted (at this Unix time); written before the index forgets it."""

    location: Location
    deleted_ns: int


@dataclass(frozen=True, slots=True)
class StoredMember:
    """One thing found in the blob store; `end` is where the next one of its segment begins. Erased ones have no content."""

    location: Location
    content: MemberMeta | Tombstone | None
    end: int


class BlobLane(Protocol):
    """One way into the blob store; one thread at a time."""

    def append(self, members: Sequence[tuple[MemberMeta | Tombstone, Buffer | Spooled]]) -> list[StoredMember]:
        """Write all of them; raises `ArchiveFull` or `ArchiveReadOnly` and then keeps none. Durable after `sync`."""
        ...

    def sync(self) -> Callable[[], None]:
        """Begin to make the last `append` durable; what comes back waits for it, and raises `ArchiveReadOnly` when it failed."""
        ...

    def retract(self, doubt: str = "") -> None:
        """Take the last `append` back: the index could not be told of it, so nobody was told yes.

        Spooled blobs of it are their maker's again. With a `doubt` (why nobody can say whether the index has it) the bytes
        stay, no more are taken, and the next start finds out.
        """
        ...


class BlobStore(Protocol):
    """Keeps bytes; what a lane has written and synced is on stable storage. Any thread reads.

    Attributes
    ----------
    syncs : int
        Waits for stable storage so far.
    read_only_reason : str
        Not empty once a write has failed: no more are taken before a restart.
    """

    syncs: int

    @property
    def read_only_reason(self) -> str: ...

    def lane(self) -> AbstractContextManager[BlobLane]:
        """A way in that nobody else has meanwhile; waits for one. A single writer gets the same one each time."""
        ...

    def read(self, location: Location, start: int, length: int, cached_only: bool = False) -> bytes | bytearray | None:
        """Bytes of one blob. None: `cached_only` and not in memory. `FileNotFoundError`: it was moved or erased."""
        ...

    def read_into(self, location: Location, start: int, room: memoryview) -> bool:
        """Fill `room` with bytes of one blob if they are in memory; False, and `room` undefined, if they are not."""
        ...

    def file_of(self, location: Location) -> tuple[FileIO, int] | None:
        """The open local file that holds a blob, and where in it the blob begins; None when it is in no local file.

        Who holds the object keeps the file open; it is for reading only.
        """
        ...

    def make_sure(self, location: Location) -> None:
        """A blob that the index has is on stable storage afterwards, whoever wrote it; raises `ArchiveReadOnly`."""
        ...

    def spool(self) -> Spooled:
        """A place for one large blob that is written as it arrives, not yet part of the store."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SegmentSize:
    size_bytes: int
    is_sealed: bool


class BlobUpkeep(Protocol):
    """What rebuilding, checking and compacting need of a blob store."""

    def members(self, where: int | Location | None = None) -> Iterator[StoredMember]:
        """Everything that is stored, or what is in one segment, or at one place: whole ones only, in order of place."""
        ...

    def opened(self, location: Location) -> AbstractContextManager[tuple[int, int]]:
        """A descriptor, and where in it a stored blob begins; `FileNotFoundError` when it is gone."""
        ...

    def sizes(self) -> dict[int, SegmentSize]: ...

    def erase(self, location: Location) -> None:
        """Mark a member as gone and give its space back; nothing may refer to it any more. Harmless a second time."""
        ...

    def drop(self, segment: int) -> None:
        """Give back a sealed segment whose members live elsewhere now. Its number is never used again."""
        ...


class Blobs(BlobStore, BlobUpkeep, Protocol):
    """Both faces of a blob store."""
