"""What the index holds and how one instance enters and leaves it; the same records in any order give the same index.

Tables: ``instances`` (the served version of each SOP Instance UID), ``versions`` (the others), ``members`` (slice order),
``series``, ``studies`` (their rows as searches give them), ``keys`` (secondary keys of studies), ``defects``, ``segments``
(how far each is indexed), ``erasures`` (deleted, space not given back yet), ``meta``; ``todo``, which says what the
background has still to do; and ``changes``, the feed (`archive/changes.py`).
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache

from engine.archive import changes, places
from engine.archive.changes import ChangeLog
from engine.archive.packing import SCHEMA_VERSION, pack_instance, pack_series, unpack_instance, unpack_series
from engine.archive.ports import Snapshot, Transaction
from engine.archive.records import InstanceRecord, SeriesSummary, StoreStatus
from engine.archive.rows import study_row
from engine.archive.secondary import SERIES, study_keys
from engine.dicom.scanned import ScannedInstance
from engine.types import Location

TABLES = (
    "meta", "instances", "versions", "members", "series", "studies", "keys", "defects", "segments", "erasures", "todo",
    changes.TABLE,
)  # fmt: skip
TRANSIENT = ("todo", changes.TABLE)  # not rebuilt by reindex, and not missed
SCHEMA_WITHOUT_CHANGES = b"2"
_KEY_BYTES_MAX = 64
_COUNTS = re.compile(rb'"0020120[68]":{[^}]*}')
_KEPT_BYTES_MAX = 16 * 1024  # of a packed record that is kept unpacked

Rescan = Callable[[InstanceRecord], ScannedInstance]


def uid_key(uid: str) -> bytes:
    """A UID as a key without NUL, at most 64 bytes; longer or stranger ones by their hash."""
    key = uid.encode("utf_8", "surrogatepass")
    if len(key) <= _KEY_BYTES_MAX and b"\0" not in key:
        return key
    return b"#" + hashlib.sha256(key).hexdigest()[:63].encode()


def series_key(study_uid: str, series_uid: str) -> bytes:
    return uid_key(study_uid) + b"\0" + uid_key(series_uid)


def prefix_end(prefix: bytes) -> bytes:
    """The smallest key behind all that begin with `prefix` (which never ends in 0xFF here)."""
    return prefix[:-1] + bytes([prefix[-1] + 1])


def member_key(r: InstanceRecord) -> bytes:
    return series_key(r.study_instance_uid, r.series_instance_uid) + b"\0" + r.slice_key + uid_key(r.sop_instance_uid)


def version_key(r: InstanceRecord) -> bytes:
    return uid_key(r.sop_instance_uid) + b"\0" + r.data_set_sha256[:16]


# -- reading


def get_instance(view: Snapshot, sop_uid: str) -> InstanceRecord | None:
    data = view.get("instances", uid_key(sop_uid))
    if data is None:
        return None
    return _unpacked(data) if len(data) <= _KEPT_BYTES_MAX else unpack_instance(data)


@lru_cache(maxsize=512)
def _unpacked(data: bytes) -> InstanceRecord:
    """Readers ask for the same instance again and again: its frames, its windows. 20 µs the first time, 1 then."""
    return unpack_instance(data)


def get_series(view: Snapshot, study_uid: str, series_uid: str) -> SeriesSummary | None:
    data = view.get("series", series_key(study_uid, series_uid))
    return None if data is None else unpack_series(data)


def series_of(view: Snapshot, study_uid: str) -> list[SeriesSummary]:
    start = uid_key(study_uid) + b"\0"
    return [unpack_series(data) for _, data in view.scan("series", start, prefix_end(start))]


def members_of(view: Snapshot, study_uid: str, series_uid: str) -> Iterator[InstanceRecord]:
    """Served instances in slice order."""
    start = series_key(study_uid, series_uid) + b"\0"
    for _, sop in view.scan("members", start, prefix_end(start)):
        data = view.get("instances", sop)
        if data is not None:
            yield unpack_instance(data)


def member_sops(view: Snapshot, study_uid: str, series_uid: str) -> list[bytes]:
    """Keys in ``instances`` of a series' served instances, in slice order."""
    start = series_key(study_uid, series_uid) + b"\0"
    return [bytes(sop) for _, sop in view.scan("members", start, prefix_end(start))]


def versions_of(view: Snapshot, sop_uid: str) -> list[InstanceRecord]:
    """The versions of a SOP Instance UID that are not served."""
    start = uid_key(sop_uid) + b"\0"
    return [unpack_instance(data) for _, data in view.scan("versions", start, prefix_end(start))]


def version_at(view: Snapshot, sop_uid: str, location: Location) -> InstanceRecord | None:
    """The version of a SOP Instance UID, served or not, whose bytes are at this place."""
    served = get_instance(view, sop_uid)
    if served is None or served.location == location:
        return served
    return next((r for r in versions_of(view, sop_uid) if r.location == location), None)


