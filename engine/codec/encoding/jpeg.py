"""JPEG Baseline (lossy, 8 bits) and JPEG Lossless (PS3.5 8.2.1, A.4.1; ITU-T T.81)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.codec.base import Array
from engine.codec.encoding.base import Loss, coded, no_loss, refusals, unsupported
from engine.dicom.frame import FrameDescriptor

_QUALITY = 90


class JpegBaselineEncoder:
    """See `FrameEncoder`. Always lossy: `Loss.quality`, 90 when nothing is said. 512² of 8 bits in 0.3 ms.

    Only for samples of 8 bits: more would have to be windowed first, and then they are another image.
    """

    def described(self, source: FrameDescriptor, loss: Loss) -> FrameDescriptor:
        no_loss(source, loss, quality=True)
        target = coded(source, colours=("RGB", "YBR_FULL"), can_be_signed=False, palette=False)
        if target.bits_stored != 8:
            raise unsupported(target, f"samples of {target.bits_stored} bits")
        if target.samples_per_pixel == 3:
            target = replace(target, photometric_interpretation="YBR_FULL_422")
        return replace(target, bits_allocated=8)

    def is_lossy(self, loss: Loss) -> bool:
        return True

    def encode(self, stored_values: Array, target: FrameDescriptor, loss: Loss) -> bytes:
        import imagecodecs

        samples = stored_values.astype("u1", copy=False)
        with refusals(target):
            # 4:2:2 is what YBR_FULL_422 says (PS3.3 C.7.6.3.1.2).
            subsampling = None if samples.ndim == 2 else "422"
            return bytes(imagecodecs.jpeg8_encode(samples, level=loss.quality or _QUALITY, subsampling=subsampling))


class JpegLosslessEncoder:
    """See `FrameEncoder`. Predictor 1, so both transfer syntaxes hold it. 512² of 12 bits in 13 ms.

    The process knows no sign: signed values are coded as the bits that they are stored in (PS3.5 8.2.1). Colours stay
    what they are.
    """

    def described(self, source: FrameDescriptor, loss: Loss) -> FrameDescriptor:
        no_loss(source, loss)
        return coded(source, colours=("RGB", "YBR_FULL"), bits_min=2)

    def is_lossy(self, loss: Loss) -> bool:
        return False

    def encode(self, stored_values: Array, target: FrameDescriptor, loss: Loss) -> bytes:
        import imagecodecs

        samples = _unsigned(stored_values, target.bits_stored)
        # Named YCBCR, libjpeg-turbo would write a second Huffman table that DCMTK and GDCM cannot follow.
        space = None if samples.ndim == 2 else "RGB" if target.photometric_interpretation == "RGB" else "UNKNOWN"
        with refusals(target):
            return bytes(
                imagecodecs.jpeg8_encode(
                    samples,
                    lossless=True,
                    predictor=1,
                    bitspersample=target.bits_stored,
                    colorspace=space,
                    outcolorspace=space,
                )
            )


def _unsigned(stored_values: Array, bits: int) -> Array:
    """The lowest `bits` bits of each value as a number of their own, in as many bytes as they need."""
    samples = stored_values.view(f"u{stored_values.dtype.itemsize}")
    if stored_values.dtype.kind == "i" and bits < 8 * samples.dtype.itemsize:
        samples = samples & samples.dtype.type((1 << bits) - 1)
    return samples.astype(np.uint8, copy=False) if bits <= 8 else samples
