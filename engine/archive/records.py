"""What the archive keeps of an instance, and what it is handed to keep; the values that cross its border."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import FrameTable
from engine.dicom.scanned import Defect, ScannedInstance
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
    """A large instance on its way in: bytes are in an unpublished segment that holds nothing else.

    Made by `Archive.spool`; becomes part of the archive when an `Incoming` that carries it is stored, and is
    removed by `Archive.drop_spool` or at the next start.
    """

    path: Path
    segment: int
    fd: int
    offset: int  # of the Part 10 stream in the file
    length: int = 0
    closed: bool = field(default=False)


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
    """A series record: its place, size and version (changes whenever its members change)."""

    study_instance_uid: str
    series_instance_uid: str
    modality: str
    instance_count: int
    byte_count: int
    version: int
    attributes: bytes


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
