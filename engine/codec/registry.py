"""Which decoder takes which transfer syntax: the only place that says so."""

from __future__ import annotations

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


def _registry() -> dict[str, FrameDecoder]:
    rows: list[tuple[FrameDecoder, tuple[str, ...]]] = [
        (NativeDecoder(), ("", ".1", ".1.98", ".1.99", ".2")),
        (RleDecoder(), (".5",)),
        (JpegDecoder(), (".4.50", ".4.51", ".4.53", ".4.55", ".4.57", ".4.70")),
        (JpegLsDecoder(), (".4.80", ".4.81")),
        (Fallback(Jpeg2000Decoder(), OpenJpegDecoder()), tuple(f".4.{n}" for n in (90, 91, 92, 93, 201, 202, 203))),
        (JpegXlDecoder(), (".4.110", ".4.111", ".4.112")),
        (DeflatedDecoder(), (".8.1",)),
    ]
    return {_ROOT + suffix: decoder for decoder, suffixes in rows for suffix in suffixes}


DECODERS: dict[str, FrameDecoder] = _registry()


def decode_frame(
    descriptor: FrameDescriptor,
    data: Buffer,
    limits: Limits,
    out: Array | None = None,
    *,
    first_bit: int = 0,
    reduce: int = 0,
) -> DecodedFrame:
    """Decode one frame; see `FrameDecoder.decode`. Any thread.

    Raises
    ------
    UnsupportedTransferSyntax, BadFrame, TooLarge, UnsupportedPixels
    ValueError : `out` is not as `FrameDecoder.decode` wants it, the caller's mistake.
    """
    decoder = DECODERS.get(descriptor.transfer_syntax_uid)
    if decoder is None:
        raise UnsupportedTransferSyntax(
            descriptor.transfer_syntax_uid, reason=lookup(descriptor.transfer_syntax_uid).why_not_decoded
        )
    check_size(descriptor, limits.frame_bytes_max)
    if out is not None and not (
        out.shape == frame_shape(descriptor) and out.dtype == stored_dtype(descriptor) and out.flags.c_contiguous
    ):
        raise ValueError(f"out must be a C-contiguous {stored_dtype(descriptor)} array of {frame_shape(descriptor)}")
    return decoder.decode(descriptor, data, out, first_bit, reduce)
