"""The archive as the other rooms see it: instances go in durably, any frame comes out with one get and one read."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

from engine.archive import index
from engine.archive.core import Core
from engine.archive.index import TABLES
from engine.archive.lmdb_engine import LmdbEngine
from engine.archive.memory import MemoryBlobs, MemoryEngine
from engine.archive.packing import SCHEMA_VERSION, unpack_instance, unpack_series
from engine.archive.ports import Transaction
from engine.archive.records import (
    ArchiveStats,
    Conflict,
    Incoming,
    InstanceRecord,
    SeriesSummary,
    Spooled,
    StoreOutcome,
)
from engine.archive.search import search
from engine.archive.segment_writer import disk_fault
from engine.archive.segments import SegmentStore
from engine.archive.stats import measure
from engine.archive.upkeep import Upkeep
from engine.archive.writing import Writer
from engine.dicom.frame_table import FrameTableKind, join_fragments
from engine.dicom.query import Findings, Query
from engine.dicom.scan import locate
from engine.errors import (
    CorruptInstance,
    FrameNotFound,
    IndexMismatch,
    InstanceNotFound,
    MalformedDataSet,
    NoPixels,
    SeriesNotFound,
    StudyNotFound,
    TooLarge,
)
from engine.limits import Limits
from engine.types import Buffer

KEEP_FIRST, REPLACE = "keep-first", "replace"


class Archive:
    """One archive, opened by one process; thread-safe, except that one thread at a time stores or deletes.

    Attributes
    ----------
    gets, reads : int
        Index gets and reads of stored bytes so far: work, for tests and metrics.
    """

    def __init__(self, core: Core, path: Path | None, on_conflict: str, is_writer: bool = True) -> None:
        self.path, self.limits = path, core.limits
        self._core, self._is_writer = core, is_writer
        self._writer = Writer(core, replaces=on_conflict == REPLACE)
        self.gets = self.reads = 0

    # -- opening

    @classmethod
    def open(
        cls, path: Path, limits: Limits | None = None, *, mode: str = "write", on_conflict: str = KEEP_FIRST
    ) -> Archive:
        """Open the archive in folder `path`; ``"write"`` makes it when it is not there and recovers after a crash.

        Raises
        ------
        IndexMismatch
            The index is missing although there are segments, has another schema, or cannot be read.
        """
        limits = limits or Limits()
        segments, index_path, is_writer = path / "segments", path / "index.lmdb", mode == "write"
        if is_writer:
            for folder in (segments, index_path, path / "renditions", path / "run"):
                folder.mkdir(parents=True, exist_ok=True)
        if not (index_path / "data.mdb").exists():
            if any(segments.glob("*.tar")):
                raise IndexMismatch(str(path), "there are segments but no index")
            if not is_writer:
                raise IndexMismatch(str(path), "there is no archive here")
        engine = LmdbEngine(index_path, TABLES, is_writable=is_writer)
        store = SegmentStore(segments, limits.segment_bytes)
        archive = cls(Core(engine, store, limits), path, on_conflict, is_writer)
        try:
            archive._check_schema()
            if is_writer:
                with engine.read() as view:
                    ends = index.indexed_ends(view)
                store.recover(ends, archive._writer.take)
        except BaseException:
            archive.close()
            raise
        return archive

    @classmethod
    def in_memory(cls, limits: Limits | None = None, *, on_conflict: str = KEEP_FIRST) -> Archive:
        archive = cls(Core(MemoryEngine(TABLES), MemoryBlobs(), limits or Limits()), None, on_conflict)
        archive._check_schema()
        return archive

    def _check_schema(self) -> None:
        with self._core.engine.read() as view:
            schema = view.get("meta", b"schema")
        if schema is None and self._is_writer:
            self._core.write(index.check_schema)
        elif schema != str(SCHEMA_VERSION).encode():
            raise IndexMismatch(str(self.path), f"schema {schema!r}, this program has {SCHEMA_VERSION}")

    def close(self) -> None:
        self._core.blobs.close()
        self._core.engine.close()

    @property
    def is_writable(self) -> bool:
        """Whether stores can succeed; False after a failed write until a restart."""
        return self._is_writer and not self._core.blobs.read_only_reason

    @property
    def syncs(self) -> int:
        """fdatasync calls of the blob store so far."""
        return self._core.blobs.syncs

    @property
    def commits(self) -> int:
        """Index commits so far."""
        return self._core.commits

    # -- reading

    def instance(self, sop_uid: str, study_uid: str = "", series_uid: str = "") -> InstanceRecord:
        """The served version of an instance: one index get. `InstanceNotFound` also when it is filed elsewhere."""
        self.gets += 1
        with self._core.engine.read() as view:
            record = index.get_instance(view, sop_uid)
        if record is None or study_uid not in ("", record.study_instance_uid):
            raise InstanceNotFound(sop_uid)
        if series_uid not in ("", record.series_instance_uid):
            raise InstanceNotFound(sop_uid)
        return record

    def versions(self, sop_uid: str) -> list[InstanceRecord]:
        """Every version of a SOP Instance UID, the served one first."""
        with self._core.engine.read() as view:
            served = index.get_instance(view, sop_uid)
            return [] if served is None else [served, *index.versions_of(view, sop_uid)]

    def read(self, record: InstanceRecord, start: int = 0, length: int | None = None) -> bytes | bytearray:
        """Bytes of the Part 10 stream: one read.

        Raises
        ------
        CorruptInstance
            The bytes are not there.
        """
        length = record.location.length - start if length is None else length
        length = max(0, min(length, record.location.length - start))
        self.reads += 1
        try:
            data = self._core.blobs.read(record.location, start, length)
        except FileNotFoundError:
            record = self._moved(record)
            data = self._core.blobs.read(record.location, start, length)
        if data is None or len(data) != length:
            raise CorruptInstance(record.sop_instance_uid, str(record.location))
        return data

    def read_cached(self, record: InstanceRecord, start: int, length: int) -> bytes | bytearray | None:
        """The bytes if that needs no disk, else None; safe on an event loop."""
        try:
            data = self._core.blobs.read(record.location, start, length, cached_only=True)
        except FileNotFoundError:
            return None
        self.reads += data is not None
        return data if data is not None and len(data) == length else None

    def frame_bytes(self, record: InstanceRecord, frame_index: int, cached_only: bool = False) -> Buffer | None:
        """The stored bytes of one frame, fragments joined: one read. None only for `cached_only`.

        Raises
        ------
        NoPixels, FrameNotFound, CorruptInstance, TooLarge
        """
        table = record.frame_table
        if table is None:
            raise NoPixels(record.sop_instance_uid)
        if not 0 <= frame_index < len(table):
            raise FrameNotFound(record.sop_instance_uid, frame_index + 1, len(table))
        span = table[frame_index]
        if table.kind is FrameTableKind.DEFLATED:
            return None if cached_only else self._inflated(record)[span.offset : span.offset + span.length]
        data: bytes | bytearray | None
        if cached_only:
            data = self.read_cached(record, span.offset, span.length)
            if data is None:
                return None
        else:
            data = self.read(record, span.offset, span.length)
        return join_fragments(data, span.fragment_count)

    def bulk_value(self, record: InstanceRecord, path: Sequence[int]) -> bytes | bytearray | None:
        """The value that `path` (tag, item, tag, …) names; None when there is none, `TooLarge` beyond the spool limit."""
        self.reads += 1
        with self._core.blobs.opened(record.location) as (fd, offset):
            found = locate(fd, offset, record.location.length, path, self.limits)
        if found is None:
            return None
        start, length, inflated = found
        if inflated:
            return inflated
        if length > self.limits.header_bytes_max:
            raise TooLarge("the value", length, self.limits.header_bytes_max, "limits.header_bytes_max")
        return self.read(record, start, length)

    def series(self, study_uid: str, series_uid: str) -> SeriesSummary:
        with self._core.engine.read() as view:
            found = index.get_series(view, study_uid, series_uid)
        if found is None:
            raise SeriesNotFound(series_uid)
        return found

    def series_of(self, study_uid: str) -> list[SeriesSummary]:
        """All series of a study; `StudyNotFound` when there are none."""
        with self._core.engine.read() as view:
            found = index.series_of(view, study_uid)
        if not found:
            raise StudyNotFound(study_uid)
        return found

    def members(self, study_uid: str, series_uid: str) -> list[InstanceRecord]:
        """The instances of a series in slice order; `SeriesNotFound` when there are none."""
        with self._core.engine.read() as view:
            found = list(index.members_of(view, study_uid, series_uid))
        if not found:
            raise SeriesNotFound(series_uid)
        return found

    def representative(self, study_uid: str, series_uid: str) -> InstanceRecord:
        """The instance with pixels that is nearest to the middle of a series; reads the records of as few as possible.

        Raises
        ------
        SeriesNotFound
        NoPixels
            No instance of the series has any.
        """
        with self._core.engine.read() as view:
            sops = index.member_sops(view, study_uid, series_uid)
            if not sops:
                raise SeriesNotFound(series_uid)
            middle = len(sops) // 2
            for place in sorted(range(len(sops)), key=lambda at: abs(at - middle)):
                data = view.get("instances", sops[place])
                record = None if data is None else unpack_instance(data)
                if record is not None and record.frame_table is not None:
                    return record
        raise NoPixels(record.sop_instance_uid if record is not None else series_uid)

    def search(self, query: Query) -> Findings:
        with self._core.engine.read() as view:
            return search(view, query)

    def conflicts(self) -> list[Conflict]:
        """Every version of each SOP Instance UID that came with different bytes, in order of UID."""
        with self._core.engine.read() as view:
            uids = dict.fromkeys(key.split(b"\0")[0] for key, _ in view.scan("versions"))
            found: list[Conflict] = []
            for uid in uids:
                start = uid + b"\0"
                served = view.get("instances", uid)
                packed = [*([served] if served else []), *(v for _, v in view.scan("versions", start, uid + b"\1"))]
                for position, record in enumerate(map(unpack_instance, packed)):
                    found.append(
                        Conflict(
                            sop_instance_uid=record.sop_instance_uid,
                            location=record.location,
                            data_set_sha256=record.data_set_sha256,
                            received_ns=record.received_ns,
                            source=record.source,
                            is_served=position == 0,
                        )
                    )
        return found

    def defects(self) -> dict[str, int]:
        """How many instances have each defect."""
        counts: dict[str, int] = {}
        with self._core.engine.read() as view:
            for key, _ in view.scan("defects"):
                code = key.partition(b"\0")[0].decode()
                counts[code] = counts.get(code, 0) + 1
        return counts

    def with_defect(self, code: str) -> list[str]:
        """SOP Instance UIDs of the instances that have this defect."""
        start = code.encode() + b"\0"
        with self._core.engine.read() as view:
            sops = [key[len(start) :] for key, _ in view.scan("defects", start, code.encode() + b"\1")]
            records = [view.get("instances", sop) for sop in sops]
        return [unpack_instance(data).sop_instance_uid for data in records if data is not None]

    def pending_series(self, quiet_s: float = 0.0, now_ns: int = 0) -> list[tuple[str, str, int]]:
        """Series whose derived data is out of date (study, series, token), quiet for at least `quiet_s` seconds."""
        with self._core.engine.read() as view:
            waiting = [
                (view.get("series", key), int.from_bytes(since, "big"))
                for key, since in view.scan("todo")
            ]  # fmt: skip
        found = [(unpack_series(data), since) for data, since in waiting if data is not None]
        return [
            (s.study_instance_uid, s.series_instance_uid, since)
            for s, since in found
            if not now_ns or now_ns - since >= quiet_s * 1e9
        ]

    def series_done(self, study_uid: str, series_uid: str, token: int) -> None:
        """The derived data of a series is up to date, unless something came in since `token` was given."""

        def clear(txn: Transaction) -> None:
            key, stamp = index.series_key(study_uid, series_uid), token.to_bytes(8, "big")
            if txn.get("todo", key) == stamp:
                txn.delete("todo", key)

        self._core.write(clear)

    # -- writing

    def spool(self) -> Spooled:
        """A place for one large instance that is written as it arrives."""
        return self._core.blobs.spool()

    def write_spool(self, spooled: Spooled, data: Buffer) -> None:
        """Append to a spool; `ArchiveFull` or `ArchiveReadOnly` when the disk does not take it (then drop it)."""
        try:
            spooled.write(data)
        except OSError as error:
            raise disk_fault(str(self.path), error) from error

    def store(self, batch: Sequence[Incoming]) -> list[StoreOutcome]:
        """Keep these instances: one append, one fdatasync, one index commit; on return all of them are safe.

        Raises
        ------
        ArchiveFull, ArchiveReadOnly
            Nothing of the batch was kept.
        """
        return self._writer.store(batch)

    def delete(self, *, study_uid: str = "", series_uid: str = "", sop_uid: str = "") -> int:
        """Remove every version of these instances; returns how many. The space comes back with `upkeep().compact`.

        Raises
        ------
        StudyNotFound, SeriesNotFound, InstanceNotFound
        """
        return self._writer.delete(study_uid, series_uid, sop_uid)

    def upkeep(self) -> Upkeep:
        """Verification, compaction, and the space of what was deleted."""
        return Upkeep(self._core)

    def stats(self) -> ArchiveStats:
        """What is stored; reads the whole index."""
        with self._core.engine.read() as view:
            return measure(view, self._core.blobs.sizes(), self._core.engine.size_bytes(), self.path)

    def dump(self) -> dict[str, list[tuple[bytes, bytes]]]:
        """Every entry of every table that reindex rebuilds; equal dumps are equal indexes."""
        with self._core.engine.read() as view:
            return {table: list(view.scan(table)) for table in TABLES if table not in index.TRANSIENT}

    # -- inside

    def _moved(self, record: InstanceRecord) -> InstanceRecord:
        for version in self.versions(record.sop_instance_uid):
            if version.data_set_sha256 == record.data_set_sha256 and version.location != record.location:
                return version
        raise InstanceNotFound(record.sop_instance_uid)

    def _inflated(self, record: InstanceRecord) -> bytes:
        """The data set of 1.2.840.10008.1.2.1.99, which can only be read from its start."""
        assert record.frame_table is not None
        span = record.frame_table.deflated_span
        data = self.read(record, span.offset, span.length)
        inflater, limit = zlib.decompressobj(-zlib.MAX_WBITS), self.limits.inflated_bytes_max
        try:
            out = inflater.decompress(data, limit + 1)
        except zlib.error as error:
            raise MalformedDataSet(f"the deflated data set cannot be inflated ({error})") from None
        if len(out) > limit:
            raise TooLarge("the inflated data set", len(out), limit, "limits.inflated_bytes_max")
        return out
