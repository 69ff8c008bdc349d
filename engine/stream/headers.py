"""Display attributes that the index does not keep, read once per instance from its stored bytes."""

from __future__ import annotations

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.dicom.display import DisplayHeader, read_header
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import FrameTableKind
from engine.errors import MalformedDataSet, TooLarge
from engine.limits import MIB, Limits
from engine.stream.kept import Kept

# A hundred and more projection radiographs with their LUTs, or one slide scanner's profile of 16 MiB (a quarter of the room).
_CACHE_BYTES = 64 * MIB
_ENTRIES_MAX = 256


class Headers:
    """The headers that were read last, bounded by the bytes they were read from; any thread."""

    def __init__(self, archive: Archive, limits: Limits) -> None:
        self._archive, self._limits = archive, limits
        self._kept: Kept[DisplayHeader] = Kept(_CACHE_BYTES, _ENTRIES_MAX)

    def kept(self, record: InstanceRecord) -> DisplayHeader | None:
        """The header if it is there already; safe on an event loop."""
        return self._kept.get(record.location)

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
        self._kept.put(record.location, header, length)
        return header
