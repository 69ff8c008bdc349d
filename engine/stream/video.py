"""A video as it is stored: one bit stream in one fragment or many, read where it is wanted and never all at once."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Callable

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.codec.base import DecodedFrame
from engine.codec.video import decode_still
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import FrameSpan, FrameTableKind
from engine.dicom.transfer_syntax import lookup
from engine.errors import EngineError, NoPixels, UnsupportedPixels, UnsupportedTransferSyntax
from engine.limits import Limits
from engine.types import Buffer

_ITEM_BYTES = 8


class StoredStream(io.RawIOBase):
    """The bit stream as a file: its fragments joined (PS3.5 A.4), seekable. One thread at a time.

    Parameters
    ----------
    read : bytes of the Part 10 stream: offset, length.
    span : of a frame table of the kind ``STREAM``.
    """

    def __init__(self, read: Callable[[int, int], Buffer], span: FrameSpan) -> None:
        self._read = read
        self._at = 0
        self._starts: list[int] = []  # where each fragment begins in the bit stream
        self._offsets: list[int] = []  # and in the Part 10 stream
        self._length = 0
        for offset, length in fragments(read, span):
            self._append(offset, length)

    def _append(self, offset: int, length: int) -> None:
        self._starts.append(self._length)
        self._offsets.append(offset)
        self._length += length

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Buffer) -> int:  # type: ignore[override]
        """Fill as much of `buffer` as one fragment has."""
        room = memoryview(buffer).cast("B")
        if self._at >= self._length:
            return 0
        fragment = bisect_right(self._starts, self._at) - 1
        end = self._starts[fragment + 1] if fragment + 1 < len(self._starts) else self._length
        inside = self._at - self._starts[fragment]
        data = self._read(self._offsets[fragment] + inside, min(len(room), end - self._at))
        room[: len(data)] = data
        self._at += len(data)
        return len(data)


def fragments(read: Callable[[int, int], Buffer], span: FrameSpan) -> list[tuple[int, int]]:
    """Offset and length of each fragment in the Part 10 stream; one read for each, where there are several.

    Parameters
    ----------
    read, span : as of `StoredStream`.
    """
    if span.fragment_count <= 1:
        return [(span.offset, span.length)]
    found, at = [], span.offset
    for _ in range(span.fragment_count):
        length = int.from_bytes(read(at + 4, 4), "little")
        found.append((at + _ITEM_BYTES, length))
        at += _ITEM_BYTES + length
    return found


def is_stream(record: InstanceRecord) -> bool:
    """Whether all frames are in one bit stream."""
    return record.frame_table is not None and record.frame_table.kind is FrameTableKind.STREAM


def still(
    archive: Archive, record: InstanceRecord, descriptor: FrameDescriptor, frame_index: int, limits: Limits
) -> DecodedFrame:
    """One frame of a stored video; on a thread of its caller, for as long as `limits.video_still_s_max`.

    Raises
    ------
    BadFrame, TooLarge, UnsupportedPixels, CorruptInstance
    """
    assert record.frame_table is not None
    stream = StoredStream(lambda at, length: archive.read(record, at, length), record.frame_table[frame_index])
    return decode_still(descriptor, io.BufferedReader(stream, 256 * 1024), frame_index, limits)


def refuse_single_frames(record: InstanceRecord) -> None:
    """`UnsupportedPixels` for a video, which has no frame to give as it is stored: not one can be cut out of the stream."""
    if is_stream(record):
        raise UnsupportedPixels(
            "frames of a video, which is one bit stream; retrieve the instance or the bulk data of its Pixel Data, "
            "or single frames as rendered ones"
        )


def without_pixels(record: InstanceRecord) -> EngineError:
    """What to say of an instance that has no frames here: none at all, or by design."""
    why = lookup(record.transfer_syntax_uid).why_not_decoded
    if why:
        return UnsupportedTransferSyntax(record.transfer_syntax_uid, reason=why)
    return NoPixels(record.sop_instance_uid)