# -- writing


def check_schema(txn: Transaction) -> None:
    """Write the schema version into a new index; version 2 was the same without the feed of changes."""
    if txn.get("meta", b"schema") in (None, SCHEMA_WITHOUT_CHANGES):
        txn.put("meta", b"schema", str(SCHEMA_VERSION).encode())
        changes.begin(txn)


class Indexer:
    """Puts records in and takes them out inside one transaction; `finish` must be called before it ends.

    Parameters
    ----------
    rescan : reads the header of a stored instance again: needed when a series loses the member that its attributes came from.
    log : what is told of each change; None where the whole index is new.
    """

    def __init__(self, txn: Transaction, rescan: Rescan, log: ChangeLog | None = None) -> None:
        self._txn, self._rescan, self._log = txn, rescan, log
        self._series: dict[bytes, SeriesSummary | None] = {}
        self._leaderless: set[bytes] = set()

    def add(self, record: InstanceRecord, scanned: ScannedInstance) -> StoreStatus:
        """File one version of one instance. Which version is served does not depend on the order of the calls."""
        served = get_instance(self._txn, record.sop_instance_uid)
        if served is None:
            self._attach(record, scanned)
            return StoreStatus.STORED
        versions = [served, *versions_of(self._txn, record.sop_instance_uid)]
        twin = next((v for v in versions if v.data_set_sha256 == record.data_set_sha256), None)
        if twin is not None:
            # The same bytes twice: two processes stored them at once, or compaction was cut short. The first counts, the
            # other is erased like what was deleted: left alone, it would come back when the first is deleted.
            if twin.location != record.location:
                second = max(twin, record, key=_twin_order)
                places.put_erasure(self._txn, second.location, second.received_ns, uid_key(second.sop_instance_uid))
                if second is twin:
                    self.remove_version(twin)
                    self.add(record, scanned)
            return StoreStatus.DUPLICATE
        if _serves(record) < _serves(served):
            self._detach(served)
            self._txn.put("versions", version_key(served), pack_instance(served))
            self._attach(record, scanned)
            return StoreStatus.CONFLICT_REPLACED
        self._txn.put("versions", version_key(record), pack_instance(record))
        if self._log is not None:
            self._log.kept(record)
        return StoreStatus.CONFLICT_KEPT

    def remove_version(self, record: InstanceRecord) -> None:
        """Take one version out; if it was the served one, the next in line is served."""
        if self._txn.delete("versions", version_key(record)):
            return
        self._detach(record)
        rest = versions_of(self._txn, record.sop_instance_uid)
        if rest:
            heir = min(rest, key=_serves)
            self._txn.delete("versions", version_key(heir))
            self._attach(heir, self._rescan(heir))

    def move(self, record: InstanceRecord, location: Location, now_ns: int) -> None:
        """The same bytes are elsewhere now (compaction). The old place is noted until its segment has gone."""
        table, key = "versions", version_key(record)
        if (found := self._txn.get(table, key)) is None:
            table, key = "instances", uid_key(record.sop_instance_uid)
            found = self._txn.get(table, key)
        is_current = found is not None and unpack_instance(found).location == record.location
        if is_current:
            self._txn.put(table, key, pack_instance(replace(record, location=location)))
        # Otherwise another process has just stored the same bytes, and the index names that place: the copy is the second.
        places.put_erasure(
            self._txn, record.location if is_current else location, now_ns, uid_key(record.sop_instance_uid)
        )

    def indexed_to(self, segment: int, end: int, synced: int | None = None) -> None:
        """What stands before `synced` was on the disk before this; all of it unless told."""
        places.put_indexed_end(self._txn, segment, end, end if synced is None else synced)

    def finish(self) -> None:
        """Write the series and studies that changed."""
        for key in self._leaderless:
            self._elect(key)
        for study in {key.split(b"\0")[0]: None for key in self._series}:
            before = self._txn.get("studies", study)
            for key, summary in self._series.items():
                if not key.startswith(study + b"\0"):
                    continue
                named = SERIES + key.split(b"\0")[1] + b"\0" + study
                if summary is None or summary.instance_count == 0:
                    self._txn.delete("series", key)
                    self._txn.delete("keys", named)
                else:
                    self._txn.put("series", key, pack_series(summary))
                    self._txn.put("keys", named, b"")
                self._txn.put("todo", key, time.time_ns().to_bytes(8, "big"))
            self._write_study(study, before)
        self._series.clear()
        self._leaderless.clear()
        if self._log is not None:
            self._log.write()

    def _attach(self, r: InstanceRecord, scanned: ScannedInstance) -> None:
        if self._log is not None:
            self._log.attached(r)
        sop = uid_key(r.sop_instance_uid)
        self._txn.put("instances", sop, pack_instance(r))
        self._txn.put("members", member_key(r), sop)
        for defect in r.defects:
            self._txn.put("defects", defect.code.encode() + b"\0" + sop, b"")
        key = series_key(r.study_instance_uid, r.series_instance_uid)
        old = self._summary(key)
        new = SeriesSummary(
            study_instance_uid=r.study_instance_uid,
            series_instance_uid=r.series_instance_uid,
            modality=_modality(scanned.series_json),
            instance_count=1,
            byte_count=r.location.length,
            version=_fingerprint(r),
            patient_json=scanned.patient_json,
            study_json=scanned.study_json,
            series_json=scanned.series_json,
            leader=r.order,
            sop_classes=((r.sop_class_uid, 1),),
        )
        if old is not None and old.instance_count:
            base = new if r.order < old.leader and key not in self._leaderless else old
            new = replace(
                base,
                instance_count=old.instance_count + 1,
                byte_count=old.byte_count + r.location.length,
                version=old.version ^ _fingerprint(r),
                sop_classes=_counted(old.sop_classes, r.sop_class_uid, 1),
            )
        else:
            self._leaderless.discard(key)
        self._series[key] = new

    def _detach(self, r: InstanceRecord) -> None:
        if self._log is not None:
            self._log.detached(r)
        sop = uid_key(r.sop_instance_uid)
        self._txn.delete("instances", sop)
        self._txn.delete("members", member_key(r))
        for defect in r.defects:
            self._txn.delete("defects", defect.code.encode() + b"\0" + sop)
        key = series_key(r.study_instance_uid, r.series_instance_uid)
        old = self._summary(key)
        if old is None:
            return
        self._series[key] = replace(
            old,
            instance_count=old.instance_count - 1,
            byte_count=old.byte_count - r.location.length,
            version=old.version ^ _fingerprint(r),
            sop_classes=_counted(old.sop_classes, r.sop_class_uid, -1),
        )
        if old.leader == r.order:
            self._leaderless.add(key)

    def _summary(self, key: bytes) -> SeriesSummary | None:
        if key not in self._series:
            data = self._txn.get("series", key)
            self._series[key] = None if data is None else unpack_series(data)
        return self._series[key]

    def _elect(self, key: bytes) -> None:
        series = self._series[key]
        if series is None or series.instance_count == 0:
            return
        leader = min(
            members_of(self._txn, series.study_instance_uid, series.series_instance_uid), key=lambda r: r.order
        )
        scanned = self._rescan(leader)
        self._series[key] = replace(
            series,
            modality=_modality(scanned.series_json),
            patient_json=scanned.patient_json,
            study_json=scanned.study_json,
            series_json=scanned.series_json,
            leader=leader.order,
        )

    def _write_study(self, study: bytes, before: bytes | None) -> None:
        """A study's row has the attributes of its first series (by leader); its keys follow the row."""
        series = [unpack_series(data) for _, data in self._txn.scan("series", study + b"\0", study + b"\1")]
        after = study_row(min(series, key=lambda s: s.leader), series) if series else None
        if after is None:
            self._txn.delete("studies", study)
        elif after != before:
            self._txn.put("studies", study, after)
        # Most changes only count: one more instance, one more series.
        if before is not None and after is not None and _COUNTS.sub(b"", before) == _COUNTS.sub(b"", after):
            return
        old, new = (study_keys(row) if row is not None else {} for row in (before, after))
        for key in old.keys() - new.keys():
            self._txn.delete("keys", key + b"\0" + study)
        for key, stamp in new.items():
            if old.get(key) != stamp:
                self._txn.put("keys", key + b"\0" + study, stamp)


