"""How instances enter the archive and leave it: bytes first, then the index, then the answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence, Set
from functools import partial

from engine.archive import index, places
from engine.archive.changes import ChangeLog
from engine.archive.core import Core, make_record
from engine.archive.index import Indexer, uid_key
from engine.archive.member import HEADER_BYTES, bounded, member_name
from engine.archive.packing import location_of, unpack_instance
from engine.archive.ports import MemberMeta, StoredMember, Tombstone, Transaction
from engine.archive.records import Incoming, InstanceRecord, Spooled, StoreOutcome, StoreStatus
from engine.dicom.scanned import ScannedInstance
from engine.errors import InstanceNotFound, InvalidInput, LimitExceeded, SeriesNotFound, StudyNotFound
from engine.types import Location

_LOG = logging.getLogger(__name__)
_MEMBERS_PER_COMMIT = 512  # when indexing what is already stored
Fresh = tuple[int, Incoming, bool]  # place in the batch, the instance, whether its UID is new


class Writer:
    """Stores, deletes and takes over; any thread (the index itself decides, inside its transaction, what is served).

    Parameters
    ----------
    is_logging : every change gets its number in the feed.
    """

    def __init__(self, core: Core, *, replaces: bool, is_logging: bool = True) -> None:
        self._core, self._replaces, self._is_logging = core, replaces, is_logging

    def store(self, batch: Sequence[Incoming]) -> list[StoreOutcome]:
        """See `Archive.store`."""
        fresh, again, outcomes = self._split_duplicates(batch)
        if fresh:
            entries = [(self._meta(one, is_first), one.content) for _, one, is_first in fresh]
            scans = [one.scanned for _, one, _ in fresh]
            kept = self._core.append(entries, lambda txn, stored: self._index(txn, stored, scans), is_additive=True)
            for (place, _, _), outcome in zip(fresh, kept, strict=True):
                outcomes[place] = outcome
            for place, first in again.items():
                outcomes[place] = StoreOutcome(StoreStatus.DUPLICATE, kept[first].location)
        for place, one in enumerate(batch):
            if isinstance(one.content, Spooled) and all(place != stored for stored, _, _ in fresh):
                one.content.drop()
        return [outcome for outcome in outcomes if outcome is not None]

    def delete(self, study_uid: str, series_uid: str, sop_uid: str) -> int:
        """See `Archive.delete`: tombstones on disk, then the index; the bytes go when no reader can still want them."""
        with self._core.removing():
            doomed = self._all_versions(study_uid, series_uid, sop_uid)
            uids = {r.sop_instance_uid for r in doomed}
            with self._core.engine.read() as view:
                doomed_places = [
                    *(r.location for r in doomed),
                    *places.second_copies(view, {uid_key(uid) for uid in uids}),
                ]
            now = time.time_ns()

            def forget(txn: Transaction, stored: list[StoredMember]) -> None:
                indexer = self._indexer(txn)
                for record in doomed:
                    indexer.remove_version(record)
                for place in doomed_places:
                    places.put_erasure(txn, place, now)
                for member in stored:
                    indexer.indexed_to(member.location.segment, member.end)
                indexer.finish()

            self._core.append([(Tombstone(place, now), b"") for place in doomed_places], forget)
        return len(uids)

    def take(self, found: Sequence[StoredMember], deleted: Set[Location] = frozenset()) -> None:
        """Index what lies in the blob store already (after a crash, or all of it), without what is known as deleted."""
        gone = deleted | {m.content.location for m in found if isinstance(m.content, Tombstone)}
        for first in range(0, len(found), _MEMBERS_PER_COMMIT):
            self._core.write(partial(self._take, found[first : first + _MEMBERS_PER_COMMIT], gone))

    def give_up(self, segment: int, end: int) -> None:
        """The index named what is not in the segment: a power cut came between the two, and nobody was told yes."""

        def forget(txn: Transaction) -> None:
            indexer = self._indexer(txn)
            for table in ("instances", "versions"):
                lost = [data for _, data in txn.scan(table) if _is_behind(location_of(data), segment, end)]
                for data in lost:
                    indexer.remove_version(unpack_instance(data))
            indexer.indexed_to(segment, end)
            indexer.finish()

        self._core.write(forget)

    def _take(self, batch: Sequence[StoredMember], deleted: Set[Location], txn: Transaction) -> None:
        indexer = self._indexer(txn)
        for member in batch:
            if isinstance(member.content, Tombstone):
                self._bury(txn, indexer, member.content)
            elif member.content is not None and member.location not in deleted:
                try:
                    scanned = self._core.scanned(member.location)
                except (InvalidInput, LimitExceeded) as error:
                    # Acknowledged by a program with other limits, or damaged since: one image, not the whole archive.
                    _LOG.error("%s is not indexed: %s", member.location, error)
                else:
                    indexer.add(make_record(scanned, member.content, member.location), scanned)
            indexer.indexed_to(member.location.segment, member.end)
        indexer.finish()

    def _bury(self, txn: Transaction, indexer: Indexer, tombstone: Tombstone) -> None:
        try:
            scanned = self._core.scanned(tombstone.location)
        except (FileNotFoundError, InvalidInput, LimitExceeded):
            return  # erased already: its header or its segment is gone
        places.put_erasure(txn, tombstone.location, tombstone.deleted_ns)
        served = index.get_instance(txn, scanned.sop_instance_uid)
        for record in [*index.versions_of(txn, scanned.sop_instance_uid), *([served] if served else [])]:
            if record.location == tombstone.location:
                indexer.remove_version(record)

    def _indexer(self, txn: Transaction) -> Indexer:
        return Indexer(txn, self._core.rescan, ChangeLog(txn, self._core.limits) if self._is_logging else None)

    def _index(self, txn: Transaction, stored: list[StoredMember], scans: list[ScannedInstance]) -> list[StoreOutcome]:
        indexer, outcomes = self._indexer(txn), []
        ends: dict[int, int] = {}
        starts: dict[int, int] = {}
        for member, scanned in zip(stored, scans, strict=True):
            assert isinstance(member.content, MemberMeta)
            record = make_record(scanned, member.content, member.location)
            outcomes.append(StoreOutcome(indexer.add(record, scanned), member.location))
            ends[member.location.segment] = member.end
            starts.setdefault(member.location.segment, max(member.location.offset - HEADER_BYTES, 0))
        for segment, end in ends.items():
            indexer.indexed_to(segment, end, starts[segment])
        indexer.finish()
        return outcomes

    def _split_duplicates(
        self, batch: Sequence[Incoming]
    ) -> tuple[list[Fresh], dict[int, int], list[StoreOutcome | None]]:
        """What has to be written, what is in the batch again (place → index of the first), the outcomes of what is known."""
        fresh: list[Fresh] = []
        again: dict[int, int] = {}
        first: dict[tuple[str, bytes], int] = {}
        outcomes: list[StoreOutcome | None] = [None] * len(batch)
        seen: set[str] = set()
        unsure: list[Location] = []
        with self._core.engine.read() as view:
            for place, one in enumerate(batch):
                sop = one.scanned.sop_instance_uid
                served = index.get_instance(view, sop)
                known = [] if served is None else [served, *index.versions_of(view, sop)]
                twin = next((r for r in known if r.data_set_sha256 == one.data_set_sha256), None)
                if twin is not None:
                    outcomes[place] = StoreOutcome(StoreStatus.DUPLICATE, twin.location)
                    if twin.location.offset >= places.synced_end(view, twin.location.segment):
                        unsure.append(twin.location)
                elif (sop, one.data_set_sha256) in first:
                    again[place] = first[sop, one.data_set_sha256]
                else:
                    first[sop, one.data_set_sha256] = len(fresh)
                    fresh.append((place, one, served is None and sop not in seen))
                    seen.add(sop)
        for location in unsure:  # whoever stores the twin may be waiting for the disk still
            self._core.blobs.make_sure(location)
        return fresh, again, outcomes

    def _meta(self, one: Incoming, is_first: bool) -> MemberMeta:
        scanned = one.scanned
        return MemberMeta(
            name=member_name(
                scanned.study_instance_uid,
                scanned.series_instance_uid,
                scanned.sop_instance_uid,
                one.data_set_sha256,
                is_first,
            ),
            data_set_sha256=one.data_set_sha256,
            header_sha256=one.header_sha256,
            data_set_offset=scanned.data_set_offset,
            received_ns=one.received_ns,
            source=bounded(one.source),
            is_replacing=self._replaces,
        )

    def _all_versions(self, study_uid: str, series_uid: str, sop_uid: str) -> list[InstanceRecord]:
        with self._core.engine.read() as view:
            if sop_uid:
                served = index.get_instance(view, sop_uid)
                if served is None or study_uid not in ("", served.study_instance_uid):
                    raise InstanceNotFound(sop_uid)
                uids = [sop_uid]
            else:
                chosen = [s for s in index.series_of(view, study_uid) if series_uid in ("", s.series_instance_uid)]
                if not chosen:
                    raise SeriesNotFound(series_uid) if series_uid else StudyNotFound(study_uid)
                uids = [
                    r.sop_instance_uid for s in chosen for r in index.members_of(view, study_uid, s.series_instance_uid)
                ]
            found: list[InstanceRecord] = []
            for uid in uids:
                served = index.get_instance(view, uid)
                # The served one last: while it stands, none of the others is promoted.
                found += [*index.versions_of(view, uid), *([served] if served else [])]
        return found


def _is_behind(location: Location, segment: int, end: int) -> bool:
    return location.segment == segment and location.offset >= end
