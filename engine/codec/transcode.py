"""A stored instance in another transfer syntax, frame by frame: never more than one frame in memory (PS3.5 annex A).

Lossless stays lossless, and the SOP Instance UID with it: every frame is decoded again and compared before it goes out. A
lossy step makes another instance, which says so and names the one it came from (PS3.3 C.7.6.1.1.5).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.codec.base import Array, stored_dtype
from engine.codec.embedded_overlay import OverlayMover, embedded_planes, whole_cells
from engine.codec.encoding.base import LOSSLESS, Loss
from engine.codec.encoding.native import joined_bits
from engine.codec.encoding.registry import encoder_of
from engine.codec.recode import Recoder
from engine.dicom.derivation import derived_by_loss, is_marked_lossy, marked_lossy, method_of
from engine.dicom.elements import element_head
from engine.dicom.encapsulation import fragment, pixel_data_end, pixel_data_head
from engine.dicom.explicit import swapped
from engine.dicom.implicit import implicit_elements, implicit_head
from engine.dicom.instance import StoredInstance
from engine.dicom.part10 import file_meta
from engine.dicom.pixel_header import FLOAT_PIXEL_DATA, PIXEL_DATA, described_pixels
from engine.dicom.rewrite import Changes
from engine.dicom.transfer_syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    lookup,
)
from engine.dicom.uid import derived_uid
from engine.errors import TooLarge, UnsupportedPixels
from engine.limits import MIB, Limits
from engine.types import Buffer

_VALUE_MAX = 0xFFFF_FFFE  # a length of 32 bits, even (PS3.5 7.1.1)
_SPOOL_BYTES = MIB  # of compressed frames in memory; a file without a name holds more
_EXPLICIT = EXPLICIT_VR_LITTLE_ENDIAN
_NATIVE = (_EXPLICIT, IMPLICIT_VR_LITTLE_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)
# Code streams that cannot but have lost something.
_ALWAYS_LOSSY = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55))


@dataclass(frozen=True, slots=True)
class Transcoded:
    """What was written."""

    sop_instance_uid: str
    transfer_syntax_uid: str
    length: int


def transcode(
    source: StoredInstance,
    transfer_syntax_uid: str,
    sink: Callable[[Buffer], object],
    limits: Limits,
    loss: Loss = LOSSLESS,
) -> Transcoded:
    """Write `source` in another transfer syntax. Any thread.

    `sink` gets the Part 10 stream in order, in pieces; nothing before the first frame is done, and before the last one for
    compressed pixels. An error later is raised, and then what `sink` got is not an instance.

    Raises
    ------
    UnsupportedTransferSyntax, UnsupportedPixels, InvalidParameter
    BadFrame, MalformedDataSet, TruncatedDataSet, TooLarge
    """
    with Transcoding(source, transfer_syntax_uid, limits, loss) as work:
        for _ in work.steps():
            pass
        for piece in work.pieces():
            sink(piece)
        return Transcoded(work.sop_instance_uid, work.transfer_syntax_uid, work.length)


class Transcoding:
    """The same in steps, for who wants to stop between two frames: `steps` to their end, then `pieces`, then `close`.

    Attributes
    ----------
    transfer_syntax_uid : of what comes out; Explicit VR Little Endian for an instance without pixels.
    sop_instance_uid : known from the start, the same every time for the same source, target and loss.
    is_copy : no frame is decoded: there are no pixels, or native ones stay native.
    length : bytes that `pieces` gives; known behind the last step.
    decoded_count : frames decoded so far.
    """

    def __init__(self, source: StoredInstance, transfer_syntax_uid: str, limits: Limits, loss: Loss = LOSSLESS) -> None:
        self._source, self._limits, self._loss = source, limits, loss
        about, header = source.about, source.header
        encoder, pixels = encoder_of(transfer_syntax_uid), header.pixels
        self.transfer_syntax_uid = transfer_syntax_uid if pixels is not None else _EXPLICIT
        self._is_native = self.transfer_syntax_uid == _EXPLICIT
        is_native_already = about.transfer_syntax_uid in _NATIVE and pixels is not None and not pixels.is_undefined
        self.is_copy = pixels is None or (self._is_native and is_native_already)
        self._is_lossy = pixels is not None and encoder.is_lossy(loss)
        self.sop_instance_uid = about.sop_instance_uid
        if self._is_lossy:
            self.sop_instance_uid = derived_uid("lossy", about.sop_instance_uid, transfer_syntax_uid, repr(loss))
        self.length = self.decoded_count = 0
        self._frame_count = len(about.frame_table) if about.frame_table is not None else 0
        if not self.is_copy:
            if about.frame_descriptor is None or not self._frame_count:
                raise UnsupportedPixels("pixels that the header does not describe", "re-encoded")
            self._recoder = Recoder(about.frame_descriptor, transfer_syntax_uid, limits, loss)
        self._spool = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - `close` does
        self._lengths: list[int] = []
        self._first: Array | None = None
        self._head: list[Buffer] = []
        self._tail = b""
        self._pad = 0  # of `_tail`, what makes the pixel data's length even

    def __enter__(self) -> Transcoding:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._spool.close()

    def steps(self) -> Iterator[int]:
        """The work that has to be done before the first byte is known; a frame's index after each frame."""
        changes: dict[int, bytes | None] = {}
        if not self.is_copy:
            yield from self._move_overlays(changes)
            self._first = self._values(0)
            if not self._is_native:
                yield from self._encode(self._first)
                self._first = None
            changes |= self._pixel_changes()
        self._finish(changes)

    def pieces(self) -> Iterator[Buffer]:
        """The Part 10 stream in pieces of at most 1 MiB; also a second time."""
        for piece in self._head:
            yield from _cut(piece)
        if self._source.header.pixels is None:
            return
        if self.is_copy:
            yield from self._copied()
        elif self._is_native:
            yield from self._native_frames()
        else:
            self._spool.seek(0)
            while piece := self._spool.read(MIB):
                yield piece
        yield from _cut(self._tail)

    def data_set(self, *, is_implicit: bool = False) -> Iterator[Buffer]:
        """The same without File Meta Information: what a C-STORE carries.

        Parameters
        ----------
        is_implicit : in Implicit VR Little Endian, which what comes out as Explicit VR Little Endian can be as well.
        """
        pieces = self.pieces()
        next(pieces)  # File Meta Information, some 400 bytes, is a piece of its own
        if not is_implicit:
            yield from pieces
            return
        assert self._is_native, "compressed pixels are explicit (PS3.5 A.4)"
        pixels, head = self._source.header.pixels, self._head[1:]
        pixel_head = bytes(head.pop()) if pixels is not None else b""
        yield from _cut(implicit_elements(b"".join(head), self._limits))
        if pixels is not None:
            yield implicit_head(pixels.tag, int.from_bytes(pixel_head[-4:], "little"))
            yield from self._copied() if self.is_copy else self._native_frames()
            yield from _cut(self._tail[: self._pad] + implicit_elements(self._tail[self._pad :], self._limits))

    def _finish(self, changes: Changes) -> None:
        header, about = self._source.header, self._source.about
        meta = file_meta(
            sop_class_uid=about.sop_class_uid,
            sop_instance_uid=self.sop_instance_uid,
            transfer_syntax_uid=self.transfer_syntax_uid,
        )
        self._head, body = [meta, *header.rewritten(changes)], 0
        if header.pixels is not None and self._is_native:
            body = self._source.pixel_value_length if self.is_copy else self._native_length()
            if body > _VALUE_MAX:
                raise TooLarge("the native pixel data", body, _VALUE_MAX, "PS3.5 7.1.1")
            self._head.append(element_head(header.pixels.tag, self._pixel_vr(), body + body % 2))
            self._pad = body % 2
            self._tail = bytes(self._pad) + self._source.tail()
        elif header.pixels is not None:
            body = self._spool.tell()
            self._head.append(pixel_data_head(self._lengths))
            self._tail = pixel_data_end() + self._source.tail()
        self.length = sum(map(len, self._head)) + body + len(self._tail)

    def _values(self, frame_index: int) -> Array:
        table = self._source.about.frame_table
        assert table is not None
        self.decoded_count += 1
        return self._recoder.decode(frame_index, self._source.frame(frame_index), table[frame_index].first_bit)

    def _encode(self, first: Array) -> Iterator[int]:
        for index in range(self._frame_count):
            code = self._recoder.encode(index, self._values(index) if index else first)
            self._lengths.append(len(code))
            self._spool.write(fragment(code))
            yield index

    def _native_length(self) -> int:
        d = self._recoder.target
        assert d is not None
        return (self._frame_count * d.rows * d.columns * d.samples_per_pixel * d.bits_allocated + 7) // 8

    def _native_frames(self) -> Iterator[Buffer]:
        first, self._first = self._first, None

        def values(index: int) -> Array:
            return first if index == 0 and first is not None else self._values(index)

        indexes = range(self._frame_count)
        if self._recoder.target is not None and self._recoder.target.bits_allocated == 1:
            frames: Iterator[bytes] = joined_bits(map(values, indexes))
        else:
            frames = (self._recoder.encode(index, values(index)) for index in indexes)
        for frame in frames:
            yield from _cut(frame)

    def _copied(self) -> Iterator[Buffer]:
        """Native pixel data are what they were, but for their byte order."""
        word = self._word_bytes() if self._source.header.encoding.is_big_endian else 1
        for piece in self._source.pixel_value():
            yield piece if word == 1 else swapped(bytes(piece), word)

    def _word_bytes(self) -> int:
        """Of the words whose bytes are swapped in big endian (PS3.5 7.3, 8.1.1, annex D)."""
        d, vr = self._source.about.frame_descriptor, self._pixel_vr()
        if vr in ("OF", "OD"):
            return 4 if vr == "OF" else 8
        if d is not None and d.bits_allocated in (32, 64):
            return d.bits_allocated // 8
        return 2 if vr == "OW" or (d is not None and d.has_swapped_bytes) else 1

    def _pixel_vr(self) -> str:
        pixels = self._source.header.pixels
        assert pixels is not None
        if pixels.tag != PIXEL_DATA:
            return "OF" if pixels.tag == FLOAT_PIXEL_DATA else "OD"
        if self.is_copy:
            return pixels.vr if pixels.vr in ("OB", "OW") else "OW"  # implicit ones are OW (PS3.5 A.1)
        assert self._recoder.target is not None
        return "OB" if self._recoder.target.bits_allocated <= 8 else "OW"

    def _move_overlays(self, changes: dict[int, bytes | None]) -> Iterator[int]:
        d, header = self._recoder.source, self._source.header
        planes = embedded_planes(header, d)
        if not planes:
            return
        mover, whole = OverlayMover(header, d, planes, self._limits), Recoder(whole_cells(d), _EXPLICIT, self._limits)
        for index in range(self._frame_count):
            mover.add(whole.decode(index, self._source.frame(index)))
            self.decoded_count += 1
            yield index
        changes |= mover.changes()

    def _pixel_changes(self) -> Changes:
        source, target, header = self._recoder.source, self._recoder.target, self._source.header
        assert target is not None
        changes = described_pixels(header, target)
        if self._is_lossy:
            before = self._frame_count * target.rows * target.columns * target.samples_per_pixel
            ratio = before * stored_dtype(source).itemsize / max(1, sum(self._lengths))
            about = self._source.about
            return changes | derived_by_loss(
                header,
                sop_class_uid=about.sop_class_uid,
                sop_instance_uid=about.sop_instance_uid,
                new_uid=self.sop_instance_uid,
                method=method_of(self.transfer_syntax_uid),
                ratio=ratio,
                how=f"{lookup(self.transfer_syntax_uid).name}, {self._loss.words}{ratio:.3g}:1",
            )
        if source.transfer_syntax_uid in _ALWAYS_LOSSY and not is_marked_lossy(header):
            table = self._source.about.frame_table
            assert table is not None
            stored = sum(table[index].length for index in range(self._frame_count))
            ratio = self._frame_count * source.frame_bytes / max(1, stored)
            changes |= marked_lossy(header, method_of(source.transfer_syntax_uid), ratio)
        return changes


def _cut(piece: Buffer) -> Iterator[Buffer]:
    if len(piece) <= MIB:
        if len(piece):
            yield piece
        return
    view = memoryview(piece)
    for at in range(0, len(view), MIB):
        yield view[at : at + MIB]
