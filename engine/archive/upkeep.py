"""What keeps an archive healthy: every byte hashed again, space given back, segments with many holes rewritten."""

from __future__ import annotations

import logging
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from engine.archive import index, places
from engine.archive.core import Core
from engine.archive.moving import Mover
from engine.archive.packing import location_of, unpack_instance
from engine.archive.ports import MemberMeta, StoredMember, Transaction
from engine.archive.records import InstanceRecord
from engine.dicom.scanned import ScannedInstance
from engine.errors import EngineError
from engine.types import Location

_LOG = logging.getLogger(__name__)
# A reader that got its record before the deletion must be done with the bytes before they go.
_GRACE_S = 60.0
_LIVE_PERCENT_MIN = 70  # sealed segments with less than this alive are rewritten
_RECORDS_AT_ONCE = 512  # a snapshot that stays open keeps old pages of the index alive


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
        """Read and hash every stored version; compare what the index says with what lies in the segments.

        Reads the segments from end to end, then asks for what the index names besides; keeps eight bytes an instance.
        """
        places = array("Q")
        strangers: dict[Location, tuple[StoredMember, str]] = {}
        for member in self._core.blobs.members():
            if not isinstance(member.content, MemberMeta):
                continue
            scanned = self._scanned(member.location)
            record = None if scanned is None else self._indexed(scanned.sop_instance_uid, member.location)
            if record is None:
                strangers[member.location] = (member, "unknown" if scanned is None else scanned.sop_instance_uid)
            else:
                places.append(_place(record.location))
                yield _checked(record, self._problem(record, member.content, scanned))
        known = np.sort(np.frombuffer(places, np.uint64)) if places else np.zeros(0, np.uint64)
        for table in ("instances", "versions"):
            for key, data in self._entries(table):
                record = unpack_instance(data)
                if _holds(known, _place(record.location)) or not self._is_current(table, key, record):
                    continue
                stranger = strangers.pop(record.location, None)
                meta = self._meta_at(record.location) if stranger is None else stranger[0].content
                assert meta is None or isinstance(meta, MemberMeta)
                yield _checked(record, self._problem(record, meta, self._scanned(record.location)))
        for member, uid in strangers.values():
            problem = self._unindexed(member, uid)
            if problem:
                yield Checked(uid, _where(member.location), member.location.length, problem)

    def problem_of(self, record: InstanceRecord) -> str:
        """What is wrong with one stored version: every byte is read and hashed; empty when all is well."""
        return self._problem(record, self._meta_at(record.location), self._scanned(record.location))

    def records(self) -> Iterator[InstanceRecord]:
        """Every stored version, those that are not served too; what comes or goes meanwhile may or may not be seen."""
        for table in ("instances", "versions"):
            for _, data in self._entries(table):
                yield unpack_instance(data)

    def erase_due(self, grace_s: float = _GRACE_S) -> int:
        """Give back the bytes of what was deleted longer than `grace_s` seconds ago; returns how many members."""
        with self._core.removing():
            with self._core.engine.read() as view:
                due = [place for place, at in places.erasures(view) if time.time_ns() - at >= grace_s * 1e9]
            if due:
                self._core.engine.flush()
            for location in due:
                self._core.blobs.erase(location)

            def done(txn: Transaction) -> None:
                for location in due:
                    txn.delete("erasures", places.pack_location(location))

            if due:
                self._core.write(done)
        return len(due)

    def compact(self, live_percent_min: int = _LIVE_PERCENT_MIN, grace_s: float = _GRACE_S) -> int:
        """Erase what is due, then rewrite the sealed segments that are mostly holes; returns how many were rewritten."""
        self._core.engine.check_readers()
        self.erase_due(grace_s)
        alive: dict[int, int] = {}
        for table in ("instances", "versions"):
            for _, data in self._entries(table):
                location = location_of(data)
                alive[location.segment] = alive.get(location.segment, 0) + location.length
        with self._core.engine.read() as view:
            extents = places.indexed_ends(view)
            pending = {location.segment for location, _ in places.erasures(view)}
        rewritten = 0
        for segment, size in self._core.blobs.sizes().items():
            if not size.is_sealed or segment in pending:
                continue
            if 100 * alive.get(segment, 0) < live_percent_min * extents.get(segment, 0):
                with self._core.removing():
                    live = sum(
                        location_of(data).segment == segment
                        for table in ("instances", "versions")
                        for _, data in self._entries(table)
                    )
                    rewritten += Mover(self._core, segment).run(live)
        return rewritten

    def _entries(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        """All of a table, a part at a time: what comes or goes meanwhile may or may not be seen."""
        start = b""
        while True:
            with self._core.engine.read() as view:
                part = list(islice(view.scan(table, start), _RECORDS_AT_ONCE))
            yield from part
            if len(part) < _RECORDS_AT_ONCE:
                return
            start = part[-1][0] + b"\0"

    def _scanned(self, location: Location) -> ScannedInstance | None:
        try:
            return self._core.scanned(location)
        except (EngineError, OSError):
            return None

    def _indexed(self, sop_uid: str, location: Location) -> InstanceRecord | None:
        with self._core.engine.read() as view:
            return index.version_at(view, sop_uid, location)

    def _is_current(self, table: str, key: bytes, record: InstanceRecord) -> bool:
        """Not deleted, moved or promoted meanwhile."""
        with self._core.engine.read() as view:
            data = view.get(table, key)
        return data is not None and unpack_instance(data).location == record.location

    def _meta_at(self, location: Location) -> MemberMeta | None:
        """The header of something younger than this run; None for what is no longer whole."""
        member = next(self._core.blobs.members(location), None)
        return member.content if member is not None and isinstance(member.content, MemberMeta) else None

    def _problem(self, record: InstanceRecord, meta: MemberMeta | None, scanned: ScannedInstance | None) -> str:
        if meta is None:
            return "no whole member lies where the index says"
        if meta.data_set_sha256 != record.data_set_sha256:
            return "the index and the segment speak of different bytes"
        try:
            hashes = self._core.hashes(record.location, meta.data_set_offset)
        except FileNotFoundError:
            return "its segment is gone"
        except OSError as error:
            return f"the stored bytes can no longer be read: {error.strerror}"
        if hashes != (meta.header_sha256, meta.data_set_sha256):
            return "the stored bytes no longer have the hash they were acknowledged with"
        if scanned is None:
            return "the stored bytes can no longer be understood, although they are the acknowledged ones"
        if (scanned.sop_instance_uid, scanned.series_instance_uid) != (
            record.sop_instance_uid,
            record.series_instance_uid,
        ):
            return "the index files it under other UIDs than its bytes say"
        if scanned.frame_descriptor != record.frame_descriptor:
            return "the index describes its pixels differently; run reindex"
        return ""

    def _unindexed(self, member: StoredMember, uid: str) -> str:
        """A member that the index does not name: fine when deleted, a second copy, or younger than this run."""
        meta = member.content
        assert isinstance(meta, MemberMeta)
        with self._core.engine.read() as view:
            if view.get("erasures", places.pack_location(member.location)) is not None:
                return ""
            served = index.get_instance(view, uid)
            versions = [] if served is None else [served, *index.versions_of(view, uid)]
            end = places.indexed_end(view, member.location.segment)
        if member.end > end:
            return ""  # being written at this moment, not acknowledged yet
        if any(v.data_set_sha256 == meta.data_set_sha256 for v in versions):
            return ""
        try:
            with self._core.blobs.opened(member.location):
                pass
        except FileNotFoundError:
            return ""  # erased, or moved, in the meantime
        if uid == "unknown":
            return "a stored member can no longer be read, and the index does not know it"
        return "stored, but not in the index; run reindex"


def _checked(record: InstanceRecord, problem: str) -> Checked:
    return Checked(record.sop_instance_uid, _where(record.location), record.location.length, problem)


def _where(location: Location) -> str:
    return f"segment {location.segment} at {location.offset}"


def _place(location: Location) -> int:
    """A location in eight bytes: members stand on borders of 512, segments are smaller than 2⁴⁹ bytes."""
    return location.segment << 40 | location.offset >> 9


def _holds(places: NDArray[np.uint64], place: int) -> bool:
    at = int(np.searchsorted(places, np.uint64(place)))
    return at < len(places) and int(places[at]) == place
