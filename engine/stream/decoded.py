"""Frames decoded to stored values, and the last of them kept: a drag with the mouse shows the same few again and again."""

from __future__ import annotations

from dataclasses import replace

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.codec.base import Array, DecodedFrame
from engine.codec.registry import decode_frame
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import FrameTableKind
from engine.limits import MIB, Limits
from engine.metrics import Metrics
from engine.stream.kept import Kept
from engine.stream.video import still, without_pixels
from engine.types import Buffer

_CACHE_BYTES = 64 * MIB  # some hundred CT slices
_ENTRIES_MAX = 4096


class DecodedFrames:
    """Decodes frames of one archive; any thread, and on the caller's."""

    def __init__(self, archive: Archive, limits: Limits, metrics: Metrics) -> None:
        self._archive, self._limits, self._metrics = archive, limits, metrics
        self._kept: Kept[DecodedFrame] = Kept(_CACHE_BYTES, _ENTRIES_MAX)

    def kept(self, record: InstanceRecord, frame_index: int, by: int = 0) -> DecodedFrame | None:
        """The whole frame, which serves every size, or the one that was decoded for 1/2**by; None: decode it."""
        found = self._kept.get((record.location, frame_index, 0))
        if found is None and by:
            found = self._kept.get((record.location, frame_index, by))
        if found is not None:
            self._metrics.add("frame_cache_hits")
        return found

    def body(self, record: InstanceRecord, frame_index: int) -> Buffer:
        """The stored bytes of a frame, from the disk if need be."""
        body = self._archive.frame_bytes(record, frame_index)
        assert body is not None
        return body

    def decode(self, record: InstanceRecord, frame_index: int, body: Buffer | None, by: int = 0) -> DecodedFrame:
        """Decode at 1/2**by of the size, where the code stream has that; whole otherwise (`DecodedFrame.reduce` says).

        Parameters
        ----------
        body : None: a video, which is read as far as that takes.

        Raises
        ------
        NoPixels, UnsupportedTransferSyntax, UnsupportedPixels, BadFrame, TooLarge
        """
        descriptor = descriptor_of(record)
        assert record.frame_table is not None
        if body is None:
            decoded = still(self._archive, record, descriptor, frame_index, self._limits)
        else:
            first_bit = record.frame_table[frame_index].first_bit
            decoded = decode_frame(descriptor, body, self._limits, first_bit=first_bit, reduce=by)
        self._metrics.add("frames_decoded")
        if record.frame_table.kind is not FrameTableKind.NATIVE:
            # Native pixels come from the page cache as quickly as from here, and would push out what was dear to decode.
            self._kept.put((record.location, frame_index, decoded.reduce), decoded, decoded.stored_values.nbytes)
        return decoded

    def cells(self, record: InstanceRecord, frame_index: int) -> Array:
        """The frame's pixel cells with all their bits, unsigned: overlays may be in those that are not stored values."""
        descriptor = descriptor_of(record)
        assert record.frame_table is not None
        bits = descriptor.bits_allocated
        whole = replace(descriptor, bits_stored=bits, high_bit=bits - 1, pixel_representation=0)
        first_bit = record.frame_table[frame_index].first_bit
        return decode_frame(whole, self.body(record, frame_index), self._limits, first_bit=first_bit).stored_values


def descriptor_of(record: InstanceRecord) -> FrameDescriptor:
    """What the pixels mean; raises NoPixels, UnsupportedTransferSyntax."""
    if record.frame_descriptor is None or record.frame_table is None:
        raise without_pixels(record)
    return record.frame_descriptor
