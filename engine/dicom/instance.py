"""A stored instance taken apart: its header, its frames, and what stands behind them, wherever its bytes are (PS3.10 section 7)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Protocol

from engine.dicom.elements import ITEM, SEQUENCE_END
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import FrameTable, FrameTableKind, join_fragments
from engine.dicom.rewrite import Header, rewritten_tail
from engine.dicom.transfer_syntax import DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
from engine.errors import MalformedDataSet, TooLarge, TruncatedDataSet
from engine.limits import MIB, Limits
from engine.types import Buffer

Read = Callable[[int, int], Buffer]


class Described(Protocol):
    """What a scan tells of an instance; a `ScannedInstance` is one, and so is the archive's record of it."""

    @property
    def transfer_syntax_uid(self) -> str: ...
    @property
    def sop_class_uid(self) -> str: ...
    @property
    def sop_instance_uid(self) -> str: ...
    @property
    def data_set_offset(self) -> int: ...
    @property
    def header_length(self) -> int: ...
    @property
    def frame_descriptor(self) -> FrameDescriptor | None: ...
    @property
    def frame_table(self) -> FrameTable | None: ...


class StoredInstance:
    """Reads one instance; one thread at a time.

    Parameters
    ----------
    about : the instance's scan or record.
    length : bytes of the Part 10 stream.
    read : start and length in the Part 10 stream → so many bytes; its errors pass through.

    Raises
    ------
    MalformedDataSet, TruncatedDataSet, TooLarge
    """

    def __init__(self, about: Described, length: int, read: Read, limits: Limits) -> None:
        self.about, self._length, self._read, self._limits = about, length, read, limits

    @cached_property
    def header(self) -> Header:
        uid, limits = self.about.transfer_syntax_uid, self._limits
        if self._is_deflated:
            return Header(self._inflated, 0, len(self._inflated), uid, limits)
        end, table = self.about.header_length, self.about.frame_table
        if table is not None and len(table):
            # Where something stands behind the pixels, the scan calls all of the stream its header.
            end = min(end, table[0].offset)
        if end > limits.header_bytes_max:
            raise TooLarge("the header", end, limits.header_bytes_max, "limits.header_bytes_max")
        return Header(self._read(0, end), self.about.data_set_offset, end, uid, limits)

    def frame(self, frame_index: int) -> Buffer:
        """Stored bytes of a frame, its fragments joined."""
        table = self.about.frame_table
        assert table is not None
        span = table[frame_index]
        if table.kind is FrameTableKind.DEFLATED:
            return memoryview(self._inflated)[span.offset : span.offset + span.length]
        return join_fragments(self._read(span.offset, span.length), span.fragment_count)

    @property
    def pixel_value_length(self) -> int:
        """Bytes of native pixel data."""
        pixels = self.header.pixels
        assert pixels is not None
        return pixels.value_end - pixels.value_at

    def pixel_value(self) -> Iterator[Buffer]:
        """Native pixel data as it is stored, in pieces of at most 1 MiB."""
        pixels = self.header.pixels
        assert pixels is not None
        yield from self._pieces(pixels.value_at, pixels.value_end)

    def tail(self) -> bytes:
        """The elements behind the pixels, in Explicit VR Little Endian."""
        header = self.header
        if header.pixels is None:
            return b""
        start = self._behind_fragments() if header.pixels.is_undefined else header.pixels.value_end
        size = self._end - start
        if size > self._limits.header_bytes_max:
            raise TooLarge("what is behind the pixels", size, self._limits.header_bytes_max, "limits.header_bytes_max")
        data = b"".join(self._pieces(start, self._end))
        return rewritten_tail(data, header.encoding, header.is_signed, self._limits)

    @property
    def _is_deflated(self) -> bool:
        return self.about.transfer_syntax_uid == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN

    @property
    def _end(self) -> int:
        return len(self._inflated) if self._is_deflated else self._length

    def _pieces(self, start: int, end: int) -> Iterator[Buffer]:
        if end > self._end:
            raise TruncatedDataSet(end, self._end, "the pixel data")
        for at in range(start, end, MIB):
            size = min(MIB, end - at)
            yield memoryview(self._inflated)[at : at + size] if self._is_deflated else self._read(at, size)

    def _behind_fragments(self) -> int:
        """Behind the sequence delimiter; where that is not found, the end: there is nothing to copy then."""
        table = self.about.frame_table
        if table is None or not len(table):
            return self._end
        last = table[len(table) - 1]
        at = last.offset + last.length
        while at + 8 <= self._end:
            head = bytes(self._read(at, 8))
            tag = int.from_bytes(head[:2], "little") << 16 | int.from_bytes(head[2:4], "little")
            at += 8
            if tag == SEQUENCE_END:
                return at
            if tag != ITEM:
                break
            at += int.from_bytes(head[4:], "little")
        return self._end

    @cached_property
    def _inflated(self) -> bytes:
        """The data set of 1.2.840.10008.1.2.1.99, which can only be read from its start (PS3.5 A.5)."""
        at, limit = self.about.data_set_offset, self._limits.inflated_bytes_max
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            out = inflater.decompress(self._read(at, self._length - at), limit + 1)
        except zlib.error as error:
            raise MalformedDataSet(f"the deflated data set cannot be inflated ({error})") from None
        if len(out) > limit:
            raise TooLarge("the inflated data set", len(out), limit, "limits.inflated_bytes_max")
        return out
