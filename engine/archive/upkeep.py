"""What keeps an archive healthy: every byte hashed again, space given back, segments with many holes rewritten."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from engine.archive import index
from engine.archive.core import Core
from engine.archive.index import Indexer
from engine.archive.packing import unpack_instance
from engine.archive.ports import MemberMeta, StoredMember, Tombstone, Transaction
from engine.archive.records import InstanceRecord, Spooled
from engine.errors import EngineError
from engine.limits import MIB
from engine.types import Buffer, Location

# A reader that got its record before the deletion must be done with the bytes before they go.
_GRACE_S = 60.0
_LIVE_PERCENT_MIN = 70  # sealed segments with less than this alive are rewritten
_COPY_BATCH_BYTES = 32 * MIB


@dataclass(frozen=True, slots=True)
class Checked:
    """One instance that `verify` has read; `problem` is empty when all is well."""

    sop_instance_uid: str
    where: str
    length: int
    problem: str = ""


class Upkeep:
    """Works beside a running server; `compact` and `erase_due` write, so the archive must be open for writing."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def verify(self) -> Iterator[Checked]:
        """Read and hash every stored version; compare what the index says with what lies in the segments."""
        metas = self._members()
        with self._core.engine.read() as view:
            keys = [(table, key) for table in ("instances", "versions") for key, _ in view.scan(table)]
        for table, key in keys:
            with self._core.engine.read() as view:
                data = view.get(table, key)
            if data is None:
                continue  # deleted, or promoted, in the meantime
            record = unpack_instance(data)
            where = f"segment {record.location.segment} at {record.location.offset}"
            meta = metas.pop((record.location.segment, record.location.offset), None)
            if meta is None and not self._is_current(table, key, record):
                continue  # moved or deleted in the meantime
            yield Checked(record.sop_instance_uid, where, record.location.length, self._problem(record, meta))
        with self._core.engine.read() as view:
            erased = {location for location, _ in index.erasures(view)}
        for member in metas.values():
            problem = self._unindexed(member, erased)
            if problem:
                where = f"segment {member.location.segment} at {member.location.offset}"
                yield Checked(problem[0], where, member.location.length, problem[1])

    def erase_due(self, grace_s: float = _GRACE_S) -> int:
        """Give back the bytes of what was deleted longer than `grace_s` seconds ago; returns how many members."""
        with self._core.write_lock:
            with self._core.engine.read() as view:
                due = [place for place, at in index.erasures(view) if time.time_ns() - at >= grace_s * 1e9]
            for location in due:
                self._core.blobs.erase(location)

            def done(txn: Transaction) -> None:
                for location in due:
                    txn.delete("erasures", index.pack_location(location))

            if due:
                self._core.write(done)
        return len(due)

    def compact(self, live_percent_min: int = _LIVE_PERCENT_MIN, grace_s: float = _GRACE_S) -> int:
        """Erase what is due, then rewrite the sealed segments that are mostly holes; returns how many were rewritten."""
        with self._core.write_lock:
            self.erase_due(grace_s)
            live: dict[int, list[InstanceRecord]] = {}
            with self._core.engine.read() as view:
                for table in ("instances", "versions"):
                    for _, data in view.scan(table):
                        record = unpack_instance(data)
                        live.setdefault(record.location.segment, []).append(record)
                pending = {location.segment for location, _ in index.erasures(view)}
            rewritten = 0
            extents = self._extents()
            for segment, size in self._core.blobs.sizes().items():
                records = live.get(segment, [])
                alive = sum(r.location.length for r in records)
                if (
                    not size.is_sealed
                    or segment in pending
                    or 100 * alive >= live_percent_min * extents.get(segment, 0)
                ):
                    continue
                self._rewrite(segment, records)
                rewritten += 1
        return rewritten

    def _extents(self) -> dict[int, int]:
        """How many bytes each segment has been written for, holes included."""
        with self._core.engine.read() as view:
            return index.indexed_ends(view)

    def _rewrite(self, segment: int, records: list[InstanceRecord]) -> None:
        """Copy what lives, move the index, then remove the file; a crash in between leaves two copies, of which one counts."""
        metas = self._members({segment: 0})
        batch: list[InstanceRecord] = []
        for position, record in enumerate(sorted(records, key=lambda r: r.location.offset)):
            batch.append(record)
            is_last = position == len(records) - 1
            if is_last or sum(r.location.length for r in batch) >= _COPY_BATCH_BYTES:
                self._copy(batch, metas)
                batch = []
        # Tombstones of members that are not erased yet must outlive the segment they happen to stand in.
        with self._core.engine.read() as view:
            waiting = {location for location, _ in index.erasures(view)}
        stones = [
            m.content
            for m in self._core.blobs.members({})
            if m.location.segment == segment and isinstance(m.content, Tombstone) and m.content.location in waiting
        ]
        if stones:
            stored = self._core.blobs.append([(stone, b"") for stone in stones])
            self._core.write(lambda txn: self._note_ends(txn, stored))
        self._core.blobs.drop(segment)
        self._core.write(lambda txn: txn.delete("segments", segment.to_bytes(4, "big")))

    def _copy(self, batch: list[InstanceRecord], metas: dict[tuple[int, int], StoredMember]) -> None:
        entries = []
        for record in batch:
            meta = metas[record.location.segment, record.location.offset].content
            assert isinstance(meta, MemberMeta)
            entries.append((meta, self._content(record)))
        stored = self._core.blobs.append(entries)

        def move(txn: Transaction) -> None:
            indexer = Indexer(txn, self._core.rescan)
            for record, member in zip(batch, stored, strict=True):
                indexer.move(record, member.location)
                indexer.indexed_to(member.location.segment, member.end)
            indexer.finish()

        self._core.write(move)

    def _content(self, record: InstanceRecord) -> Buffer | Spooled:
        if record.location.length <= self._core.limits.spool_bytes:
            return self._core.blobs.read(record.location, 0, record.location.length) or b""
        spool = self._core.blobs.spool()
        for start in range(0, record.location.length, MIB):
            piece = self._core.blobs.read(record.location, start, min(MIB, record.location.length - start))
            spool.write(piece or b"")
        return spool

    def _note_ends(self, txn: Transaction, stored: list[StoredMember]) -> None:
        indexer = Indexer(txn, self._core.rescan)
        for member in stored:
            indexer.indexed_to(member.location.segment, member.end)

    def _members(self, only: dict[int, int] | None = None) -> dict[tuple[int, int], StoredMember]:
        return {
            (m.location.segment, m.location.offset): m
            for m in self._core.blobs.members({})
            if isinstance(m.content, MemberMeta) and (only is None or m.location.segment in only)
        }

    def _is_current(self, table: str, key: bytes, record: InstanceRecord) -> bool:
        with self._core.engine.read() as view:
            data = view.get(table, key)
        return data is not None and unpack_instance(data).location == record.location

    def _problem(self, record: InstanceRecord, member: StoredMember | None) -> str:
        if member is None:
            return "no whole member lies where the index says"
        meta = member.content
        assert isinstance(meta, MemberMeta)
        if meta.data_set_sha256 != record.data_set_sha256 or member.location != record.location:
            return "the index and the segment speak of different bytes"
        try:
            head = self._hash(record, 0, meta.data_set_offset)
            data = self._hash(record, meta.data_set_offset, record.location.length)
            scanned = self._core.rescan(record)
        except FileNotFoundError:
            return "its segment is gone"
        except EngineError as error:
            return f"the stored bytes can no longer be read: {error}"
        if head != meta.header_sha256 or data != meta.data_set_sha256:
            return "the stored bytes no longer have the hash they were acknowledged with"
        if (scanned.sop_instance_uid, scanned.series_instance_uid) != (
            record.sop_instance_uid,
            record.series_instance_uid,
        ):
            return "the index files it under other UIDs than its bytes say"
        if scanned.frame_descriptor != record.frame_descriptor:
            return "the index describes its pixels differently; run reindex"
        return ""

    def _hash(self, record: InstanceRecord, start: int, stop: int) -> bytes:
        digest = hashlib.sha256()
        for at in range(start, stop, MIB):
            digest.update(self._core.blobs.read(record.location, at, min(MIB, stop - at)) or b"")
        return digest.digest()

    def _unindexed(self, member: StoredMember, erased: set[Location]) -> tuple[str, str] | None:
        """A member that the index does not name: fine when deleted, a second copy, or younger than this run."""
        meta = member.content
        assert isinstance(meta, MemberMeta)
        if member.location in erased:
            return None
        try:
            scanned = self._core.scanned(member.location)
        except (FileNotFoundError, EngineError):
            return ("unknown", "a stored member can no longer be read, and the index does not know it")
        versions: list[InstanceRecord] = []
        with self._core.engine.read() as now:
            served = index.get_instance(now, scanned.sop_instance_uid)
            versions = [*([served] if served else []), *index.versions_of(now, scanned.sop_instance_uid)]
        if any(v.data_set_sha256 == meta.data_set_sha256 for v in versions):
            return None
        with self._core.engine.read() as now:
            end = index.indexed_ends(now).get(member.location.segment, 0)
        if member.end > end:
            return None  # being written at this moment, not acknowledged yet
        return scanned.sop_instance_uid, "stored, but not in the index; run reindex"
