"""Stored bytes on their way out: any instance is one index get, any frame one get and one read."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from io import FileIO
from itertools import islice
from typing import TypeVar

from engine._native import CommitMark
from engine.archive import index
from engine.archive.core import Core
from engine.archive.packing import received_of, unpack_instance, unpack_series
from engine.archive.records import InstanceRecord, SeriesSummary
from engine.archive.sweep import SWEEP_BYTES_MAX, sweep
from engine.dicom.frame_table import FrameTableKind, join_fragments
from engine.dicom.scan import locate
from engine.errors import CorruptInstance, FrameNotFound, InstanceNotFound, MalformedDataSet, NoPixels, TooLarge
from engine.types import Buffer

_SERIES_AT_ONCE = 256
T = TypeVar("T")


class Reading:
    """The reading face of an `Archive`; thread-safe.

    Attributes
    ----------
    gets, reads : int
        Index gets and reads of stored bytes so far: work, for tests and metrics.
    """

    def __init__(self, core: Core) -> None:
        self._core, self.limits = core, core.limits
        self.gets = self.reads = 0

    def instance(self, sop_uid: str, study_uid: str = "", series_uid: str = "") -> InstanceRecord:
        """The served version of an instance: one index get. `InstanceNotFound` also when it is filed elsewhere."""
        self.gets += 1
        with self._core.engine.read() as view:
            record = index.get_instance(view, sop_uid)
        if record is None or study_uid not in ("", record.study_instance_uid):
            raise InstanceNotFound(sop_uid)
        if series_uid not in ("", record.series_instance_uid):
            raise InstanceNotFound(sop_uid)
        return record

    def commit_mark(self) -> CommitMark | None:
        """Its number changes with every commit, by whatever process: what was read at one number is so while that one stands.

        None where the index has none that native code can read.
        """
        return self._core.engine.commit_mark()

    def versions(self, sop_uid: str) -> list[InstanceRecord]:
        """Every version of a SOP Instance UID, the served one first."""
        with self._core.engine.read() as view:
            served = index.get_instance(view, sop_uid)
            return [] if served is None else [served, *index.versions_of(view, sop_uid)]

    def every_series(self) -> Iterator[SeriesSummary]:
        """All series, in the order of their keys; no snapshot stays open between two of them."""
        start = b""
        while True:
            with self._core.engine.read() as view:
                found = list(islice(view.scan("series", start), _SERIES_AT_ONCE))
            yield from (unpack_series(data) for _, data in found)
            if len(found) < _SERIES_AT_ONCE:
                return
            start = found[-1][0] + b"\0"

    def walk(self, study_uid: str, series_uid: str) -> Iterator[InstanceRecord]:
        """The instances of a series in slice order, each read when its turn comes; what is deleted meanwhile is left out."""
        with self._core.engine.read() as view:
            sops = index.member_sops(view, study_uid, series_uid)
        for sop in sops:
            with self._core.engine.read() as view:
                data = view.get("instances", sop)
            if data is not None:
                yield unpack_instance(data)

    def sweep(self, series: SeriesSummary) -> int:
        """Have the page cache read a series at once, if it is not too large (see `archive.sweep`): how many ranges that took."""
        if series.byte_count > SWEEP_BYTES_MAX:
            return 0
        records = self.walk(series.study_instance_uid, series.series_instance_uid)
        placed = ((self._place(record, 0, record.location.length), record.location.length) for record in records)
        return sweep((*place, length) for place, length in placed if place is not None)

    def received_since(self, first_ns: int, behind: bytes, limit: int) -> tuple[bytes, list[InstanceRecord]]:
        """Served instances that came at or after a time, looked for in at most 100 × `limit` records: a page of the index.

        The key to go on behind comes first; empty at the end.
        """
        found: list[InstanceRecord] = []
        looked = 0
        with self._core.engine.read() as view:
            for key, data in view.scan("instances", behind + b"\0" if behind else b""):
                looked += 1
                if received_of(data) >= first_ns:
                    found.append(unpack_instance(data))
                if len(found) == limit or looked == 100 * limit:
                    return key, found
        return b"", found

    def read(self, record: InstanceRecord, start: int = 0, length: int | None = None) -> bytes | bytearray:
        """Bytes of the Part 10 stream: one read.

        Raises
        ------
        CorruptInstance
            The bytes are not there.
        """
        length = record.location.length - start if length is None else length
        length = max(0, min(length, record.location.length - start))
        self.reads += 1
        try:
            data = self._core.blobs.read(record.location, start, length)
        except FileNotFoundError:
            record = self._moved(record)
            data = self._core.blobs.read(record.location, start, length)
        if data is None or len(data) != length:
            raise CorruptInstance(record.sop_instance_uid, str(record.location))
        return data

    def read_cached(self, record: InstanceRecord, start: int, length: int) -> bytes | bytearray | None:
        """The bytes if that needs no disk, else None; safe on an event loop."""
        try:
            data = self._core.blobs.read(record.location, start, length, cached_only=True)
        except FileNotFoundError:
            return None
        self.reads += data is not None
        return data if data is not None and len(data) == length else None

    def read_framed(
        self, record: InstanceRecord, start: int, length: int, head: bytes, tail: bytes
    ) -> bytearray | None:
        """`head`, bytes of the Part 10 stream, and `tail` in one buffer, if that needs no disk; safe on an event loop."""
        body = bytearray(len(head) + length + len(tail))
        view = memoryview(body)
        try:
            if not self._core.blobs.read_into(record.location, start, view[len(head) : len(head) + length]):
                return None
        except FileNotFoundError:
            return None
        self.reads += 1
        view[: len(head)] = head
        view[len(head) + length :] = tail
        return body

    def file_range(self, record: InstanceRecord, start: int, length: int) -> tuple[FileIO, int] | None:
        """The open file and the offset in it of bytes that the page cache has: the kernel can send them without a copy.

        None when they are in no local file, or would have to come from the disk first (as far as both ends tell).
        """
        place = self._place(record, start, length)
        if place is None:
            return None
        for at in (start, start + length - 1):
            if self._core.blobs.read(record.location, at, 1, cached_only=True) is None:
                return None
        self.reads += 1
        return place

    def read_by(
        self, record: InstanceRecord, start: int, length: int, work: Callable[[int, int], T | None]
    ) -> T | None:
        """What `work` makes of bytes that it reads by itself: it is given a descriptor and where in it they begin.

        None when they are in no local file, or when `work` says so: they would have to come from the disk.
        """
        place = self._place(record, start, length)
        if place is None:
            return None
        file, offset = place
        made = work(file.fileno(), offset)
        self.reads += made is not None
        return made

    def _place(self, record: InstanceRecord, start: int, length: int) -> tuple[FileIO, int] | None:
        try:
            found = self._core.blobs.file_of(record.location)
        except FileNotFoundError:
            return None
        if found is None or start < 0 or start + length > record.location.length:
            return None
        return found[0], found[1] + start

    def frame_bytes(self, record: InstanceRecord, frame_index: int, cached_only: bool = False) -> Buffer | None:
        """The stored bytes of one frame, fragments joined: one read. None only for `cached_only`.

        Raises
        ------
        NoPixels, FrameNotFound, CorruptInstance, TooLarge
        """
        table = record.frame_table
        if table is None:
            raise NoPixels(record.sop_instance_uid)
        if not 0 <= frame_index < len(table):
            raise FrameNotFound(record.sop_instance_uid, frame_index + 1, len(table))
        span = table[frame_index]
        if table.kind is FrameTableKind.DEFLATED:
            return None if cached_only else self._inflated(record)[span.offset : span.offset + span.length]
        data: bytes | bytearray | None
        if cached_only:
            data = self.read_cached(record, span.offset, span.length)
            if data is None:
                return None
        else:
            data = self.read(record, span.offset, span.length)
        return join_fragments(data, span.fragment_count)

    def bulk_span(self, record: InstanceRecord, path: Sequence[int]) -> tuple[int, int] | bytes | None:
        """Where the value is that `path` (tag, item, tag, …) names: its start in the Part 10 stream and its length.

        Or its bytes, where those stored are deflated or big endian; None when there is none.
        """
        self.reads += 1
        try:
            with self._core.blobs.opened(record.location) as (fd, offset):
                found = locate(fd, offset, record.location.length, path, self.limits)
        except FileNotFoundError:
            location = self._moved(record).location
            with self._core.blobs.opened(location) as (fd, offset):
                found = locate(fd, offset, location.length, path, self.limits)
        if found is None:
            return None
        start, length, inflated = found
        return inflated or (start, length)

    def bulk_value(self, record: InstanceRecord, path: Sequence[int]) -> bytes | bytearray | None:
        """The value that `path` names, in memory; None when there is none, `TooLarge` for one that does not belong there."""
        found = self.bulk_span(record, path)
        if not isinstance(found, tuple):
            return found
        start, length = found
        if length > self.limits.header_bytes_max:
            raise TooLarge("the value", length, self.limits.header_bytes_max, "limits.header_bytes_max")
        return self.read(record, start, length)

    def _moved(self, record: InstanceRecord) -> InstanceRecord:
        for version in self.versions(record.sop_instance_uid):
            if version.data_set_sha256 == record.data_set_sha256:
                if version.location == record.location:
                    raise CorruptInstance(record.sop_instance_uid, str(record.location))
                return version
        raise InstanceNotFound(record.sop_instance_uid)

    def _inflated(self, record: InstanceRecord) -> bytes:
        """The data set of 1.2.840.10008.1.2.1.99, which can only be read from its start."""
        assert record.frame_table is not None
        span = record.frame_table.deflated_span
        data = self.read(record, span.offset, span.length)
        inflater, limit = zlib.decompressobj(-zlib.MAX_WBITS), self.limits.inflated_bytes_max
        try:
            out = inflater.decompress(data, limit + 1)
        except zlib.error as error:
            raise MalformedDataSet(f"the deflated data set cannot be inflated ({error})") from None
        if len(out) > limit:
            raise TooLarge("the inflated data set", len(out), limit, "limits.inflated_bytes_max")
        return out
