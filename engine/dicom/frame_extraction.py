"""A new instance out of some frames of a stored one, every frame's bytes as they are (PS3.4 Y.3.3, PS3.5 A.4)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.dicom.elements import element_head
from engine.dicom.encapsulation import fragment, pixel_data_end, pixel_data_head
from engine.dicom.extracted_header import NUMBER_OF_FRAMES, extracted_header
from engine.dicom.frame_list import FrameList
from engine.dicom.frame_table import FrameTable, FrameTableKind
from engine.dicom.frame_times import frame_times
from engine.dicom.instance import StoredInstance
from engine.dicom.part10 import file_meta
from engine.dicom.pixel_header import PIXEL_DATA
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN
from engine.dicom.uid import derived_uid
from engine.errors import NoFrameTimes, NotExtractable, NotMultiFrame, TooLarge
from engine.types import Buffer

_VALUE_MAX = 0xFFFF_FFFE  # a length of 32 bits, even (PS3.5 7.1.1)


def without_frames(source: StoredInstance) -> bool:
    """Whether it is no multi-frame image at all."""
    return source.header.pixels is None or NUMBER_OF_FRAMES not in source.header


class FrameExtraction:
    """What a FRAME level retrieval of one instance brings; one thread.

    Parameters
    ----------
    source : little endian; big endian pixels have to be converted before.

    Attributes
    ----------
    sop_instance_uid : of the new instance; the same each time for the same frames of the same instance.
    frame_numbers : in the source.

    Raises
    ------
    NotMultiFrame, NotExtractable, NoFrameTimes, FrameNotFound, InvalidFrameList
    MalformedDataSet, TruncatedDataSet, TooLarge
    """

    def __init__(self, source: StoredInstance, asked: FrameList) -> None:
        about, uid = source.about, source.about.sop_instance_uid
        if without_frames(source):
            raise NotMultiFrame(uid)
        table = about.frame_table
        if table is None or about.frame_descriptor is None:
            raise NotExtractable(uid, "its header does not describe them")
        if table.kind is FrameTableKind.STREAM:
            raise NotExtractable(uid, "one bit stream holds them all")
        self._source, self._table, self._asked = source, table, asked
        self.frame_numbers = asked.frame_numbers(uid, len(table), self._times)
        self._indexes = [number - 1 for number in self.frame_numbers]
        self.sop_instance_uid = derived_uid("frames", uid, repr(asked))
        self._bits = about.frame_descriptor.bits_allocated

    def pieces(self) -> Iterator[Buffer]:
        """The Part 10 stream."""
        about, source = self._source.about, self._source
        is_native = self._table.kind is not FrameTableKind.ENCAPSULATED
        changes = extracted_header(
            source.header,
            sop_instance_uid=about.sop_instance_uid,
            new_uid=self.sop_instance_uid,
            frame_indexes=self._indexes,
            frame_count=len(self._table),
            asked=self._asked,
        )
        yield file_meta(
            sop_class_uid=about.sop_class_uid,
            sop_instance_uid=self.sop_instance_uid,
            transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN if is_native else about.transfer_syntax_uid,
        )
        yield from source.header.rewritten(changes)
        yield from self._native() if is_native else self._encapsulated()

    def _times(self) -> list[float]:
        times = frame_times(self._source.header, len(self._table))
        if times is None:
            raise NoFrameTimes(self._source.about.sop_instance_uid)
        return times

    def _encapsulated(self) -> Iterator[Buffer]:
        yield pixel_data_head([_code_length(self._table, index) for index in self._indexes])
        for index in self._indexes:
            yield fragment(self._source.frame(index))
        yield pixel_data_end()

    def _native(self) -> Iterator[Buffer]:
        pixels = self._source.header.pixels
        assert pixels is not None
        frame_bits = self._table.stride_bits
        length = (len(self._indexes) * frame_bits + 7) // 8
        if length > _VALUE_MAX:
            raise TooLarge("the native pixel data", length, _VALUE_MAX, "PS3.5 7.1.1")
        vr = pixels.vr if pixels.vr in ("OB", "OW", "OF", "OD") else "OW"
        if pixels.tag != PIXEL_DATA:
            vr = "OF" if self._bits == 32 else "OD"
        yield element_head(pixels.tag, vr, length + length % 2)
        given = 0
        for piece in self._packed(frame_bits) if frame_bits % 8 else map(self._source.frame, self._indexes):
            given += len(piece)
            yield piece
        if given != length:
            raise NotExtractable(self._source.about.sop_instance_uid, "they have another size than its header says")
        yield bytes(length % 2)

    def _packed(self, frame_bits: int) -> Iterator[bytes]:
        """Frames that begin inside a byte, joined bit by bit, the first in the lowest (PS3.5 8.1.1)."""
        left = np.empty(0, np.uint8)
        for index in self._indexes:
            first = self._table[index].first_bit
            bits = np.unpackbits(np.frombuffer(self._source.frame(index), np.uint8), bitorder="little")
            left = np.concatenate((left, bits[first : first + frame_bits]))
            whole = len(left) // 8 * 8
            yield np.packbits(left[:whole], bitorder="little").tobytes()
            left = left[whole:]
        if len(left):
            yield np.packbits(left, bitorder="little").tobytes()


def _code_length(table: FrameTable, frame_index: int) -> int:
    """Of a frame's code stream without the item headers between its fragments."""
    span = table[frame_index]
    return span.length - (8 * span.fragment_count if span.fragment_count > 1 else 0)
