"""JPEG-LS, lossless and near-lossless (PS3.5 A.4.3, ITU-T T.87)."""

from __future__ import annotations

import numpy as np

from engine.codec.base import Array, DecodedFrame, refusals
from engine.codec.codestream import has_end, probe_jpeg
from engine.codec.finish import coded_values, sample_room
from engine.dicom.frame import FrameDescriptor
from engine.dicom.transfer_syntax import lookup
from engine.errors import BadFrame
from engine.types import Buffer


class JpegLsDecoder:
    """See `FrameDecoder`."""

    def decode(
        self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int, reduce: int
    ) -> DecodedFrame:
        import imagecodecs

        view = memoryview(data)
        stream = probe_jpeg(descriptor, view)
        if not has_end(stream, view):
            # CharLS would refuse it too, but counts to 2^31 first: three seconds for the smallest image.
            raise BadFrame(descriptor.transfer_syntax_uid, "no EOI marker at the end")
        with refusals(descriptor):
            samples = np.asarray(imagecodecs.jpegls_decode(data, out=sample_room(stream.bits, out)))
        is_exact = lookup(descriptor.transfer_syntax_uid).is_lossless
        values = coded_values(descriptor, samples, stream.bits, out, is_exact=is_exact)
        return DecodedFrame(values, descriptor.photometric_interpretation)
