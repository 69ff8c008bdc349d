"""The same JPEG 2000 frame by another library (pylibjpeg-openjpeg): for tests, and when the first one refuses.

It holds the GIL while it decodes, so it is never the first choice.
"""

from __future__ import annotations

import numpy as np

from engine.codec.base import Array, DecodedFrame
from engine.codec.codestream import probe_jpeg2000
from engine.codec.finish import stored_values
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame
from engine.types import Buffer


class OpenJpegDecoder:
    """See `FrameDecoder`."""

    def decode(self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int) -> DecodedFrame:
        import openjpeg

        stream = probe_jpeg2000(descriptor, memoryview(data))
        try:
            samples = np.asarray(openjpeg.decode(bytes(data)))
        except (ValueError, RuntimeError, NotImplementedError) as error:
            raise BadFrame(descriptor.transfer_syntax_uid, str(error)) from error
        values = stored_values(
            descriptor, np.ascontiguousarray(samples), min(descriptor.bits_allocated, stream.bits), out
        )
        has_rgb = descriptor.samples_per_pixel == 3 and stream.has_colour_transform
        return DecodedFrame(values, "RGB" if has_rgb else descriptor.photometric_interpretation)
