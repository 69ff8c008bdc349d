"""Rewriting one segment: what lives is copied into the active segment, the index follows, the old file goes."""

from __future__ import annotations

import logging
import time

from engine.archive import index, places
from engine.archive.core import Core
from engine.archive.index import Indexer
from engine.archive.ports import MemberMeta, StoredMember, Tombstone, Transaction
from engine.archive.records import InstanceRecord, Spooled
from engine.errors import EngineError
from engine.limits import MIB
from engine.types import Buffer, Location

_LOG = logging.getLogger(__name__)
_COPY_BATCH_BYTES = 32 * MIB

_Live = tuple[InstanceRecord, MemberMeta]


class Mover:
    """Moves what lives in one sealed segment. Needs `Core.removing`; storing goes on between two batches.

    A crash in between leaves two copies of some members: the index names one, and has the other among the erasures.
    """

    def __init__(self, core: Core, segment: int) -> None:
        self._core, self._segment = core, segment

    def run(self, live: int) -> bool:
        """Rewrite the segment, in which `live` versions are; False when it has to stay, for there is damage in it."""
        batch: list[_Live] = []
        stones: list[Tombstone] = []
        size = moved = 0
        with self._core.engine.read() as view:
            waiting = {location for location, _ in places.erasures(view)}
        for member in self._core.blobs.members(self._segment):
            if isinstance(member.content, Tombstone):
                # Tombstones of members that are not erased yet must outlive the segment they happen to stand in.
                if member.content.location in waiting:
                    stones.append(member.content)
                continue
            record = self._living(member.location, member.content) if member.content is not None else None
            if record is None:
                continue
            assert member.content is not None
            batch.append((record, member.content))
            size += member.location.length
            if size >= _COPY_BATCH_BYTES:
                moved += self._copy(batch)
                batch, size = [], 0
        moved += self._copy(batch)
        if moved != live:
            _LOG.error("segment %d is kept: %d of its %d instances cannot be moved", self._segment, live - moved, live)
            return False
        if stones:
            self._core.append([(stone, b"") for stone in stones], self._note_ends)
        self._core.engine.flush()
        self._core.blobs.drop(self._segment)
        self._core.write(lambda txn: places.forget_segment(txn, self._segment))
        return True

    def _living(self, location: Location, meta: MemberMeta) -> InstanceRecord | None:
        """The record of a member that the index names, and whose bytes are the acknowledged ones."""
        try:
            uid = self._core.scanned(location).sop_instance_uid
            hashes = self._core.hashes(location, meta.data_set_offset)
        except (EngineError, OSError):
            return None
        if hashes != (meta.header_sha256, meta.data_set_sha256):
            return None
        with self._core.engine.read() as view:
            return index.version_at(view, uid, location)

    def _copy(self, batch: list[_Live]) -> int:
        if not batch:
            return 0
        entries: list[tuple[MemberMeta, Buffer | Spooled]] = []
        try:
            for record, meta in batch:
                entries.append((meta, self._content(record)))

            def move(txn: Transaction, stored: list[StoredMember]) -> None:
                indexer, now = Indexer(txn, self._core.rescan), time.time_ns()
                for (record, _), member in zip(batch, stored, strict=True):
                    indexer.move(record, member.location, now)
                self._note_ends(txn, stored)

            self._core.append(entries, move)
        except BaseException:
            for _, content in entries:
                if isinstance(content, Spooled):
                    content.drop()
            raise
        return len(batch)

    def _content(self, record: InstanceRecord) -> Buffer | Spooled:
        if record.location.length <= self._core.limits.spool_bytes:
            return self._core.blobs.read(record.location, 0, record.location.length) or b""
        spool = self._core.blobs.spool()
        try:
            for start in range(0, record.location.length, MIB):
                length = min(MIB, record.location.length - start)
                spool.write(self._core.blobs.read(record.location, start, length) or b"")
        except BaseException:
            spool.drop()
            raise
        return spool

    def _note_ends(self, txn: Transaction, stored: list[StoredMember]) -> None:
        indexer = Indexer(txn, self._core.rescan)
        for member in stored:
            indexer.indexed_to(member.location.segment, member.end)
