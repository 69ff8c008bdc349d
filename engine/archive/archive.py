"""The archive as the other rooms see it: instances go in durably, any frame comes out with one get and one read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from engine.archive import changes, index, places
from engine.archive.changes import Change, ChangeKind, Extent
from engine.archive.core import Core
from engine.archive.index import TABLES
from engine.archive.lmdb_engine import LmdbEngine
from engine.archive.lock import WriterLock
from engine.archive.memory import MemoryBlobs, MemoryEngine
from engine.archive.outbox_door import OutboxDoor
from engine.archive.packing import SCHEMA_VERSION, unpack_instance, unpack_series
from engine.archive.ports import Transaction
from engine.archive.reading import Reading
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
from engine.archive.segment_writer import disk_fault, sync_folder
from engine.archive.segments import SegmentStore
from engine.archive.stats import measure
from engine.archive.upkeep import Upkeep
from engine.archive.worklist.worklist import Worklist
from engine.archive.writing import Writer
from engine.dicom.query import Findings, Query
from engine.errors import (
    ArchiveFull,
    ArchiveReadOnly,
    IndexMismatch,
    NoPixels,
    SeriesNotFound,
    StudyNotFound,
)
from engine.limits import Limits
from engine.types import Buffer

KEEP_FIRST, REPLACE = "keep-first", "replace"


class Archive(Reading):
    """One archive, opened by one process; thread-safe.

    Attributes
    ----------
    worklist : what is planned and what was done; nothing of it is in the segments, and no reindex touches it.
    outbox : what is to go to other archives, in the same way.
    """

    def __init__(
        self, core: Core, path: Path | None, on_conflict: str, is_writer: bool = True, writing: WriterLock | None = None
    ) -> None:
        super().__init__(core)
        self.path, self._is_writer, self._writing = path, is_writer, writing
        self._writer = Writer(core, replaces=on_conflict == REPLACE)
        self.worklist = Worklist(path, core.limits, is_writer)
        self.outbox = OutboxDoor(path, core.limits)

    # -- opening

    @classmethod
    def open(
        cls,
        path: Path,
        limits: Limits | None = None,
        *,
        mode: str = "write",
        on_conflict: str = KEEP_FIRST,
        is_bulk: bool = False,
    ) -> Archive:
        """Open the archive in folder `path`; ``"write"`` makes it when it is not there and recovers after a crash.

        Parameters
        ----------
        is_bulk : what is stored is not what readers want next: it does not stay in the page cache.

        Raises
        ------
        IndexMismatch
            The index is missing although there are segments, has another schema, or cannot be read.
        ArchiveLocked
            The index is being built again at this moment.
        """
        limits = limits or Limits()
        segments, index_path, is_writer = path / "segments", path / "index.lmdb", mode == "write"
        writing: WriterLock | None = None
        if is_writer:
            _make_folders(path, segments, index_path, path / "renditions", path / "run")
            writing = WriterLock(path)
        core: Core | None = None
        try:
            if not (index_path / "data.mdb").exists():
                if any(segments.glob("*.tar")):
                    raise IndexMismatch(str(path), "there are segments but no index")
                if not is_writer:
                    raise IndexMismatch(str(path), "there is no archive here")
            engine = LmdbEngine(index_path, TABLES, is_writable=is_writer, is_replayed=True)
            store = SegmentStore(segments, limits, is_bulk=is_bulk)
            core = Core(engine, store, limits, path)
            archive = cls(core, path, on_conflict, is_writer, writing)
            archive._check_schema()
            if is_writer:
                sync_folder(index_path)  # LMDB leaves its new file's name to chance
                store.recover(core.indexed_end, archive._writer.take, archive._writer.give_up)
        except BaseException:
            if core is not None:
                core.close()
            if writing is not None:
                writing.release()
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
        if schema in (None, index.SCHEMA_WITHOUT_CHANGES) and self._is_writer:
            self._core.write(index.check_schema)
        elif schema != str(SCHEMA_VERSION).encode():
            found = "no schema version" if schema is None else f"schema version {schema.decode('ascii', 'replace')}"
            raise IndexMismatch(str(self.path), f"it has {found}, this program {SCHEMA_VERSION}")

    def close(self) -> None:
        self.worklist.close()
        self.outbox.close()
        self._core.close()
        if self._writing is not None:
            self._writing.release()

    @property
    def is_writable(self) -> bool:
        """Whether stores can succeed; False after a failed write until a restart."""
        return self._is_writer and not self._core.read_only_reason

    @property
    def syncs(self) -> int:
        """fdatasync calls of the blob store so far."""
        return self._core.blobs.syncs

    @property
    def commits(self) -> int:
        """Index commits so far."""
        return self._core.commits

    # -- what is there

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

    def missing(self, sop_uids: Sequence[str]) -> list[str]:
        """Which of these SOP Instance UIDs are not stored, in their order."""
        with self._core.engine.read() as view:
            return [uid for uid in sop_uids if view.get("instances", index.uid_key(uid)) is None]

    def members(self, study_uid: str, series_uid: str) -> list[InstanceRecord]:
        """The instances of a series in slice order; `SeriesNotFound` when there are none."""
        with self._core.engine.read() as view:
            found = list(index.members_of(view, study_uid, series_uid))
        if not found:
            raise SeriesNotFound(series_uid)
        return found

    def first_member(self, study_uid: str, series_uid: str) -> InstanceRecord:
        """The first instance of a series; `SeriesNotFound` when there is none."""
        with self._core.engine.read() as view:
            found = next(index.members_of(view, study_uid, series_uid), None)
        if found is None:
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
            return search(view, query, self.limits)

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

    def pending_series(
        self, quiet_s: float = 0.0, now_ns: int = 0, most: int | None = None
    ) -> list[tuple[str, str, int]]:
        """Series whose derived data is out of date (study, series, token), quiet for at least `quiet_s` seconds.

        Parameters
        ----------
        most : no more are looked for; however many wait, no more are in memory.
        """
        until = now_ns - int(quiet_s * 1e9) if now_ns else 1 << 63
        found: list[tuple[str, str, int]] = []
        with self._core.engine.read() as view:
            for key, stamp in view.scan("todo"):
                since = int.from_bytes(stamp, "big")
                data = view.get("series", key) if since <= until else None
                if data is not None:
                    series = unpack_series(data)
                    found.append((series.study_instance_uid, series.series_instance_uid, since))
                    if len(found) == most:
                        break
        return found

    def gone_series(self) -> list[tuple[bytes, int]]:
        """Series that were deleted and whose derived data may still be there: key and token."""
        with self._core.engine.read() as view:
            return [
                (key, int.from_bytes(since, "big"))
                for key, since in view.scan("todo")
                if view.get("series", key) is None
            ]

    def series_done(self, *done: tuple[bytes, int]) -> None:
        """The derived data of these series is up to date, unless something came in since the token was given: one commit.

        Parameters
        ----------
        done : key of a series (`index.series_key`), and token.
        """

        def clear(txn: Transaction) -> None:
            for key, token in done:
                if txn.get("todo", key) != token.to_bytes(8, "big"):
                    continue
                txn.delete("todo", key)
                data = txn.get("series", key)
                if data is not None:
                    series = unpack_series(data)
                    row = (ChangeKind.SERIES_QUIET, series.study_instance_uid, series.series_instance_uid, "")
                    changes.append(txn, [row], self.limits)

        if done:
            self._core.write(clear)

    # -- what has changed

    def feed(self) -> Extent:
        """Which part of the change feed is there; a few microseconds."""
        with self._core.engine.read() as view:
            return changes.extent(view)

    def changes(self, since: int, limit: int) -> tuple[Extent, list[Change]]:
        """At most `limit` changes behind number `since`, and the feed as it was at that moment.

        Raises
        ------
        ChangesGone
            Some of them are no longer kept, or the number is of another index: read the archive anew.
        """
        with self._core.engine.read() as view:
            return changes.extent(view), changes.changes_since(view, since, limit)

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

    def check_room(self, bytes_wanted: int) -> None:
        """Whether so many bytes may come: raises ArchiveReadOnly or ArchiveFull when it is known that they cannot be kept."""
        if not self.is_writable:
            raise ArchiveReadOnly(str(self.path), self._core.read_only_reason or "it was opened for reading")
        if self.path is not None:
            disk = os.statvfs(self.path)
            if disk.f_bavail * disk.f_frsize < bytes_wanted + self.limits.disk_reserve_bytes:
                raise ArchiveFull(str(self.path))

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
            found = {table: list(view.scan(table)) for table in TABLES if table not in index.TRANSIENT}
            found["segments"] = [(key, places.without_synced(value)) for key, value in found["segments"]]
            return found


def _make_folders(path: Path, *below: Path) -> None:
    """Make what is not there, and make the names durable: a segment is worth nothing in a folder that a crash forgets."""
    missing = [folder for folder in (*reversed(path.parents), path, *below) if not folder.exists()]
    for folder in missing:
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
