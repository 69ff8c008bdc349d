"""High-Throughput JPEG 2000, lossless (PS3.5 8.2.14, A.4.7; ITU-T T.814).

Grey is coded by `native/src/ht_encode.cpp`, colour and what is too small for its wavelet by OpenJPH. The bytes are the
same, the main header's are OpenJPH's own.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine._native import htj2k_encode
from engine.codec.base import Array
from engine.codec.encoding.base import Loss, coded, no_loss, refusals
from engine.codec.encoding.jpeg2000 import transformed
from engine.dicom.frame import FrameDescriptor

_COLOURS = ("RGB", "YBR_FULL")
_LEVELS = 5
_SMALLEST_SIDE = 64  # of the last resolution: what a list of series shows
_SIDE_MAX = 16_384  # of native code
# SOC, SIZ (T.800 A.5.1): marker, Lsiz, Rsiz, then sizes and offsets of image and tiles, Csiz, and three bytes for each component
_SIZES = struct.Struct(">8I")
_SIZES_AT, _FIRST_SSIZ, _SSIZ_STRIDE = 8, 42, 3
_SOT = b"\xff\x90\x00\x0a"
_SMALL = 64  # sides of the image that headers are taken from

Halved = NDArray[np.int32]


class Htj2kEncoder:
    """See `FrameEncoder`. Always lossless: 512² of 12 bits in 1.1 ms, colour by OpenJPH in 8.

    Resolution before all else, a tile-part for each and a table of their lengths: the beginning of the code stream is a
    smaller image (what 1.2.840.10008.1.2.4.202 asks for, and the other two allow).
    """

    def described(self, source: FrameDescriptor, loss: Loss) -> FrameDescriptor:
        no_loss(source, loss)
        return transformed(coded(source, colours=_COLOURS), is_lossy=False)

    def is_lossy(self, loss: Loss) -> bool:
        return False

    def encode(self, stored_values: Array, target: FrameDescriptor, loss: Loss) -> bytes:
        return self.pyramid(stored_values, target)[0]

    def pyramid(self, stored_values: Array, target: FrameDescriptor, halvings: int = 0) -> tuple[bytes, Halved | None]:
        """The code stream, and of grey the image in it with its sides halved so often; for the rest see `encode`.

        Returns
        -------
        The smaller image's samples are those of the wavelet, centred about 0 as T.800 G.1 has them. None: `halvings` is 0, or
        OpenJPH has coded it, which does not tell.
        """
        samples, bits = stored_values, target.bits_stored
        is_narrow = bits < 8 * samples.dtype.itemsize
        levels = _levels(target)
        rows, columns = target.rows, target.columns
        is_ours = target.samples_per_pixel == 1 and (min(rows, columns) - 1) >> (levels - 1)
        with refusals(target):
            if is_ours and max(rows, columns) <= _SIDE_MAX:
                kind = "i2" if is_narrow else samples.dtype.str
                header = _of_precision(_main_header(kind, levels, rows, columns), target)
                down = halvings if halvings <= levels else 0
                code, smaller = htj2k_encode(_centred(samples, target), rows, columns, header, down)
                shape = -(-rows >> down), -(-columns >> down)
                return code, np.frombuffer(smaller, np.int32).reshape(shape) if down else None
            # The sample precision would be that of the array. Signed samples are not shifted to be centred (T.800 G.1), so
            # those that are centred by hand are the same coefficients, whatever precision and sign SIZ then says.
            is_rgb = target.photometric_interpretation == "YBR_RCT" if samples.ndim == 3 else None
            whole = _by_openjph(_centred(samples, target) if is_narrow else samples, levels, is_rgb)
        return (_of_precision(whole, target) if is_narrow else whole), None


def _by_openjph(samples: Array, levels: int, is_rgb: bool | None) -> bytes:
    import imagecodecs

    return bytes(
        imagecodecs.htj2k_encode(samples, reversible=True, tlm=True, tilepart=1, resolutions=levels, rgb=is_rgb)
    )


def _centred(samples: Array, target: FrameDescriptor) -> NDArray[np.int16]:
    """Unsigned samples moved down by half of what they span; beyond Bits Stored they wrap, and the proof shows it."""
    values = samples.view(np.int16) if samples.dtype.itemsize == 2 else samples.astype(np.int16)
    if target.pixel_representation:
        return np.ascontiguousarray(values)
    return values - np.uint16(1 << (target.bits_stored - 1)).astype(np.int16)


@lru_cache(maxsize=64)
def _main_header(dtype: str, levels: int, rows: int, columns: int) -> bytes:
    """From SOC to the first SOT, as OpenJPH writes it for grey samples of a type."""
    code = _by_openjph(np.zeros((_SMALL, _SMALL), dtype), levels, None)
    header = bytearray(code[: code.index(_SOT)])
    _SIZES.pack_into(header, _SIZES_AT, columns, rows, 0, 0, columns, rows, 0, 0)
    return bytes(header)


def _levels(target: FrameDescriptor) -> int:
    """Decompositions: 5, or as many as bring the longer side down to 64."""
    levels = _LEVELS
    while max(target.rows, target.columns) >> levels > _SMALLEST_SIDE:
        levels += 1
    return levels


def _of_precision(code_stream: bytes, target: FrameDescriptor) -> bytes:
    """SIZ says Bits Stored and Pixel Representation (T.800 A.5.1), as PS3.5 8.2.14 wants them to agree."""
    out = bytearray(code_stream)
    for sample in range(target.samples_per_pixel):
        out[_FIRST_SSIZ + _SSIZ_STRIDE * sample] = target.pixel_representation << 7 | (target.bits_stored - 1)
    return bytes(out)
