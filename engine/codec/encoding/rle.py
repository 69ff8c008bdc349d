"""RLE Lossless (PS3.5 8.2.2, annex G): each byte of each sample is a plane of its own, runs of it are told by their length."""

from __future__ import annotations

from engine import _native
from engine.codec.base import Array
from engine.codec.encoding.base import Loss, coded, no_loss, refusals
from engine.dicom.frame import FrameDescriptor


class RleEncoder:
    """See `FrameEncoder`. Signed values go as the bytes they are (G.2)."""

    def described(self, source: FrameDescriptor, loss: Loss) -> FrameDescriptor:
        no_loss(source, loss)
        return coded(source, colours=("RGB", "YBR_FULL"))

    def is_lossy(self, loss: Loss) -> bool:
        return False

    def encode(self, stored_values: Array, target: FrameDescriptor, loss: Loss) -> bytes:
        t = target
        with refusals(t):
            return _native.rle_encode(
                stored_values, t.rows, t.columns, t.samples_per_pixel, stored_values.dtype.itemsize
            )
