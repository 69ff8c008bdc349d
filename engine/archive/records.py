"""What the archive keeps of an instance, and what it is handed to keep; the values that cross its border."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.archive.linux import begin_writeback
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import FrameTable
from engine.dicom.scanned import Defect, ScannedInstance
from engine.limits import MIB
from engine.types import Buffer, Location, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRecord:
    """Everything about one stored instance; one index `get`."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    location: Location
    data_set_offset: int
    header_length: int
    data_set_sha256: bytes
    received_ns: int
    source: Source
    instance_json: bytes
    slice_key: bytes
    frame_descriptor: FrameDescriptor | None
    frame_table: FrameTable | None
    defects: tuple[Defect, ...]
    is_replacing: bool = False

    @property
    def order(self) -> tuple[int, int, int]:
        """Arrivals in a fixed order: everything that "the first" decides, decides by this.

        Two of the same nanosecond are ordered by their hash, not by their place: compaction moves them.
        """
        sha = self.data_set_sha256
        return self.received_ns, int.from_bytes(sha[:4], "big"), int.from_bytes(sha[4:12], "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One instance to be stored: its scan, its bytes, its hashes, its sender.

    Attributes
    ----------
    content : buffer or Spooled
        The whole Part 10 stream, in memory, or already written to a segment of its own.
    data_set_sha256 : bytes
        Of the data set, from `scanned.data_set_offset` to the end: two doors that wrap the same data set in other
        File Meta bring the same instance.
    header_sha256 : bytes
        Of preamble and File Meta, so that `verify` covers every byte.
    received_ns : int
        Unix time of arrival; orders arrivals of one SOP Instance UID.
    """

    scanned: ScannedInstance
    content: Buffer | Spooled
    data_set_sha256: bytes
    header_sha256: bytes
    received_ns: int
    source: Source


@dataclass(slots=True)
class Spooled:
    """A large instance on its way in: its bytes are in an unpublished segment that holds nothing else.

    Made by `Archive.spool`; becomes part of the archive when an `Incoming` that carries it is stored. When that fails it
    is still its maker's, who tries again or removes it by `drop`; what a crash leaves is removed at the next start.

    Attributes
    ----------
    fd : int
        Open for reading and writing; the Part 10 stream begins at `offset` in it.
    path : Path or None
        Where the segment is; None for one that lives in memory.
    """

    segment: int
    fd: int
    offset: int
    path: Path | None = None
    length: int = 0
    is_closed: bool = False
    check_room: Callable[[int, int], None] = lambda fd, size: None

    def write(self, data: Buffer) -> None:
        """Append to the stream. Raises OSError (a full disk); the owner then drops the spool."""
        self.check_room(self.fd, len(data))
        view, start = memoryview(data), self.offset + self.length
        while len(view):
            written = os.pwrite(self.fd, view, self.offset + self.length)
            self.length += written
            view = view[written:]
        if len(data) >= MIB:
            begin_writeback(self.fd, start, len(data))

    def drop(self) -> None:
        """Forget it: the file and its descriptor are gone afterwards; harmless a second time."""
        if not self.is_closed:
            self.is_closed = True
            if self.path is not None:
                self.path.unlink(missing_ok=True)
            os.close(self.fd)

    def publish(self) -> None:
        """The store has it now; only the descriptor is given up."""
        if not self.is_closed:
            self.is_closed = True
            os.close(self.fd)


class StoreStatus(StrEnum):
    STORED = "stored"
    DUPLICATE = "duplicate"  # same SOP Instance UID, same data set: nothing was written
    CONFLICT_KEPT = "conflict-kept"  # other bytes; kept beside the first, which stays the one served
    CONFLICT_REPLACED = "conflict-replaced"  # other bytes; kept and served from now on


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    status: StoreStatus
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Another instance with a SOP Instance UID that was already there."""

    sop_instance_uid: str
    location: Location
    data_set_sha256: bytes
    received_ns: int
    source: Source
    is_served: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSummary:
    """A series record: its place, size and version (changes whenever its members change).

    The ``_json`` fields are the attributes of its `leader`, the member that arrived first (`InstanceRecord.order`):
    whatever order members were indexed in, the outcome is the same. `sop_classes` counts the members of each class.
    """

    study_instance_uid: str
    series_instance_uid: str
    modality: str
    instance_count: int
    byte_count: int
    version: int
    patient_json: bytes
    study_json: bytes
    series_json: bytes
    leader: tuple[int, int, int]
    sop_classes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveStats:
    patients: int
    studies: int
    series: int
    instances: int
    instance_bytes: int
    segment_count: int
    segment_bytes: int
    index_bytes: int
    rendition_bytes: int
    conflicts: int
    defects: dict[str, int]
    transfer_syntaxes: dict[str, int]
    oldest_received_ns: int | None
    newest_received_ns: int | None
