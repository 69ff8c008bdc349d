"""Encapsulated pixel data as bytes: one fragment for each frame, and where each begins (PS3.5 A.4, PS3.3 C.7.6.3.1.8)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from engine.dicom.elements import ITEM, SEQUENCE_END, element_bytes, element_head
from engine.types import Buffer

_EXTENDED_OFFSET_TABLE, _EXTENDED_OFFSET_TABLE_LENGTHS, _PIXEL_DATA = 0x7FE00001, 0x7FE00002, 0x7FE00010
_UNDEFINED = 0xFFFF_FFFF
_BASIC_OFFSET_MAX = 0xFFFF_FFFE


def fragment(code_stream: Buffer) -> bytes:
    """Item header, code stream, and the zero byte that makes its length even (PS3.5 A.4)."""
    padding = len(code_stream) % 2
    return b"".join((item_head(len(code_stream) + padding), code_stream, bytes(padding)))


def pixel_data_head(lengths: Sequence[int]) -> bytes:
    """Everything in front of the first frame's fragment, offset tables included.

    The Basic Offset Table has 32 bits for an offset; where that is not enough it is empty, and the Extended Offset Table
    stands in front.

    Parameters
    ----------
    lengths : bytes of each frame's code stream; none for a stream of all frames, whose table is empty (PS3.5 A.4.5).
    """
    sizes = np.fromiter(lengths, np.uint64, len(lengths))
    padded = sizes + sizes % np.uint64(2)
    offsets = np.concatenate(([0], np.cumsum(padded + np.uint64(8))[:-1])).astype("<u8")
    head, table = b"", offsets.astype("<u4").tobytes()
    if not len(lengths):
        table = b""
    if len(offsets) and int(offsets[-1]) > _BASIC_OFFSET_MAX:
        table = b""
        # Each frame is one fragment, as the extended table wants it; its lengths are those before padding.
        head = element_bytes(_EXTENDED_OFFSET_TABLE, "OV", offsets.tobytes())
        head += element_bytes(_EXTENDED_OFFSET_TABLE_LENGTHS, "OV", sizes.astype("<u8").tobytes())
    return head + element_head(_PIXEL_DATA, "OB", _UNDEFINED) + item_head(len(table)) + table


def pixel_data_end() -> bytes:
    """The sequence delimiter."""
    return struct.pack("<HHI", SEQUENCE_END >> 16, SEQUENCE_END & 0xFFFF, 0)


def item_head(length: int) -> bytes:
    """What stands in front of a fragment of this (even) length."""
    return struct.pack("<HHI", ITEM >> 16, ITEM & 0xFFFF, length)
