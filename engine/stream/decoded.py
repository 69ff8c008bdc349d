"""Frames decoded to stored values, and the last of them kept: a drag with the mouse shows the same few again and again."""

from __future__ import annotations

import logging
from dataclasses import replace

from engine.archive.archive import Archive
from engine.archive.index import series_key
from engine.archive.records import InstanceRecord
from engine.archive.renditions.asking import Asking
from engine.archive.renditions.pack import FrameKind
from engine.archive.renditions.shelf import Shelf
from engine.codec.base import Array, DecodedFrame
from engine.codec.registry import decode_frame
from engine.codec.rendition import decode_rendition
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import FrameTableKind
from engine.dicom.transfer_syntax import lookup
from engine.errors import EngineError
from engine.limits import MIB, Limits
from engine.metrics import Metrics
from engine.stream.kept import Kept
from engine.stream.video import still, without_pixels
from engine.types import Buffer, Timings

_LOG = logging.getLogger(__name__)
_CACHE_BYTES = 64 * MIB  # some hundred CT slices
_ENTRIES_MAX = 4096
# Whose decoding takes several times as long as that of a rendition (512² of CT: 1 ms): JPEG 2000 22 ms, JPEG XL 12,
# JPEG Lossless and JPEG-LS 4 to 5. Lossy JPEG has none, HTJ2K is one, the rest is hardly work.
_SLOW = ("image/jp2", "image/jpx", "image/jxl", "image/jls", "image/jpeg")


class DecodedFrames:
    """Decodes frames of one archive; any thread, and on the caller's.

    Attributes
    ----------
    shelf : the packs of renditions, which are decoded instead where that is quicker.
    asking : where series are asked for whose packs would have been wanted.
    """

    def __init__(self, archive: Archive, limits: Limits, metrics: Metrics) -> None:
        self._archive, self._limits, self._metrics = archive, limits, metrics
        self.shelf, self.asking = Shelf(archive.path, limits), Asking(archive.path)
        self._kept: Kept[DecodedFrame] = Kept(_CACHE_BYTES, _ENTRIES_MAX)

    def kept(self, record: InstanceRecord, frame_index: int, by: int = 0) -> DecodedFrame | None:
        """The whole frame, which serves every size, or the one that was decoded for 1/2**by; None: decode it."""
        found = self._kept.get((record.location, frame_index, 0))
        if found is None and by:
            found = self._kept.get((record.location, frame_index, by))
        if found is not None:
            self._metrics.add("frame_cache_hits")
        return found

    def rendition(
        self, record: InstanceRecord, frame_index: int, timings: Timings | None = None, by: int = 0
    ) -> DecodedFrame | None:
        """The frame decoded from its rendition: the very values that `decode` gives, where that is quicker; else None.

        Parameters
        ----------
        timings : told that a rendition has answered.
        """
        descriptor = record.frame_descriptor
        if descriptor is None or not is_slow(record):
            return None
        found = self.shelf.frame_of(record, frame_index)
        if found is None:
            self.asking.ask(record.study_instance_uid, record.series_instance_uid)
        if found is None or found[1].kind is not FrameKind.MADE:
            return None
        pack, frame = found
        if by and frame.halvings < 0:
            return None  # the smaller image of the stored frame has other values: which one is shown must not depend on this
        halvings = min(by, max(0, frame.halvings))
        if not pack.is_sound(frame):
            _LOG.error("a rendition of series %s is damaged; its pack goes", record.series_instance_uid)
            self.shelf.remove(series_key(record.study_instance_uid, record.series_instance_uid))
            return None
        try:
            decoded = decode_rendition(
                descriptor,
                pack.code_stream(frame),
                frame.photometric_interpretation,
                frame.bits,
                self._limits,
                halvings,
            )
        except EngineError as error:
            _LOG.error("a rendition of series %s: %s", record.series_instance_uid, error)
            return None
        if decoded.reduce != halvings:
            return None
        self._metrics.add("frames_decoded")
        self._metrics.add("rendition_hits")
        self._kept.put((record.location, frame_index, halvings), decoded, decoded.stored_values.nbytes)
        if timings is not None:
            timings.note("rendition", "decoded instead of the stored frame")
        return decoded

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


def is_slow(record: InstanceRecord) -> bool:
    """Whether its frames take long to decode, so that a rendition is worth a look."""
    return lookup(record.transfer_syntax_uid).media_type in _SLOW


def descriptor_of(record: InstanceRecord) -> FrameDescriptor:
    """What the pixels mean; raises NoPixels, UnsupportedTransferSyntax."""
    if record.frame_descriptor is None or record.frame_table is None:
        raise without_pixels(record)
    return record.frame_descriptor
