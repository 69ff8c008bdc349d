"""JPEG-LS, lossless and near-lossless (PS3.5 8.2.3, A.4.3; ITU-T T.87)."""

from __future__ import annotations

import numpy as np

from engine.codec.base import Array
from engine.codec.encoding.base import Loss, coded, no_loss, refusals, unsupported
from engine.dicom.frame import FrameDescriptor

_SPIFF, _SPIFF_END = b"\xff\xd8\xff\xe8\x00\x20SPIFF\x00", b"\xff\xe8\x00\x08\x00\x00\x00\x01\xff\xd8"


class JpegLsEncoder:
    """See `FrameEncoder`. 512² of 12 bits in 8.7 ms.

    CharLS through imagecodecs takes its sample precision from the array: 16 bits for 12 stored. So the values go in as they
    stand in the allocated bits, sign and all, which is what DCMTK's encoder does and every decoder undoes.
    """

    def __init__(self, can_lose: bool) -> None:
        self._can_lose = can_lose

    def described(self, source: FrameDescriptor, loss: Loss) -> FrameDescriptor:
        no_loss(source, loss, near=self._can_lose)
        return coded(source, colours=("RGB", "YBR_FULL"), bits_min=2, palette=not loss.near)

    def is_lossy(self, loss: Loss) -> bool:
        return loss.near > 0

    def encode(self, stored_values: Array, target: FrameDescriptor, loss: Loss) -> bytes:
        import imagecodecs

        if loss.near:
            _check_room(stored_values, target, loss.near)
        samples = stored_values.view(f"u{stored_values.dtype.itemsize}")
        try:
            code = imagecodecs.jpegls_encode(samples, level=loss.near or None)
        except (ValueError, RuntimeError):  # noise: more bytes than imagecodecs makes room for
            with refusals(target):
                code = imagecodecs.jpegls_encode(samples, level=loss.near or None, out=2 * samples.nbytes + 4096)
        return _without_spiff(bytes(code))


def _check_room(values: Array, target: FrameDescriptor, near: int) -> None:
    """A value next to the end of its range must not come back beyond it: white would become black.

    The coder keeps inside the 8 or 16 bits it knows of; where fewer are stored, or the sign is one of them, it cannot.
    """
    bits, is_signed = target.bits_stored, bool(target.pixel_representation)
    if bits == target.bits_allocated and not is_signed:
        return
    top = (1 << (bits - is_signed)) - 1
    bottom = -(1 << (bits - 1)) if is_signed else -near  # it keeps above 0 by itself
    lowest, highest = int(np.min(values)), int(np.max(values))
    if highest > top - near or lowest < bottom + near:
        raise unsupported(target, f"values from {lowest} to {highest} of {bits} bits with a difference of {near}")


def _without_spiff(code_stream: bytes) -> bytes:
    """The interchange format that PS3.5 A.4.3 wants has no SPIFF header; SOI is inside its last entry (T.84 F.2.2)."""
    end = code_stream.find(_SPIFF_END, 0, 128)
    if code_stream.startswith(_SPIFF) and end > 0:
        return code_stream[end + len(_SPIFF_END) - 2 :]
    return code_stream
