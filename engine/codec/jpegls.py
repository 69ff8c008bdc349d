"""JPEG-LS, lossless and near-lossless (PS3.5 A.4.3, ITU-T T.87)."""

from __future__ import annotations

import numpy as np

from engine.codec.base import Array, DecodedFrame
from engine.codec.codestream import probe_jpeg
from engine.codec.finish import stored_values
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame
from engine.types import Buffer


class JpegLsDecoder:
    """See `FrameDecoder`."""

    def decode(self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int) -> DecodedFrame:
        import imagecodecs

        stream = probe_jpeg(descriptor, memoryview(data))
        try:
            samples = np.asarray(imagecodecs.jpegls_decode(data))
        except (ValueError, RuntimeError) as error:
            raise BadFrame(descriptor.transfer_syntax_uid, str(error)) from error
        bits = min(descriptor.bits_stored, stream.bits)
        values = stored_values(descriptor, np.ascontiguousarray(samples), bits, out)
        return DecodedFrame(values, descriptor.photometric_interpretation)
