"""Which decoder takes which transfer syntax: the only place that says so."""

from __future__ import annotations

from engine.codec.base import Array, DecodedFrame, FrameDecoder, check_size
from engine.codec.jpeg import JpegDecoder
from engine.codec.jpeg2000 import Jpeg2000Decoder
from engine.codec.jpegls import JpegLsDecoder
from engine.codec.native import NativeDecoder
from engine.codec.rle import RleDecoder
from engine.dicom.frame import FrameDescriptor
from engine.errors import UnsupportedTransferSyntax
from engine.limits import Limits
from engine.types import Buffer

_ROOT = "1.2.840.10008.1.2"


def _registry() -> dict[str, FrameDecoder]:
    native, jpeg, jpegls = NativeDecoder(), JpegDecoder(), JpegLsDecoder()
    j2k, htj2k = Jpeg2000Decoder(is_high_throughput=False), Jpeg2000Decoder(is_high_throughput=True)
    rows: list[tuple[FrameDecoder, tuple[str, ...]]] = [
        (native, ("", ".1", ".1.98", ".1.99", ".2")),
        (RleDecoder(), (".5",)),
        (jpeg, (".4.50", ".4.51", ".4.53", ".4.55", ".4.57", ".4.70")),
        (jpegls, (".4.80", ".4.81")),
        (j2k, (".4.90", ".4.91")),
        (htj2k, (".4.201", ".4.202", ".4.203")),
    ]
    return {_ROOT + suffix: decoder for decoder, suffixes in rows for suffix in suffixes}


DECODERS: dict[str, FrameDecoder] = _registry()


def decode_frame(
    descriptor: FrameDescriptor, data: Buffer, limits: Limits, out: Array | None = None, *, first_bit: int = 0
) -> DecodedFrame:
    """Decode one frame; see `FrameDecoder.decode`. Any thread.

    Raises
    ------
    UnsupportedTransferSyntax, BadFrame, TooLarge, UnsupportedPixels
    """
    decoder = DECODERS.get(descriptor.transfer_syntax_uid)
    if decoder is None:
        raise UnsupportedTransferSyntax(descriptor.transfer_syntax_uid)
    check_size(descriptor, limits.frame_bytes_max)
    return decoder.decode(descriptor, data, out, first_bit)