def _serves(r: InstanceRecord) -> tuple[int, tuple[int, ...]]:
    """Sorts versions of one SOP Instance UID: the least is served. The last that replaces, else the first that came."""
    if r.is_replacing:
        return 0, tuple(-n for n in r.order)
    return 1, r.order


def _counted(classes: tuple[tuple[str, int], ...], uid: str, change: int) -> tuple[tuple[str, int], ...]:
    if change > 0 and len(classes) == 1 and classes[0][0] == uid:  # nearly always
        return ((uid, classes[0][1] + 1),)
    counts = dict(classes)
    counts[uid] = counts.get(uid, 0) + change
    return tuple(sorted(item for item in counts.items() if item[1]))


def _twin_order(r: InstanceRecord) -> tuple[tuple[int, ...], bool, int, int]:
    return r.order, r.is_replacing, r.location.segment, r.location.offset


def _fingerprint(r: InstanceRecord) -> int:
    """Eight bytes of this member for the series' version: their XOR does not depend on order."""
    digest = hashlib.sha256(r.sop_instance_uid.encode("utf_8", "surrogatepass") + b"\0" + r.data_set_sha256).digest()
    return int.from_bytes(digest[:8], "big")


@lru_cache(maxsize=64)
def _modality(series_json: bytes) -> str:
    values = json.loads(series_json).get("00080060", {}).get("Value") or [""]
    return str(values[0] or "")
