"""JPEG XL, lossless, lossy, and JPEG frames that were compressed again without loss (PS3.5 A.4.11, ISO/IEC 18181)."""

from __future__ import annotations

import numpy as np

from engine.codec.base import Array, DecodedFrame, refusals
from engine.codec.finish import coded_values, sample_room
from engine.codec.jpegxl_header import JpegXlHeader, read_header
from engine.dicom.frame import FrameDescriptor
from engine.dicom.transfer_syntax import lookup
from engine.errors import BadFrame
from engine.types import Buffer


class JpegXlDecoder:
    """See `FrameDecoder`. libjxl, which refuses what has no end by itself.

    It has no smaller size to give for less work: of a code stream it can stop early, but not scale (`reduce` stays 0).
    """

    def decode(
        self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int, reduce: int
    ) -> DecodedFrame:
        import imagecodecs

        d = descriptor
        header = read_header(d, memoryview(data))
        with refusals(d):
            samples = np.asarray(
                imagecodecs.jpegxl_decode(data, keeporientation=True, numthreads=1, out=sample_room(header.bits, out))
            )
        if samples.shape[:2] != (d.rows, d.columns) or samples.dtype.kind != "u":
            raise BadFrame(d.transfer_syntax_uid, f"decoded to {samples.shape} of {samples.dtype}")
        is_exact = lookup(d.transfer_syntax_uid).is_lossless
        values = coded_values(d, samples, header.bits, out, is_exact=is_exact)
        return DecodedFrame(values, _photometric(d, header))


def _photometric(d: FrameDescriptor, header: JpegXlHeader) -> str:
    """The decoder undoes XYB, and the YCbCr of a JPEG; what a lossless encoder was given as YBR_FULL comes back as that."""
    if header.samples != 3:
        return d.photometric_interpretation
    is_as_given = lookup(d.transfer_syntax_uid).is_lossless and not header.is_xyb
    return "YBR_FULL" if is_as_given and d.photometric_interpretation == "YBR_FULL" else "RGB"
