"""The parts of one request that come beside its metadata: small ones in memory, many or large ones in a spool (PS3.18 10.5.2)."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.archive.archive import Archive
from engine.archive.records import Spooled
from engine.errors import TooLarge, TruncatedDataSet
from engine.limits import MIB, Limits
from engine.types import Buffer

_FRAMES = re.compile(r"(.+)/frames/(\d{1,9}(?:(?:,|%2C)\d{1,9})*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BulkPart:
    """A part that is complete.

    Attributes
    ----------
    location : its Content-Location, made absolute.
    media_type : lower case, without parameters.
    transfer_syntax_uid : the parameter ``transfer-syntax``; "" without.
    offset : in `BulkParts`.
    """

    location: str
    media_type: str
    transfer_syntax_uid: str
    offset: int
    length: int


class BulkParts:
    """Takes parts one after another, and gives their bytes back. Any thread; `close` may come at any time, and must come."""

    def __init__(self, archive: Archive, limits: Limits, resolve: Callable[[str], str]) -> None:
        self._archive, self._limits, self._resolve = archive, limits, resolve
        self._memory = bytearray()
        self._spooled: Spooled | None = None
        self._length = 0
        self._lock = threading.Lock()
        self._is_closed = False
        self._parts: list[BulkPart] = []
        self._at: dict[str, list[BulkPart]] = {}
        self._used: set[str] = set()

    @property
    def length(self) -> int:
        """Bytes so far: where the next part begins."""
        return self._length

    def write(self, data: Buffer) -> None:
        """Append to the part that is open. Raises ArchiveFull, ArchiveReadOnly."""
        with self._lock:
            self._check_open()
            if self._spooled is None and len(self._memory) + len(data) > self._limits.spool_bytes:
                self._spooled = self._archive.spool()
                self._archive.write_spool(self._spooled, self._memory)
                self._memory = bytearray()
            if self._spooled is None:
                self._memory += data
            else:
                self._archive.write_spool(self._spooled, data)
            self._length += len(data)

    def add(self, offset: int, location: str, media_type: str, transfer_syntax_uid: str) -> BulkPart:
        """A part ends here that began at `offset`."""
        where = self._resolve(location)
        part = BulkPart(where, media_type, transfer_syntax_uid, offset, self._length - offset)
        self._parts.append(part)
        frames = _FRAMES.fullmatch(where)
        for known in (where, frames[1] if frames else ""):
            if known:
                self._at.setdefault(known, []).append(part)
        return part

    def take_document(self, offset: int) -> BulkPart:
        """A part of metadata ends here: it is read by `document` and found by nobody."""
        return BulkPart("", "", "", offset, self._length - offset)

    def find(self, uri: str) -> list[BulkPart]:
        """The parts that a ``BulkDataURI`` names, frames in their order; empty where none has come."""
        where = self._resolve(uri)
        found = self._at.get(where, [])
        if found:
            self._used.update(part.location for part in found)
        numbered = [(_frame_number(part.location, where), part) for part in found]
        return [part for _, part in sorted(numbered, key=lambda one: one[0])]

    def unused(self) -> list[BulkPart]:
        """Parts that nothing has asked for."""
        return [part for part in self._parts if part.location not in self._used]

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the parts; raises TruncatedDataSet where there are no more."""
        with self._lock:
            self._check_open()
            if self._spooled is None:
                found = bytes(self._memory[offset : offset + length])
            else:
                found = os.pread(self._spooled.fd, length, self._spooled.offset + offset)
        if len(found) < length:
            raise TruncatedDataSet(length, len(found), "a bulk data part")
        return found

    def pieces(self, part: BulkPart) -> Iterator[bytes]:
        """A part, never more than 1 MiB of it in memory."""
        for at in range(0, part.length, MIB):
            yield self.read(part.offset + at, min(MIB, part.length - at))

    def document(self, part: BulkPart) -> bytes:
        """A part of metadata, whole."""
        if part.length > self._limits.metadata_bytes_max:
            raise TooLarge("the metadata", part.length, self._limits.metadata_bytes_max, "limits.metadata_bytes_max")
        return self.read(part.offset, part.length)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._memory = bytearray()
            if self._spooled is not None:
                self._spooled.drop()
                self._spooled = None

    def _check_open(self) -> None:
        if self._is_closed:
            raise TruncatedDataSet(1, 0, "a request that was given up")


def _frame_number(location: str, uri: str) -> int:
    """By ``/frames/3`` behind the address; 0 where the order of arrival says it (sorting is stable)."""
    found = _FRAMES.fullmatch(location)
    if location == uri or found is None:
        return 0
    return int(re.split(",|%2C", found[2], flags=re.IGNORECASE)[0])
