"""JPEG XL, lossless (PS3.5 8.2.15, A.4.12; ISO/IEC 18181-1)."""

from __future__ import annotations

import numpy as np

from engine.codec.base import Array
from engine.codec.encoding.base import Loss, coded, no_loss, refusals
from engine.dicom.frame import FrameDescriptor

_EFFORT = (
    2  # 512² of 12 bits: 3.7 ms and 219 KB at 1, 12 ms and 209 KB at 2, 25 ms and 199 KB at 3, 95 ms and 197 KB at 5
)


class JpegXlEncoder:
    """See `FrameEncoder`. Always lossless; 512² of 12 bits in 12 ms.

    Samples are unsigned, and three of them are RGB: the code stream has no place for a sign or another colour model.
    """

    def described(self, source: FrameDescriptor, loss: Loss) -> FrameDescriptor:
        no_loss(source, loss)
        return coded(source, colours=("RGB",), can_be_signed=False)

    def is_lossy(self, loss: Loss) -> bool:
        return False

    def encode(self, stored_values: Array, target: FrameDescriptor, loss: Loss) -> bytes:
        import imagecodecs

        samples = stored_values.astype(np.uint8, copy=False) if target.bits_stored <= 8 else stored_values
        with refusals(target):
            return bytes(
                imagecodecs.jpegxl_encode(
                    samples,
                    lossless=True,
                    effort=_EFFORT,
                    bitspersample=target.bits_stored,
                    numthreads=1,  # frames are encoded beside each other
                    usecontainer=False,
                )
            )
