"""Where the bytes of every frame are inside a stored Part 10 stream (PS3.5 section 8, annex A.4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from engine.types import Buffer

_HEAD = struct.Struct(
    "<BBHIQQQQ"
)  # kind, version, 0, frame count, base, stride in bits (STREAM: fragments), deflated offset, deflated (STREAM: all) length
_ENTRY = struct.Struct("<QII")  # offset, span length, fragment count
_VERSION = 1


class FrameTableKind(IntEnum):
    NATIVE = 1
    ENCAPSULATED = 2
    DEFLATED = 3  # native, but inside the deflated data set of 1.2.840.10008.1.2.1.99
    STREAM = 4  # one bit stream holds every frame (video): each frame's span is all of it


@dataclass(frozen=True, slots=True)
class FrameSpan:
    """One contiguous read that holds one frame.

    Attributes
    ----------
    offset, length : int
        Bytes from the start of the Part 10 stream. For ``DEFLATED`` from the start of the *inflated* data set.
    first_bit : int
        0 to 7: the frame's first bit in the first byte; only single-bit frames can begin inside a byte.
    fragment_count : int
        0 for native pixels. 1: the bytes are the code stream itself. More: the bytes are the fragments with the
        8-byte item headers between them still in place (`join_fragments` takes them out).
        For ``STREAM`` they hold all frames, and may be gigabytes.
    """

    offset: int
    length: int
    first_bit: int = 0
    fragment_count: int = 0


class FrameTable:
    """Frame spans of one instance, as a view on its packed form; nothing is decoded before it is asked for.

    The packed form (little endian) is what the native scanner makes and what the index stores: a 40-byte head, then
    for encapsulated pixels 16 bytes per frame. `from_buffer` does not copy; the buffer must outlive the table.
    """

    __slots__ = ("_base", "_buffer", "_deflated", "_stride_bits", "frame_count", "kind")

    def __init__(self, buffer: bytes | memoryview) -> None:
        kind, version, _, count, base, stride_bits, offset, length = _HEAD.unpack_from(buffer)
        if version != _VERSION:
            raise ValueError(f"frame table version {version}")
        self.kind = FrameTableKind(kind)
        self.frame_count: int = count
        self._base: int = base
        self._stride_bits: int = stride_bits
        self._deflated = (int(offset), int(length))
        self._buffer = buffer

    @classmethod
    def from_buffer(cls, buffer: bytes | memoryview) -> FrameTable:
        return cls(buffer)

    @classmethod
    def native(cls, frame_count: int, base: int, stride_bits: int) -> FrameTable:
        return cls(_HEAD.pack(FrameTableKind.NATIVE, _VERSION, 0, frame_count, base, stride_bits, 0, 0))

    @classmethod
    def deflated(cls, frame_count: int, base: int, stride_bits: int, offset: int, length: int) -> FrameTable:
        """`base` counts in the inflated data set; `offset` and `length` say where the deflated one is."""
        return cls(_HEAD.pack(FrameTableKind.DEFLATED, _VERSION, 0, frame_count, base, stride_bits, offset, length))

    @classmethod
    def encapsulated(cls, spans: list[FrameSpan]) -> FrameTable:
        head = _HEAD.pack(FrameTableKind.ENCAPSULATED, _VERSION, 0, len(spans), 0, 0, 0, 0)
        return cls(head + b"".join(_ENTRY.pack(s.offset, s.length, s.fragment_count) for s in spans))

    @classmethod
    def stream(cls, frame_count: int, span: FrameSpan) -> FrameTable:
        return cls(
            _HEAD.pack(
                FrameTableKind.STREAM, _VERSION, 0, frame_count, span.offset, span.fragment_count, 0, span.length
            )
        )

    def __len__(self) -> int:
        return self.frame_count

    def __getitem__(self, frame_index: int) -> FrameSpan:
        if not 0 <= frame_index < self.frame_count:
            raise IndexError(frame_index)
        if self.kind is FrameTableKind.ENCAPSULATED:
            return FrameSpan(*_entry(self._buffer, frame_index))
        if self.kind is FrameTableKind.STREAM:
            return FrameSpan(self._base, self._deflated[1], 0, self._stride_bits)
        first = frame_index * self._stride_bits
        last = first + self._stride_bits
        return FrameSpan(self._base + first // 8, (last + 7) // 8 - first // 8, first % 8)

    @property
    def stride_bits(self) -> int:
        """From one frame to the next (kinds ``NATIVE`` and ``DEFLATED``)."""
        return self._stride_bits

    @property
    def deflated_span(self) -> FrameSpan:
        """Where the deflated data set is in the Part 10 stream (kind ``DEFLATED`` only)."""
        return FrameSpan(*self._deflated)

    def to_bytes(self) -> bytes:
        return bytes(self._buffer)


def _entry(buffer: bytes | memoryview, frame_index: int) -> tuple[int, int, int, int]:
    offset, length, fragments = _ENTRY.unpack_from(buffer, _HEAD.size + frame_index * _ENTRY.size)
    return offset, length, 0, fragments


def join_fragments(span_bytes: Buffer, fragment_count: int) -> Buffer:
    """The code stream of a frame: `span_bytes` without the item headers between its fragments (PS3.5 A.4).

    Parameters
    ----------
    span_bytes : the bytes of a `FrameSpan`; they start with the first fragment's first byte, behind its item header
        when `fragment_count` is 1, and *with* the first item header when it is more.
    """
    if fragment_count <= 1:
        return span_bytes
    view, out, at = memoryview(span_bytes), [], 0
    for _ in range(fragment_count):
        length = int.from_bytes(view[at + 4 : at + 8], "little")
        out.append(view[at + 8 : at + 8 + length])
        at += 8 + length
    return b"".join(out)
