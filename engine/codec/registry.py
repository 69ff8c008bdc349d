"""Which decoder takes which transfer syntax: the only place that says so."""

from __future__ import annotations

from collections.abc import Mapping

from engine.codec.base import Array, DecodedFrame, FrameDecoder, check_size, frame_shape, stored_dtype
from engine.codec.deflated import DeflatedDecoder
from engine.codec.jpeg import JpegDecoder
from engine.codec.jpeg2000 import Jpeg2000Decoder
from engine.codec.jpegls import JpegLsDecoder
from engine.codec.jpegxl import JpegXlDecoder
from engine.codec.native import NativeDecoder
from engine.codec.openjpeg import Fallback, OpenJpegDecoder
from engine.codec.rle import RleDecoder
from engine.dicom.frame import FrameDescriptor
from engine.dicom.transfer_syntax import lookup
from engine.errors import UnsupportedTransferSyntax
from engine.limits import Limits
from engine.types import Buffer

_ROOT = "1.2.840.10008.1.2"


def _rows() -> list[tuple[FrameDecoder, str, tuple[str, ...]]]:
    jpeg_2000 = Fallback(Jpeg2000Decoder(), OpenJpegDecoder())
    return [
        (NativeDecoder(), "voxcast", ("", ".1", ".1.98", ".1.99", ".2")),
        (RleDecoder(), "voxcast", (".5",)),
        (JpegDecoder(), "libjpeg-turbo", (".4.50", ".4.51", ".4.53", ".4.55", ".4.57", ".4.70")),
        (JpegLsDecoder(), "CharLS", (".4.80", ".4.81")),
        (jpeg_2000, "OpenJPEG", tuple(f".4.{n}" for n in (90, 91, 92, 93))),
        (jpeg_2000, "OpenJPH or OpenJPEG", tuple(f".4.{n}" for n in (201, 202, 203))),
        (JpegXlDecoder(), "libjxl", (".4.110", ".4.111", ".4.112")),
        (DeflatedDecoder(), "voxcast", (".8.1",)),
    ]


DECODERS: dict[str, FrameDecoder] = {_ROOT + end: decoder for decoder, _, suffixes in _rows() for end in suffixes}
# The same for background work, whose frames are many: none takes more than the thread that it is called on.
PATIENT_DECODERS: dict[str, FrameDecoder] = {
    uid: Fallback(Jpeg2000Decoder(threads_max=1), OpenJpegDecoder()) if isinstance(decoder, Fallback) else decoder
    for uid, decoder in DECODERS.items()
}
# Whose work the decoder of a transfer syntax is, for people.
NAMES: dict[str, str] = {_ROOT + end: name for _, name, suffixes in _rows() for end in suffixes}


def decode_frame(
    descriptor: FrameDescriptor,
    data: Buffer,
    limits: Limits,
    out: Array | None = None,
    *,
    first_bit: int = 0,
    reduce: int = 0,
    decoders: Mapping[str, FrameDecoder] = DECODERS,
) -> DecodedFrame:
    """Decode one frame; see `FrameDecoder.decode`. Any thread.

    Raises
    ------
    UnsupportedTransferSyntax, BadFrame, TooLarge, UnsupportedPixels
    ValueError : `out` is not as `FrameDecoder.decode` wants it, the caller's mistake.
    """
    decoder = decoders.get(descriptor.transfer_syntax_uid)
    if decoder is None:
        raise UnsupportedTransferSyntax(
            descriptor.transfer_syntax_uid, reason=lookup(descriptor.transfer_syntax_uid).why_not_decoded
        )
    check_size(descriptor, limits.frame_bytes_max)
    if out is not None:
        shape, kind = frame_shape(descriptor), stored_dtype(descriptor)
        if not (out.shape == shape and out.dtype == kind and out.flags.c_contiguous):
            raise ValueError(f"out must be a C-contiguous {kind} array of {shape}")
    return decoder.decode(descriptor, data, out, first_bit, reduce)
