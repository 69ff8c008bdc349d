"""JPEG Baseline, Extended and Lossless (PS3.5 A.4.1, ITU-T T.81)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.codec.base import Array, DecodedFrame, refusals
from engine.codec.codestream import CodeStream, has_end, point_transform, probe_jpeg
from engine.codec.finish import coded_values, sample_room
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame
from engine.types import Buffer

_LOSSLESS_SOF = 0xC3
_EOI = b"\xff\xd9"


class JpegDecoder:
    """See `FrameDecoder`. The code stream, not the transfer syntax, says which process it is; senders get that wrong."""

    def decode(
        self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int, reduce: int
    ) -> DecodedFrame:
        d, view = descriptor, memoryview(data)
        stream = probe_jpeg(d, view)
        is_lossless = stream.sof == _LOSSLESS_SOF
        colour, photometric = colour_of(d, stream)
        room = sample_room(stream.bits, out)

        def samples_of(code: Buffer, room: Array | None) -> Array:
            return _lossless(code, room) if is_lossless else _lossy(code, colour, room)

        with refusals(d):
            samples = samples_of(data, room)
            if not has_end(stream, view) and not _is_complete(view, samples, samples_of):
                raise BadFrame(d.transfer_syntax_uid, "the entropy-coded data end before the image does")
        # A lossless stream of fewer bits than are stored holds differences of 16 bits all the same (T.81 H.1.2.2).
        bits = max(stream.bits, d.bits_stored) if is_lossless else stream.bits
        return DecodedFrame(coded_values(d, samples, bits, out, is_exact=is_lossless), photometric)


def _is_complete(data: memoryview, samples: Array, decode: Callable[[bytes, None], Array]) -> bool:
    """Whether only the EOI marker is missing, which some encoders forget.

    libjpeg makes grey of what is missing and tells nobody who listens. But a decoder that has all it needs does not
    look at what comes then: other bytes behind the data must not change the picture. Rare, so twice the work is fine.
    """
    return all(np.array_equal(samples, decode(bytes(data) + filler * 64 + _EOI, None)) for filler in (b"\x00", b"\x55"))


def colour_of(d: FrameDescriptor, stream: CodeStream) -> tuple[str | None, str]:
    """Colour space of the code stream for the decoder (None: let it look), and photometric interpretation of the result.

    An Adobe marker is believed first: encoders write it knowing what they did. Then JFIF and subsampling, which only
    YCbCr has. Then the data set. libjpeg's own guess, YCbCr for any three components, would turn real RGB green.
    """
    said = d.photometric_interpretation
    if stream.samples != 3 or stream.sof == _LOSSLESS_SOF:
        return None, said
    is_ybr = stream.adobe_transform == 1
    if stream.adobe_transform < 0:
        is_ybr = stream.has_jfif or stream.is_subsampled or said.startswith("YBR")
        if said == "RGB" and stream.component_ids == b"RGB":
            is_ybr = False
    return ("YCBCR" if is_ybr else "RGB"), "RGB"


def _lossy(data: Buffer, colour: str | None, room: Array | None) -> Array:
    import imagecodecs

    if colour is None:
        return np.asarray(imagecodecs.jpeg8_decode(data, out=room))
    return np.asarray(imagecodecs.jpeg8_decode(data, colorspace=colour, outcolorspace="RGB", out=room))


def _lossless(data: Buffer, room: Array | None) -> Array:
    """By libjpeg-turbo, and by the decoder made for lossless alone where that refuses: 1.5 and 3.6 ms for 512²."""
    import imagecodecs

    try:
        return np.asarray(imagecodecs.jpeg8_decode(data, out=room))
    except (ValueError, RuntimeError):
        samples = by_jpegsof3(data)
    if room is None:
        return samples
    np.copyto(room, samples)
    return room


def by_jpegsof3(data: Buffer) -> Array:
    """Samples of a lossless JPEG; the point transform, which that decoder leaves to its caller, is undone (T.81 H.1.2.3)."""
    import imagecodecs

    code = bytes(data)
    samples = np.asarray(imagecodecs.jpegsof3_decode(code))
    whole: Array = np.left_shift(samples, point_transform(code), out=samples)
    return whole
