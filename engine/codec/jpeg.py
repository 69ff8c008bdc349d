"""JPEG Baseline, Extended and Lossless (PS3.5 A.4.1, ITU-T T.81)."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.codec.base import Array, DecodedFrame
from engine.codec.codestream import CodeStream, probe_jpeg
from engine.codec.finish import stored_values
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame
from engine.types import Buffer

_LOSSLESS_SOF = 0xC3


class JpegDecoder:
    """See `FrameDecoder`. The code stream, not the transfer syntax, says which process it is; senders get that wrong."""

    def decode(self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int) -> DecodedFrame:
        view = memoryview(data)
        stream = probe_jpeg(descriptor, view)
        colour = _colour(descriptor, stream)
        samples = (
            _lossless(descriptor, data) if stream.sof == _LOSSLESS_SOF else _lossy(descriptor, data, stream, colour)
        )
        bits = (
            min(descriptor.bits_stored, max(stream.bits, 1)) if stream.sof != _LOSSLESS_SOF else descriptor.bits_stored
        )
        values = stored_values(descriptor, np.ascontiguousarray(samples), bits, out)
        return DecodedFrame(values, colour[1])


def _colour(d: FrameDescriptor, stream: CodeStream) -> tuple[Any, str]:
    """Colour space of the code stream for the decoder (None: let it look), and photometric interpretation of the result.

    An Adobe marker is believed first: encoders write it knowing what they did. Then the data set. libjpeg's own guess,
    YCbCr for any three components without a marker, would turn real RGB green.
    """
    said = d.photometric_interpretation
    if stream.samples != 3:
        return None, said
    if stream.sof == _LOSSLESS_SOF:
        return None, said
    is_ybr = stream.adobe_transform == 1
    if stream.adobe_transform < 0:
        is_ybr = stream.has_jfif or said.startswith("YBR")
        if said == "RGB" and stream.component_ids == b"RGB":
            is_ybr = False
    return ("YCBCR" if is_ybr else "RGB"), "RGB"


def _lossy(d: FrameDescriptor, data: Buffer, stream: CodeStream, colour: tuple[Any, str]) -> Array:
    import imagecodecs

    try:
        if colour[0] is None:
            return np.asarray(imagecodecs.jpeg8_decode(data))
        return np.asarray(imagecodecs.jpeg8_decode(data, colorspace=colour[0], outcolorspace="RGB"))
    except (ValueError, RuntimeError) as error:
        raise BadFrame(d.transfer_syntax_uid, str(error)) from error


def _lossless(d: FrameDescriptor, data: Buffer) -> Array:
    """By libjpeg-turbo, and by the decoder made for lossless alone where that refuses (16-bit predictors that wrap)."""
    import imagecodecs

    try:
        return np.asarray(imagecodecs.jpeg8_decode(data))
    except (ValueError, RuntimeError):
        pass
    try:
        return np.asarray(imagecodecs.jpegsof3_decode(bytes(data)))
    except (ValueError, RuntimeError) as error:
        raise BadFrame(d.transfer_syntax_uid, str(error)) from error
