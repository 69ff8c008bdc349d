"""Deflated Image Frame Compression: every frame is raw deflate of native pixels (PS3.5 A.4.12, RFC 1951)."""

from __future__ import annotations

import zlib

import numpy as np

from engine.codec.base import Array, DecodedFrame, frame_shape, stored_dtype
from engine.codec.native import NativeDecoder
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame
from engine.types import Buffer

_EXPANSION_MAX = 1032  # deflate's most: 258 bytes out of two bits (RFC 1951 3.2.5)


class DeflatedDecoder:
    """See `FrameDecoder`. Inflates no further than the frame that the header describes, right into `out` where it can."""

    def __init__(self) -> None:
        self._native = NativeDecoder()

    def decode(
        self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int, reduce: int
    ) -> DecodedFrame:
        d = descriptor
        if d.frame_bytes > _EXPANSION_MAX * (len(data) + 1):
            raise BadFrame(d.transfer_syntax_uid, f"{len(data)} bytes cannot hold {d.frame_bytes}")
        is_in_place = out is not None and _is_laid_out_alike(d) and out.nbytes == d.frame_bytes
        room = out.reshape(-1).view(np.uint8) if is_in_place and out is not None else np.empty(d.frame_bytes, np.uint8)
        _inflate(d, data, room)
        return self._native.decode(d, room.data, out, 0, 0)


def _is_laid_out_alike(d: FrameDescriptor) -> bool:
    """Whether the bytes of the frame are those of the array: whole cells, samples of a pixel together."""
    is_whole = d.bits_allocated == 8 * stored_dtype(d).itemsize
    return (
        is_whole
        and int(np.prod(frame_shape(d))) * d.bits_allocated // 8 == d.frame_bytes
        and (d.samples_per_pixel == 1 or d.planar_configuration == 0)
    )


def _inflate(d: FrameDescriptor, data: Buffer, room: Array) -> None:
    """Fill `room`: by libdeflate, in half of zlib's time (2.8 and 5.6 ms for 512² of noise), by zlib what that refuses."""
    if _by_libdeflate(data, room):
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(data, len(room) + 2)
    except zlib.error as error:
        raise BadFrame(d.transfer_syntax_uid, f"it cannot be inflated ({error})") from None
    if not len(room) <= len(plain) <= len(room) + 1:  # a byte that makes the length even is allowed (PS3.5 A.4)
        raise BadFrame(d.transfer_syntax_uid, f"the code stream has {_count(plain, room)} bytes, the frame {len(room)}")
    room[:] = np.frombuffer(plain, np.uint8, len(room))


def _by_libdeflate(data: Buffer, room: Array) -> bool:
    """Whether `room` is full now; libdeflate takes no stream that gives more, or has no end."""
    import imagecodecs

    try:
        return len(imagecodecs.deflate_decode(data, raw=True, out=room)) == len(room)
    except (ValueError, RuntimeError):
        return False


def _count(plain: bytes, room: Array) -> str:
    return str(len(plain)) if len(plain) <= len(room) + 1 else f"more than {len(room) + 1}"
