"""JPEG 2000 (PS3.5 8.2.4, A.4.4; ITU-T T.800)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.codec.base import Array
from engine.codec.encoding.base import Loss, coded, no_loss, refusals
from engine.dicom.frame import FrameDescriptor

_COLOURS = ("RGB", "YBR_FULL")


class Jpeg2000Encoder:
    """See `FrameEncoder`. OpenJPEG: 512² of 12 bits in 50 ms, lossless.

    RGB is coded with the component transformation, which turns it to YBR_RCT, or YBR_ICT where it loses; YBR_FULL without.
    """

    def __init__(self, can_lose: bool) -> None:
        self._can_lose = can_lose

    def described(self, source: FrameDescriptor, loss: Loss) -> FrameDescriptor:
        no_loss(source, loss, quality=self._can_lose)
        return transformed(coded(source, colours=_COLOURS, palette=not loss.quality), is_lossy=loss.quality > 0)

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


def _decibels(values: Array, bits: int, quality: int) -> float:
    """Peak signal to noise as OpenJPEG counts it, from the largest number of so many bits.

    The quality is about the values that are there, 50 dB of their range at 50 and 75 at 100: a CT of 4000 grey values in 16
    bits would else lose what it shows.
    """
    span = max(1.0, float(np.max(values)) - float(np.min(values)))
    return float(25 + quality / 2 + 20 * np.log10(((1 << bits) - 1) / span))


def transformed(target: FrameDescriptor, is_lossy: bool) -> FrameDescriptor:
    """RGB goes through a component transformation, which the header must name (PS3.3 C.7.6.3.1.2)."""
    if target.photometric_interpretation != "RGB":
        return target
    return replace(target, photometric_interpretation="YBR_ICT" if is_lossy else "YBR_RCT")
