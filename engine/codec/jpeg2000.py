"""JPEG 2000 and High-Throughput JPEG 2000 (PS3.5 A.4.4, A.4.7; ITU-T T.800, T.814)."""

from __future__ import annotations

import numpy as np

from engine.codec.base import Array, DecodedFrame
from engine.codec.codestream import CodeStream, probe_jpeg2000
from engine.codec.finish import stored_values
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame
from engine.types import Buffer


class Jpeg2000Decoder:
    """See `FrameDecoder`. OpenJPEG for JPEG 2000, OpenJPH for HTJ2K."""

    def __init__(self, *, is_high_throughput: bool) -> None:
        self._is_high_throughput = is_high_throughput

    def decode(self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int) -> DecodedFrame:
        import imagecodecs

        stream = probe_jpeg2000(descriptor, memoryview(data))
        try:
            if self._is_high_throughput:
                samples = np.asarray(imagecodecs.htj2k_decode(data))
            else:
                samples = np.asarray(imagecodecs.jpeg2k_decode(data))
        except (ValueError, RuntimeError) as error:
            raise BadFrame(descriptor.transfer_syntax_uid, str(error)) from error
        # The sign of the code stream is often not the header's, which decides: the same bits are read its way.
        values = stored_values(
            descriptor, np.ascontiguousarray(samples), min(descriptor.bits_allocated, stream.bits), out
        )
        return DecodedFrame(values, _photometric(descriptor, stream))


def _photometric(d: FrameDescriptor, stream: CodeStream) -> str:
    """The component transformation is undone by the decoder, whatever the header calls it (PS3.5 8.2.4)."""
    if d.samples_per_pixel == 3 and (
        stream.has_colour_transform or d.photometric_interpretation in ("YBR_RCT", "YBR_ICT")
    ):
        return "RGB"
    return d.photometric_interpretation
