"""What the index knows of places: how far each segment is indexed and was synced, and what waits in it to be erased."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable

from engine.archive.ports import Snapshot, Transaction
from engine.types import Location

_LOCATION = struct.Struct(">IQQ")
_NUMBER = struct.Struct(">Q")


def indexed_end(view: Snapshot, segment: int) -> int:
    """How far the members of one segment are indexed; behind that they were never acknowledged."""
    value = view.get("segments", segment.to_bytes(4, "big"))
    return 0 if value is None else int(_NUMBER.unpack_from(value)[0])


def synced_end(view: Snapshot, segment: int) -> int:
    """Up to where a segment was on stable storage before it was indexed; behind that, both went to the disk together."""
    value = view.get("segments", segment.to_bytes(4, "big"))
    return 0 if value is None else int(_NUMBER.unpack_from(value, len(value) - _NUMBER.size)[0])


def without_synced(value: bytes) -> bytes:
    """A row of the segments' table, as far as it can be built again."""
    return value[: _NUMBER.size]


def indexed_ends(view: Snapshot) -> dict[int, int]:
    return {int.from_bytes(key, "big"): _NUMBER.unpack_from(value)[0] for key, value in view.scan("segments")}


def put_indexed_end(txn: Transaction, segment: int, end: int, synced: int) -> None:
    txn.put("segments", segment.to_bytes(4, "big"), _NUMBER.pack(end) + _NUMBER.pack(synced))


def pack_location(location: Location) -> bytes:
    return _LOCATION.pack(location.segment, location.offset, location.length)


def unpack_location(data: bytes) -> Location:
    return Location(*_LOCATION.unpack(data))


def erasures(view: Snapshot) -> Iterable[tuple[Location, int]]:
    """Deleted places whose bytes are still there, and when (ns) they were deleted."""
    return [(unpack_location(key), _NUMBER.unpack_from(value)[0]) for key, value in view.scan("erasures")]


def second_copies(view: Snapshot, keys: Collection[bytes]) -> list[Location]:
    """Places that hold bytes of these instances (keys of SOP Instance UIDs) a second time, and wait to be erased."""
    return [unpack_location(key) for key, value in view.scan("erasures") if value[_NUMBER.size :] in keys]


def put_erasure(txn: Transaction, location: Location, deleted_ns: int, copy_of: bytes = b"") -> None:
    """`copy_of`: the key of the SOP Instance UID, where it is a second copy that no tombstone speaks of."""
    txn.put("erasures", pack_location(location), _NUMBER.pack(deleted_ns) + copy_of)


def forget_segment(txn: Transaction, segment: int) -> None:
    """A segment has gone, and with it what waited in it to be erased."""
    key, following = segment.to_bytes(4, "big"), (segment + 1).to_bytes(4, "big")
    txn.delete("segments", key)
    for place, _ in list(txn.scan("erasures", key, following)):
        txn.delete("erasures", place)
