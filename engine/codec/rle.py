"""RLE Lossless (PS3.5 annex G)."""

from __future__ import annotations

import numpy as np

from engine._native import rle_decode as _decode
from engine._native import rle_encode as _encode
from engine.codec.base import Array, DecodedFrame, frame_shape, refusals, stored_dtype
from engine.codec.finish import stored_values
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame, UnsupportedPixels
from engine.types import Buffer

_EXPANSION_MAX = 64  # two bytes of a run become 128 at most (PS3.5 G.3.1)
_SEGMENTS_MAX = 15  # PS3.5 G.5


class RleDecoder:
    """See `FrameDecoder`. Every segment is one byte plane of one sample; all are unpacked side by side right into `out`.

    Segments may come in any order. A last run that says more than is there, or than is wanted, is cut (old encoders
    wrote such); a plane that stays short is refused. One 512² CT slice of 16 bits: 51 µs, where
    imagecodecs.dicomrle_decode takes 290 in the same process; 8 bits 66 and 110, RGB 230 and 320 (there planar).
    """

    def decode(
        self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int, reduce: int
    ) -> DecodedFrame:
        d, target = descriptor, stored_dtype(descriptor)
        if d.bits_allocated != 8 * target.itemsize:
            raise BadFrame(d.transfer_syntax_uid, f"{d.bits_allocated} bits allocated cannot be byte planes")
        size = d.rows * d.columns * d.samples_per_pixel * target.itemsize
        if size > _EXPANSION_MAX * len(data):
            raise BadFrame(d.transfer_syntax_uid, f"{len(data)} bytes cannot hold {size}")
        samples = np.empty(frame_shape(d), target) if out is None else out
        with refusals(d):
            _decode(data, samples, d.rows, d.columns, d.samples_per_pixel, target.itemsize)
        shift = d.high_bit + 1 - d.bits_stored
        if shift > 0 and target.kind != "f":  # values not at the bottom are old, but real
            cells = samples.view(f"u{target.itemsize}")
            np.right_shift(cells, shift, out=cells)
        return DecodedFrame(stored_values(d, samples, d.bits_stored, out), d.photometric_interpretation)


def rle_encode(values: Array) -> bytes:
    """One frame as RLE segments; any thread, the GIL released meanwhile.

    Every row is packed by itself, three alike are a run, segments are even (PS3.5 G.3.1). One 512² CT slice of 16
    bits: 140 µs, 2 % smaller than pydicom's; imagecodecs has no encoder.

    Parameters
    ----------
    values : (rows, columns) or (rows, columns, samples), of 8, 16, 32 or 64 bits. Their bytes are what is packed: signed
        or not, overlays above the stored bits and all.

    Raises
    ------
    UnsupportedPixels : more than 15 byte planes, or a code stream in which offsets of 32 bits could not reach.
    """
    if values.ndim not in (2, 3):
        raise ValueError(f"a frame has two or three dimensions, not {values.ndim}")
    rows, columns = values.shape[:2]
    samples = values.shape[2] if values.ndim == 3 else 1
    if not 1 <= samples * values.itemsize <= _SEGMENTS_MAX:
        raise UnsupportedPixels(f"RLE of {samples} samples of {8 * values.itemsize} bits")
    pixels = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    try:
        return _encode(pixels, rows, columns, samples, values.itemsize)
    except ValueError as error:
        raise UnsupportedPixels(f"RLE: {error}") from None
