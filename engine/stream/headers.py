"""Display attributes that the index does not keep, read once per instance from its stored bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.dicom.display import DisplayHeader, read_header
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import FrameTableKind
from engine.errors import MalformedDataSet, TooLarge
from engine.limits import MIB, Limits
from engine.types import Location

# A hundred and more projection radiographs with their LUTs, or one slide scanner's profile.
_CACHE_BYTES = 16 * MIB
_ENTRIES_MAX = 256


class Headers:
    """The headers that were read last, bounded by the bytes they were read from; any thread."""

    def __init__(self, archive: Archive, limits: Limits) -> None:
        self._archive, self._limits = archive, limits
        self._kept: OrderedDict[Location, tuple[DisplayHeader, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def kept(self, record: InstanceRecord) -> DisplayHeader | None:
        """The header if it is there already; safe on an event loop."""
        with self._lock:
            found = self._kept.get(record.location)
            if found is None:
                return None
            self._kept.move_to_end(record.location)
            return found[0]

    def read(self, record: InstanceRecord, descriptor: FrameDescriptor) -> DisplayHeader:
        """Read and keep it: one read of stored bytes, and milliseconds.

        Raises
        ------
        CorruptInstance, MalformedDataSet, TooLarge
        """
        start, limit = record.data_set_offset, self._limits.header_bytes_max
        end, table = record.header_length, record.frame_table
        if table is not None and len(table) and table.kind is not FrameTableKind.DEFLATED:
            end = min(
                end, table[0].offset
            )  # attributes behind the pixels make it the whole stream; none of ours is there
        length = min(end - start, limit)
        data = self._archive.read(record, start, length)
        try:
            header = read_header(data, descriptor, self._limits)
        except MalformedDataSet as error:
            if length == limit:
                raise TooLarge("the header", record.header_length, limit, "limits.header_bytes_max") from error
            raise
        self._keep(record.location, header, length)
        return header

    def _keep(self, location: Location, header: DisplayHeader, size: int) -> None:
        if size > _CACHE_BYTES:
            return
        with self._lock:
            old = self._kept.pop(location, None)
            self._bytes += size - (old[1] if old is not None else 0)
            self._kept[location] = header, size
            while self._bytes > _CACHE_BYTES or len(self._kept) > _ENTRIES_MAX:
                _, (_, gone) = self._kept.popitem(last=False)
                self._bytes -= gone
