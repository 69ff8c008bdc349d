"""The pair of index engine and blob store that everything in the archive works on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from engine.archive.lmdb_engine import MapGrown
from engine.archive.ports import Blobs, IndexEngine, MemberMeta, Transaction
from engine.archive.records import InstanceRecord
from engine.dicom.scan import scan_file
from engine.dicom.scanned import ScannedInstance
from engine.limits import Limits
from engine.types import Location

T = TypeVar("T")


class Core:
    """Engine, blobs, limits, and the lock that lets one thread of this process write at a time.

    Attributes
    ----------
    commits : int
        Index commits so far.
    """

    def __init__(self, engine: IndexEngine, blobs: Blobs, limits: Limits) -> None:
        self.engine, self.blobs, self.limits = engine, blobs, limits
        self.write_lock = threading.RLock()
        self.commits = 0

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction; again when the map had to grow."""
        while True:
            try:
                with self.engine.write() as txn:
                    result = work(txn)
                self.commits += 1
                return result
            except MapGrown:
                continue

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
