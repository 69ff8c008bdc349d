"""The same JPEG 2000 frame by another library (pylibjpeg-openjpeg): a second opinion, and for when the first refuses.

It holds the GIL while it decodes, so it is never the first choice.
"""

from __future__ import annotations

import numpy as np

from engine.codec.base import Array, DecodedFrame, FrameDecoder, refusals
from engine.codec.jpeg2000 import finished
from engine.codec.jpeg2000_header import read_header, whole
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame
from engine.types import Buffer


class OpenJpegDecoder:
    """See `FrameDecoder`."""

    def decode(
        self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int, reduce: int
    ) -> DecodedFrame:
        import openjpeg

        header = read_header(descriptor, memoryview(data))
        data = whole(descriptor, header, data)
        with refusals(descriptor):
            samples = np.asarray(openjpeg.decode(bytes(data)))
        return finished(descriptor, header, samples, out)


class Fallback:
    """A `FrameDecoder` that asks a second one about what the first refuses; the first one's reason is what is told."""

    def __init__(self, first: FrameDecoder, second: FrameDecoder) -> None:
        self._first, self._second = first, second

    def decode(
        self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int, reduce: int
    ) -> DecodedFrame:
        try:
            return self._first.decode(descriptor, data, out, first_bit, reduce)
        except BadFrame as refusal:
            try:
                return self._second.decode(descriptor, data, out, first_bit, reduce)
            except BadFrame:
                raise refusal from None
