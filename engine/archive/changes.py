"""The change feed: what came, was replaced and went, numbered in the order of the commits that did it.

A change is written in the index transaction that makes it true, so none is missing and none is there twice, whichever
process wrote. Numbers only rise, across processes, restarts and ``voxcast reindex``: an index begins its feed at the Unix
time in microseconds, which no feed before it has reached. They fit a double (until the year 2255), as JSON wants.

Table ``changes``: key 0 holds the number at which this index began; every other key is the number of a change.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice

from engine.archive.ports import Snapshot, Transaction
from engine.archive.records import InstanceRecord
from engine.errors import ChangesGone
from engine.limits import Limits

TABLE = "changes"
_KEY = struct.Struct(">Q")
_HEAD = struct.Struct(">BQ3I")  # kind, when (Unix ns), sizes of the three UIDs
_EPOCH_KEY = _KEY.pack(0)
_DAY_NS = 86_400 * 10**9
# A commit that adds n changes lets go of at most so many old ones: what ingest pays for it stays the same for ever.
_PRUNED_FOR_EACH = 2
_PRUNED_MIN = 16


class ChangeKind(IntEnum):
    """What has happened; the numbers are stored."""

    STORED = 1  # an instance is served that was not
    REPLACED = 2  # other bytes are served under the same address
    KEPT = 3  # other bytes came with a known SOP Instance UID and are kept; what is served is still the same
    DELETED = 4  # an instance is no longer served at this address
    SERIES_QUIET = 5  # nothing came or went in this series for a while, and its derived data is made


@dataclass(frozen=True, slots=True)
class Change:
    """One entry; `sop_instance_uid` is empty where it speaks of a series."""

    sequence: int
    kind: ChangeKind
    changed_ns: int
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Extent:
    """Which part of the feed is there.

    Attributes
    ----------
    epoch : number at which this index began; another one means another index
    first : the least number that one may read on from
    last : number of the newest change, or the epoch before there is any
    """

    epoch: int
    first: int
    last: int


def begin(txn: Transaction) -> None:
    """A new index begins its feed."""
    txn.put(TABLE, _EPOCH_KEY, _KEY.pack(time.time_ns() // 1000))


def extent(view: Snapshot) -> Extent:
    """Three gets, whatever the feed's length."""
    epoch = _epoch(view)
    oldest = next(iter(view.keys(TABLE, _KEY.pack(1))), None)
    if oldest is None:
        return Extent(epoch, epoch, epoch)
    return Extent(epoch, _number(oldest) - 1, _last(view))


def changes_since(view: Snapshot, since: int, limit: int) -> list[Change]:
    """At most `limit` changes behind number `since`.

    Raises
    ------
    ChangesGone
        Some of them are no longer kept, or the number is of another index.
    """
    here = extent(view)
    if not here.first <= since <= here.last:
        raise ChangesGone(since, here.first, here.last)
    return [_unpack(key, data) for key, data in islice(view.scan(TABLE, _KEY.pack(since + 1)), limit)]


class ChangeLog:
    """Gathers what one transaction changes, and writes what is different in the end (an instance moved to and fro is not)."""

    def __init__(self, txn: Transaction, limits: Limits) -> None:
        self._txn, self._limits = txn, limits
        self._served: dict[str, tuple[InstanceRecord | None, InstanceRecord | None]] = {}
        self._kept: list[InstanceRecord] = []

    def attached(self, record: InstanceRecord) -> None:
        """This version is served now."""
        before, _ = self._served.get(record.sop_instance_uid, (None, None))
        self._served[record.sop_instance_uid] = before, record

    def detached(self, record: InstanceRecord) -> None:
        """This version is no longer served."""
        before, _ = self._served.get(record.sop_instance_uid, (record, None))
        self._served[record.sop_instance_uid] = before, None

    def kept(self, record: InstanceRecord) -> None:
        """This version came and is not served."""
        self._kept.append(record)

    def write(self) -> None:
        """Append what has changed since the last call, in the order in which it was first touched."""
        found: list[tuple[ChangeKind, InstanceRecord]] = []
        for before, after in self._served.values():
            found += _difference(before, after)
        found += [(ChangeKind.KEPT, record) for record in self._kept]
        self._served.clear()
        self._kept.clear()
        if found:
            rows = [(k, r.study_instance_uid, r.series_instance_uid, r.sop_instance_uid) for k, r in found]
            append(self._txn, rows, self._limits)


def append(txn: Transaction, rows: list[tuple[ChangeKind, str, str, str]], limits: Limits) -> None:
    """Number these (kind, study, series, instance) and write them; what is too old or too many goes."""
    now, sequence = time.time_ns(), _last(txn)
    for kind, *uids in rows:
        sequence += 1
        texts = [uid.encode("utf_8", "surrogatepass") for uid in uids]
        txn.put(TABLE, _KEY.pack(sequence), b"".join((_HEAD.pack(kind, now, *map(len, texts)), *texts)))
    _prune(txn, now, _PRUNED_FOR_EACH * len(rows) + _PRUNED_MIN, limits)


def _prune(txn: Transaction, now: int, count_max: int, limits: Limits) -> None:
    """Let go of at most `count_max` of the oldest; the newest stays, for the next number is made from it."""
    surplus = txn.count(TABLE) - 1 - limits.changes_max
    oldest_ns = now - limits.changes_days_max * _DAY_NS
    newest = _KEY.pack(_last(txn))
    doomed: list[bytes] = []
    for key, data in txn.scan(TABLE, _KEY.pack(1), newest):
        if len(doomed) >= count_max or (len(doomed) >= surplus and _HEAD.unpack_from(data)[1] >= oldest_ns):
            break
        doomed.append(key)
    for key in doomed:
        txn.delete(TABLE, key)


def _difference(
    before: InstanceRecord | None, after: InstanceRecord | None
) -> Iterator[tuple[ChangeKind, InstanceRecord]]:
    if before is None and after is None:
        return
    if before is not None and after is not None and _address(before) == _address(after):
        if before.data_set_sha256 != after.data_set_sha256:
            yield ChangeKind.REPLACED, after
        return
    if before is not None:
        yield ChangeKind.DELETED, before
    if after is not None:
        yield ChangeKind.STORED, after


def _address(r: InstanceRecord) -> tuple[str, str]:
    return r.study_instance_uid, r.series_instance_uid


def _epoch(view: Snapshot) -> int:
    data = view.get(TABLE, _EPOCH_KEY)
    return 0 if data is None else int(_KEY.unpack(data)[0])


def _last(view: Snapshot) -> int:
    for key, _ in view.scan(TABLE, _KEY.pack(1), is_reversed=True):
        return _number(key)
    return _epoch(view)


def _number(key: bytes) -> int:
    return int(_KEY.unpack(key)[0])


def _unpack(key: bytes, data: bytes) -> Change:
    kind, changed_ns, *sizes = _HEAD.unpack_from(data)
    uids, at = [], _HEAD.size
    for size in sizes:
        uids.append(data[at : at + size].decode("utf_8", "surrogatepass"))
        at += size
    return Change(_number(key), ChangeKind(kind), changed_ns, *uids)
