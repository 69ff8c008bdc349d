"""Native pixel data: 1 to 64 bits allocated, both byte orders, planar or interleaved, 4:2:2 (PS3.5 8.1.1, 8.2)."""

from __future__ import annotations

import sys

import numpy as np

from engine.codec.base import Array, DecodedFrame, frame_shape, stored_dtype
from engine.codec.bits import unpack
from engine.codec.finish import stored_values
from engine.codec.planes import interleaved
from engine.dicom.frame import SUBSAMPLED_422, FrameDescriptor
from engine.dicom.transfer_syntax import EXPLICIT_VR_BIG_ENDIAN
from engine.errors import BadFrame, UnsupportedPixels
from engine.types import Buffer

_IS_LITTLE_ENDIAN = sys.byteorder == "little"
# Retired, from frame grabbers: luminance 16 to 235, chrominance 16 to 240 (PS3.3 C.7.6.3.1.2, ITU-R BT.601).
_PARTIAL = frozenset(("YBR_PARTIAL_422", "YBR_PARTIAL"))
_PARTIAL_TO_RGB = np.array([[1, 1, 1], [0, -0.114 * 1.772 / 0.587, 1.772], [1.402, -0.299 * 1.402 / 0.587, 0]])
_PARTIAL_RANGE = np.array([219.0, 224.0, 224.0])


class NativeDecoder:
    """See `FrameDecoder`. Copies once into `out`; without one, only what must change."""

    def decode(
        self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int, reduce: int
    ) -> DecodedFrame:
        d = descriptor
        is_422 = d.photometric_interpretation in SUBSAMPLED_422
        # 4:2:2 carries two chrominance samples for two pixels.
        count = d.rows * d.columns * (2 if is_422 else d.samples_per_pixel)
        if len(data) * 8 < first_bit + count * d.bits_allocated:
            raise BadFrame(d.transfer_syntax_uid, f"{len(data)} bytes where {d.frame_bytes} are needed")
        if d.has_swapped_bytes:
            data = np.frombuffer(data, ">u2", len(data) // 2).astype("<u2").tobytes()
        if is_422 and (d.samples_per_pixel != 3 or d.columns % 2):
            raise BadFrame(d.transfer_syntax_uid, f"4:2:2 of {d.samples_per_pixel} samples, {d.columns} columns")
        kind, is_ours = stored_dtype(d), True
        if d.bits_allocated != 8 * kind.itemsize:
            if d.bits_allocated > 32:
                raise UnsupportedPixels(f"{d.bits_allocated} bits allocated")
            flat = unpack(data, d.bits_allocated, count, first_bit).astype(kind, copy=False)
        else:
            if (d.transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN) == _IS_LITTLE_ENDIAN:
                kind = kind.newbyteorder()
            flat, is_ours = np.frombuffer(data, kind, count), False
        pixels = _arranged(d, flat, out)
        if not (pixels.dtype.isnative and pixels.flags.c_contiguous):  # byte order and planes change on the way
            room = np.empty(pixels.shape, kind.newbyteorder("=")) if out is None else out
            room[...] = pixels
            pixels = room
            is_ours = True
        if d.bits_stored < d.bits_allocated and kind.kind != "f":
            is_ours = is_ours or pixels is out
            shift = d.high_bit + 1 - d.bits_stored
            if shift > 0:
                # Values not at the bottom (high bit 15, 12 stored) are old, but real.
                plain = pixels.view(f"u{pixels.dtype.itemsize}")
                pixels = np.right_shift(plain, shift, out=plain if is_ours else None)
                is_ours = True
            pixels = stored_values(d, pixels, d.bits_stored, out, is_ours=is_ours)
        elif out is not None and pixels is not out:
            out[...] = pixels  # nothing happens where it was inflated right there
            pixels = out
        if d.photometric_interpretation in _PARTIAL:
            return DecodedFrame(_rgb_of_partial(d, pixels, out), "RGB")
        return DecodedFrame(pixels, "YBR_FULL" if is_422 else d.photometric_interpretation)


def native_bytes(descriptor: FrameDescriptor, decoded: DecodedFrame) -> bytes:
    """One frame as Explicit VR Little Endian pixel data holds it: interleaved samples, bits packed (PS3.5 8.2)."""
    values = decoded.stored_values
    if descriptor.bits_allocated == 1:
        return np.packbits(values.astype(np.uint8, copy=False).ravel(), bitorder="little").tobytes()
    if values.dtype.byteorder == ">":
        values = values.astype(values.dtype.newbyteorder("<"))
    return values.tobytes()


def _rgb_of_partial(d: FrameDescriptor, pixels: Array, out: Array | None) -> Array:
    """RGB of 8-bit studio-range pixels. Here, because no name is left for them once every pixel has its chrominance."""
    if d.bits_allocated != 8 or d.samples_per_pixel != 3 or d.pixel_representation:
        raise UnsupportedPixels(f"{d.photometric_interpretation} of {d.samples_per_pixel} × {d.bits_allocated} bits")
    rgb = pixels if out is not None else np.empty_like(pixels)
    for row in range(d.rows):  # a whole frame in floating point would be eight times its size
        full = (pixels[row] - np.array([16.0, 128.0, 128.0])) * (255.0 / _PARTIAL_RANGE)
        rgb[row] = np.clip(np.rint(full @ _PARTIAL_TO_RGB), 0, 255)
    return rgb


def _arranged(d: FrameDescriptor, flat: Array, out: Array | None) -> Array:
    """(rows, columns[, samples]) of the flat samples: a view, but for 4:2:2 and planes (in `out` where there is one)."""
    if d.photometric_interpretation in SUBSAMPLED_422:
        quads = flat.reshape(d.rows * d.columns // 2, 4)  # Y1 Y2 CB CR (PS3.3 C.7.6.3.1.2)
        pixels = np.empty((len(quads), 2, 3), flat.dtype)
        pixels[:, :, 0] = quads[:, :2]
        pixels[:, :, 1:] = quads[:, None, 2:]
        return pixels.reshape(frame_shape(d))
    if d.samples_per_pixel > 1 and d.planar_configuration == 1:
        if flat.dtype.isnative:
            pixels = interleaved(flat, d.samples_per_pixel, out)
            return pixels if pixels is out else pixels.reshape(frame_shape(d))
        return flat.reshape(d.samples_per_pixel, d.rows, d.columns).transpose(1, 2, 0)
    return flat.reshape(frame_shape(d))
