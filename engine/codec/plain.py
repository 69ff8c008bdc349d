"""Stored values in the plainest way, as PS3.5 8.1.1 says them: to compare with, not to be fast.

Shares nothing with `native` and `finish`, which it is the second opinion on.
"""

from __future__ import annotations

import numpy as np

from engine.codec.base import Array, DecodedFrame, frame_shape, stored_dtype
from engine.dicom.frame import SUBSAMPLED_422, FrameDescriptor, PixelKeyword
from engine.dicom.transfer_syntax import EXPLICIT_VR_BIG_ENDIAN
from engine.errors import BadFrame
from engine.types import Buffer

_BLOCK_CELLS = 1 << 18  # a cell becomes eight bytes, and one for each of its bits


def native_frame(descriptor: FrameDescriptor, data: Buffer, first_bit: int) -> DecodedFrame:
    """A frame of native pixels of up to 32 bits, or in floating point; `data` is long enough."""
    d = descriptor
    is_422 = d.photometric_interpretation in SUBSAMPLED_422
    samples = 2 if is_422 else d.samples_per_pixel
    count = d.rows * d.columns * samples
    content = np.frombuffer(data, np.uint8)
    if d.has_swapped_bytes:
        content = content[: len(content) // 2 * 2].reshape(-1, 2)[:, ::-1].ravel()
    is_big = d.transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN
    if d.pixel_keyword is not PixelKeyword.PIXEL_DATA:
        size = 4 if d.pixel_keyword is PixelKeyword.FLOAT else 8
        cells: Array = content[: count * size].view(f"{'>' if is_big else '<'}f{size}")
    else:
        if is_big and d.bits_allocated > 8:
            size = d.bits_allocated // 8
            content = content[: count * size].reshape(-1, size)[:, ::-1].ravel()
        cells = np.empty(count, stored_dtype(d))
        for begin in range(0, count, _BLOCK_CELLS):
            end = min(count, begin + _BLOCK_CELLS)
            codes = _cells(content, d.bits_allocated, first_bit + begin * d.bits_allocated, end - begin)
            cells[begin:end] = _meant(d, codes, d.bits_allocated, is_exact=True, follows=False)
    if is_422:
        quads = cells.reshape(d.rows, d.columns // 2, 4)
        pixels = np.stack(
            (
                quads[:, :, :2].reshape(d.rows, d.columns),
                np.repeat(quads[:, :, 2], 2, axis=1),
                np.repeat(quads[:, :, 3], 2, axis=1),
            ),
            axis=-1,
        )
    elif d.samples_per_pixel > 1 and d.planar_configuration == 1:
        pixels = np.stack(np.split(cells, samples), axis=-1).reshape(frame_shape(d))
    else:
        pixels = cells.reshape(frame_shape(d))
    if d.photometric_interpretation.startswith("YBR_PARTIAL"):
        y, b, r = (pixels[:, :, i].astype(np.float64) for i in range(3))
        y, b, r = (y - 16) / 219, (b - 128) / 112, (r - 128) / 112
        rgb = np.stack(
            (y + 0.701 * r, y - 0.886 * 0.114 / 0.587 * b - 0.701 * 0.299 / 0.587 * r, y + 0.886 * b), axis=-1
        )
        return DecodedFrame(np.clip(np.rint(255 * rgb), 0, 255).astype(np.uint8), "RGB")
    name = "YBR_FULL" if is_422 else d.photometric_interpretation
    return DecodedFrame(pixels.astype(stored_dtype(d)), name)


def rle_planes(descriptor: FrameDescriptor, data: Buffer) -> Array:
    """Samples (samples, rows, columns) of RLE segments, unpacked as PS3.5 G.3.2 writes it down.

    Raises
    ------
    BadFrame : a segment is missing, or short.
    """
    d, content = descriptor, bytes(data)
    size, planes = d.bits_allocated // 8, d.rows * d.columns
    count = int.from_bytes(content[:4], "little")
    if count != size * d.samples_per_pixel or len(content) < 64:
        raise BadFrame(d.transfer_syntax_uid, f"{count} RLE segments, not {size * d.samples_per_pixel}")
    starts = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "little") for i in range(count)]
    size_max = len(content)
    ends = {start: min(size_max, next((s for s in sorted(starts) if s > start), size_max)) for start in starts}
    values = np.zeros((d.samples_per_pixel, planes), np.int64)
    for segment, start in enumerate(starts):
        plane, at = bytearray(), start
        while at < ends[start] and len(plane) < planes:
            n = content[at]
            if n < 128:
                plane += content[at + 1 : min(at + 2 + n, ends[start])]
            elif n > 128:
                plane += content[at + 1 : at + 2] * (257 - n)
            at += 2 + n if n < 128 else 2 if n > 128 else 1
        if len(plane) < planes:
            raise BadFrame(d.transfer_syntax_uid, f"RLE segment {segment + 1} has {len(plane)} bytes, not {planes}")
        sample, byte = divmod(segment, size)  # from the most significant byte down (G.2)
        values[sample] += np.frombuffer(plane, np.uint8, planes).astype(np.int64) << (8 * (size - 1 - byte))
    return values.reshape(d.samples_per_pixel, d.rows, d.columns)


def coded_values(
    descriptor: FrameDescriptor, codes: Array, bits: int, *, is_exact: bool, follows: bool = False
) -> Array:
    """What non-negative `bits`-bit codes mean: moved down from under High Bit, cut to Bits Stored, signed where they are.

    Parameters
    ----------
    follows : the depth of the code stream stands above Bits Stored (JPEG 2000, PS3.5 8.2.4).
    """
    out = np.empty(codes.shape, stored_dtype(descriptor))
    flat, values = codes.reshape(-1), out.reshape(-1)
    for begin in range(0, len(flat), _BLOCK_CELLS):
        block = slice(begin, begin + _BLOCK_CELLS)
        values[block] = _meant(descriptor, flat[block].astype(np.int64), bits, is_exact=is_exact, follows=follows)
    return out


def _meant(d: FrameDescriptor, values: Array, bits: int, *, is_exact: bool, follows: bool) -> Array:
    kept = bits
    if bits > d.high_bit >= d.bits_stored:
        values, kept = values >> (d.high_bit + 1 - d.bits_stored), d.bits_stored
    elif is_exact and not follows:
        kept = min(bits, d.bits_stored)
    values = values & ((1 << kept) - 1)
    if d.pixel_representation:
        values -= (values >> (kept - 1)) << kept
    if not is_exact and not follows and kept > d.bits_stored:
        half = 1 << (d.bits_stored - 1)
        values = np.clip(values, -half, half - 1) if d.pixel_representation else np.clip(values, 0, 2 * half - 1)
    return values


def _cells(content: Array, bits: int, first_bit: int, count: int) -> Array:
    """Cells of `bits` bits, each number the sum of its bits, or of its bytes where it has whole ones."""
    low, high = first_bit, first_bit + count * bits
    if bits % 8 == 0 and first_bit % 8 == 0:
        octets = content[low // 8 : high // 8].reshape(count, bits // 8)
        return sum((octets[:, k].astype(np.int64) << 8 * k for k in range(bits // 8)), np.zeros(count, np.int64))
    weights = 1 << np.arange(bits, dtype=np.int64)
    single = np.unpackbits(content[low // 8 : -(-high // 8)], bitorder="little")
    return single[low % 8 : low % 8 + count * bits].reshape(-1, bits) @ weights
