"""JPEG 2000 and High-Throughput JPEG 2000 (PS3.5 8.2.4, 8.2.14, A.4.4, A.4.7; ITU-T T.800, T.814)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.codec.base import Array
from engine.codec.encoding.base import Loss, coded, no_loss, refusals
from engine.dicom.frame import FrameDescriptor

_COLOURS = ("RGB", "YBR_FULL")
_LEVELS = 5
_SMALLEST_SIDE = 64  # of the last resolution: what a list of series shows
_FIRST_SSIZ = 42  # SOC, SIZ marker, Lsiz, Rsiz, eight sizes and offsets, Csiz
_SSIZ_STRIDE = 3


class Jpeg2000Encoder:
    """See `FrameEncoder`. OpenJPEG: 512² of 12 bits in 50 ms, lossless.

    RGB is coded with the component transformation, which turns it to YBR_RCT, or YBR_ICT where it loses; YBR_FULL without.
    """

    def __init__(self, can_lose: bool) -> None:
        self._can_lose = can_lose

    def described(self, source: FrameDescriptor, loss: Loss) -> FrameDescriptor:
        no_loss(source, loss, quality=self._can_lose)
        return _transformed(coded(source, colours=_COLOURS, palette=not loss.quality), is_lossy=loss.quality > 0)

    def is_lossy(self, loss: Loss) -> bool:
        return loss.quality > 0

    def encode(self, stored_values: Array, target: FrameDescriptor, loss: Loss) -> bytes:
        import imagecodecs

        with refusals(target):
            return bytes(
                imagecodecs.jpeg2k_encode(
                    stored_values,
                    level=_decibels(stored_values, target.bits_stored, loss.quality) if loss.quality else 0,
                    reversible=not loss.quality,
                    codecformat="j2k",
                    bitspersample=target.bits_stored,
                    mct=target.photometric_interpretation in ("YBR_RCT", "YBR_ICT"),
                )
            )


class Htj2kEncoder:
    """See `FrameEncoder`. OpenJPH, always lossless: 512² of 12 bits in 3.9 ms.

    Resolution before all else, a tile-part for each and a table of their lengths: the beginning of the code stream is a
    smaller image (what 1.2.840.10008.1.2.4.202 asks for, and the other two allow).
    """

    def described(self, source: FrameDescriptor, loss: Loss) -> FrameDescriptor:
        no_loss(source, loss)
        return _transformed(coded(source, colours=_COLOURS), is_lossy=False)

    def is_lossy(self, loss: Loss) -> bool:
        return False

    def encode(self, stored_values: Array, target: FrameDescriptor, loss: Loss) -> bytes:
        import imagecodecs

        samples, bits = stored_values, target.bits_stored
        is_narrow = bits < 8 * samples.dtype.itemsize
        if is_narrow:
            # The sample precision would be that of the array. Signed samples are not shifted to be centred (T.800 G.1), so
            # those that are centred by hand are the same coefficients, whatever precision and sign SIZ then says.
            centre = 0 if target.pixel_representation else 1 << (bits - 1)
            samples = np.subtract(samples, centre, dtype=np.int16, casting="unsafe")
        with refusals(target):
            code = imagecodecs.htj2k_encode(
                samples,
                reversible=True,
                tlm=True,
                tilepart=1,
                resolutions=_levels(target),
                rgb=target.photometric_interpretation == "YBR_RCT" if samples.ndim == 3 else None,
            )
        return _of_precision(bytes(code), target) if is_narrow else bytes(code)


def _decibels(values: Array, bits: int, quality: int) -> float:
    """Peak signal to noise as OpenJPEG counts it, from the largest number of so many bits.

    The quality is about the values that are there, 50 dB of their range at 50 and 75 at 100: a CT of 4000 grey values in 16
    bits would else lose what it shows.
    """
    span = max(1.0, float(np.max(values)) - float(np.min(values)))
    return float(25 + quality / 2 + 20 * np.log10(((1 << bits) - 1) / span))


def _transformed(target: FrameDescriptor, is_lossy: bool) -> FrameDescriptor:
    if target.photometric_interpretation != "RGB":
        return target
    return replace(target, photometric_interpretation="YBR_ICT" if is_lossy else "YBR_RCT")


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
