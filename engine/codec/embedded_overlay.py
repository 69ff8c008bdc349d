"""Overlays in the unused bits of the pixels, which compressed pixels have no room for, become Overlay Data (PS3.5 8.1.2, A.4).

That form was retired in 2004, but such images are in every old archive.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from engine.codec.base import Array
from engine.dicom.elements import element_bytes
from engine.dicom.frame import FrameDescriptor
from engine.dicom.rewrite import Header
from engine.errors import TooLarge
from engine.limits import Limits

_GROUPS = range(0x6000, 0x6020, 2)
_ROWS, _COLUMNS, _FRAMES, _TYPE, _ORIGIN, _FRAME_ORIGIN = 0x10, 0x11, 0x15, 0x40, 0x50, 0x51
_BITS_ALLOCATED, _BIT_POSITION, _DATA = 0x100, 0x102, 0x3000


def embedded_planes(header: Header, descriptor: FrameDescriptor) -> dict[int, int]:
    """Overlay group → bit of each pixel that it stands in; empty for nearly every image."""
    if not any(0x6000 <= tag >> 16 < 0x6020 for tag in header.tags()):
        return {}
    found = {}
    for group in _GROUPS:
        bits, bit = header.number(group << 16 | _BITS_ALLOCATED), header.number(group << 16 | _BIT_POSITION)
        is_in_pixels = bits is not None and bits > 1 and group << 16 | _DATA not in header
        if is_in_pixels and bit is not None and bit < descriptor.bits_allocated:
            found[group] = bit
    return found


def whole_cells(descriptor: FrameDescriptor) -> FrameDescriptor:
    """The descriptor that a frame is decoded by when its unused bits are wanted too."""
    bits = descriptor.bits_allocated
    return replace(descriptor, bits_stored=bits, high_bit=bits - 1, pixel_representation=0)


class OverlayMover:
    """Collects planes frame by frame; one bit a pixel stays in memory.

    Raises
    ------
    TooLarge
    """

    def __init__(self, header: Header, descriptor: FrameDescriptor, planes: dict[int, int], limits: Limits) -> None:
        size = descriptor.rows * descriptor.columns * descriptor.number_of_frames // 8 * len(planes)
        if size > limits.header_bytes_max:
            raise TooLarge("the overlays", size, limits.header_bytes_max, "limits.header_bytes_max")
        self._header, self._descriptor, self._planes = header, descriptor, planes
        self._bits: dict[int, list[Array]] = {group: [] for group in planes}

    def add(self, cells: Array) -> None:
        """The next frame, decoded by `whole_cells`."""
        for group, bit in self._planes.items():
            self._bits[group].append(np.packbits(((cells >> bit) & 1).astype(np.uint8).ravel(), bitorder="little"))

    def changes(self) -> dict[int, bytes]:
        """Overlay planes as elements of their own (PS3.3 C.9.2)."""
        return {tag: value for group in self._planes for tag, value in self._plane(group)}

    def _plane(self, group: int) -> Iterator[tuple[int, bytes]]:
        d, count, frames = self._descriptor, self._descriptor.rows * self._descriptor.columns, self._bits[group]
        bits = np.concatenate([np.unpackbits(packed, count=count, bitorder="little") for packed in frames])
        values: dict[int, tuple[str, bytes]] = {
            _ROWS: ("US", struct.pack("<H", d.rows)),
            _COLUMNS: ("US", struct.pack("<H", d.columns)),
            _BITS_ALLOCATED: ("US", struct.pack("<H", 1)),
            _BIT_POSITION: ("US", struct.pack("<H", 0)),
            _DATA: ("OW", np.packbits(bits, bitorder="little").tobytes() + bytes(-(-len(bits) // 8) % 2)),
        }
        if len(frames) > 1:
            values[_FRAMES] = "IS", str(len(frames)).encode()
            values[_FRAME_ORIGIN] = "US", struct.pack("<H", 1)
        for number, vr, value in ((_TYPE, "CS", b"G"), (_ORIGIN, "SS", struct.pack("<hh", 1, 1))):
            if group << 16 | number not in self._header:
                values[number] = vr, value
        for number, (vr, value) in values.items():
            yield group << 16 | number, element_bytes(group << 16 | number, vr, value)
