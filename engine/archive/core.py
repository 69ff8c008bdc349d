"""The pair of index engine and blob store that everything in the archive works on."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from engine.archive.lmdb_engine import MapGrown
from engine.archive.places import indexed_end, synced_end
from engine.archive.ports import BlobLane, Blobs, IndexEngine, MemberMeta, StoredMember, Tombstone, Transaction
from engine.archive.records import InstanceRecord, Spooled
from engine.archive.segment_file import hash_range
from engine.dicom.scan import scan_file
from engine.dicom.scanned import ScannedInstance
from engine.errors import ArchiveReadOnly
from engine.limits import Limits
from engine.types import Buffer, Location

T = TypeVar("T")


class Core:
    """Engine, blobs and limits. Any thread writes: each through a lane of its own, the index transactions in turn.

    Attributes
    ----------
    commits : int
        Index commits so far.
    """

    def __init__(self, engine: IndexEngine, blobs: Blobs, limits: Limits, path: Path | None = None) -> None:
        self.engine, self.blobs, self.limits = engine, blobs, limits
        self.commits = 0
        self._path = path
        self._removing, self._counting = threading.Lock(), threading.Lock()

    @property
    def read_only_reason(self) -> str:
        """Not empty once the disk has failed a write; a restart looks at what is there."""
        return self.blobs.read_only_reason or self.engine.read_only_reason

    def close(self) -> None:
        self.blobs.close()
        self.engine.close()

    def indexed_end(self, segment: int) -> tuple[int, int]:
        """How far a segment is indexed as of now, and up to where the disk had it before it was indexed."""
        with self.engine.read() as view:
            return indexed_end(view, segment), synced_end(view, segment)

    @contextmanager
    def removing(self) -> Iterator[None]:
        """Deleting, erasing and moving exclude each other, in all processes of the archive; storing goes on meanwhile.

        Otherwise what is deleted while it is being moved would come back at its new place.
        """
        with self._removing:
            if self._path is None:
                yield
                return
            fd = os.open(self._path / "run" / "removing.lock", os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                yield
            finally:
                os.close(fd)

    def append(
        self,
        members: Sequence[tuple[MemberMeta | Tombstone, Buffer | Spooled]],
        work: Callable[[Transaction, list[StoredMember]], T],
        *,
        is_additive: bool = False,
    ) -> T:
        """Write these to the blob store, then run `work`, which tells the index: both or neither.

        While one thread waits for the disk or the index, another may be in here with the next group.

        Parameters
        ----------
        is_additive : `work` only adds to the index. Then the disk takes the bytes and the index at the same time: half the
            waiting. After a power cut in between the index may name bytes that are not there; `SegmentStore.recover` looks.

        Raises
        ------
        ArchiveFull, ArchiveReadOnly
            Nothing was kept.
        """
        if self.read_only_reason:
            raise ArchiveReadOnly(str(self._path), self.read_only_reason)
        with self.blobs.lane() as lane:
            stored = lane.append(members)
            wait = lane.sync()
            try:
                if not is_additive:
                    wait()
                result = self.write(lambda txn: work(txn, stored))
            except BaseException as error:
                with suppress(ArchiveReadOnly):  # then the lane knows, and keeps what it has
                    wait()
                self._settle(lane, stored, error)
                raise
            wait()
            return result

    def _settle(self, lane: BlobLane, stored: list[StoredMember], error: BaseException) -> None:
        """After a failed transaction: the bytes go only if the index is sure not to have them."""
        try:
            with self.engine.read() as view:
                is_indexed = any(m.end <= indexed_end(view, m.location.segment) for m in stored)
        except Exception:  # noqa: BLE001 - whatever keeps the index from being asked, it is in doubt
            lane.retract(f"the index failed in the middle of a transaction: {error}")
            return
        if is_indexed:
            return  # it was only told to stop (KeyboardInterrupt) once all was done
        if self.engine.read_only_reason:
            lane.retract(self.engine.read_only_reason)  # perhaps on the disk, though not to be seen from here
        else:
            lane.retract()

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction; again when the map had to grow."""
        while True:
            try:
                with self.engine.write() as txn:
                    result = work(txn)
                with self._counting:
                    self.commits += 1
                return result
            except MapGrown:
                continue

    def hashes(self, location: Location, data_set_offset: int) -> tuple[bytes, bytes]:
        """SHA-256 of preamble and File Meta, and of the data set, as they are stored now."""
        with self.blobs.opened(location) as (fd, offset):
            split = offset + data_set_offset
            return hash_range(fd, offset, split), hash_range(fd, split, offset + location.length)

    def rescan(self, record: InstanceRecord) -> ScannedInstance:
        """The scan of a stored instance."""
        return self.scanned(record.location)

    def scanned(self, location: Location) -> ScannedInstance:
        """The scan of what is stored at a place, without holding it in memory; `FileNotFoundError` when it is gone."""
        with self.blobs.opened(location) as (fd, offset):
            return scan_file(fd, offset, location.length, self.limits)


def make_record(scanned: ScannedInstance, meta: MemberMeta, location: Location) -> InstanceRecord:
    """The index record of an instance: the same from its scan on arrival and from its stored bytes."""
    return InstanceRecord(
        study_instance_uid=scanned.study_instance_uid,
        series_instance_uid=scanned.series_instance_uid,
        sop_instance_uid=scanned.sop_instance_uid,
        sop_class_uid=scanned.sop_class_uid,
        transfer_syntax_uid=scanned.transfer_syntax_uid,
        location=location,
        data_set_offset=scanned.data_set_offset,
        header_length=scanned.header_length,
        data_set_sha256=meta.data_set_sha256,
        received_ns=meta.received_ns,
        source=meta.source,
        instance_json=scanned.instance_json,
        slice_key=scanned.slice_key,
        frame_descriptor=scanned.frame_descriptor,
        frame_table=scanned.frame_table,
        defects=scanned.defects,
        is_replacing=meta.is_replacing,
    )
