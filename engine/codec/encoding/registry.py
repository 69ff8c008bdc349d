"""Which encoder writes which transfer syntax: the only place that says so."""

from __future__ import annotations

from dataclasses import replace

from engine.codec.encoding.base import LOSSLESS, FrameEncoder, Loss
from engine.codec.encoding.htj2k import Htj2kEncoder
from engine.codec.encoding.jpeg import JpegBaselineEncoder, JpegLosslessEncoder
from engine.codec.encoding.jpeg2000 import Jpeg2000Encoder
from engine.codec.encoding.jpegls import JpegLsEncoder
from engine.codec.encoding.jpegxl import JpegXlEncoder
from engine.codec.encoding.native import NativeEncoder
from engine.codec.encoding.rle import RleEncoder
from engine.dicom.frame import FrameDescriptor
from engine.errors import UnsupportedTransferSyntax

_ROOT = "1.2.840.10008.1.2"


def _registry() -> dict[str, FrameEncoder]:
    rows: list[tuple[FrameEncoder, tuple[str, ...]]] = [
        (NativeEncoder(), (".1",)),
        (RleEncoder(), (".5",)),
        (JpegBaselineEncoder(), (".4.50",)),
        (JpegLosslessEncoder(), (".4.57", ".4.70")),
        (JpegLsEncoder(can_lose=False), (".4.80",)),
        (JpegLsEncoder(can_lose=True), (".4.81",)),
        (Jpeg2000Encoder(can_lose=False), (".4.90",)),
        (Jpeg2000Encoder(can_lose=True), (".4.91",)),
        (JpegXlEncoder(), (".4.110", ".4.112")),
        (Htj2kEncoder(), (".4.201", ".4.202", ".4.203")),
    ]
    return {_ROOT + suffix: encoder for encoder, suffixes in rows for suffix in suffixes}


ENCODERS: dict[str, FrameEncoder] = _registry()


def encoder_of(transfer_syntax_uid: str) -> FrameEncoder:
    """The encoder of a transfer syntax.

    Raises
    ------
    UnsupportedTransferSyntax
    """
    encoder = ENCODERS.get(transfer_syntax_uid)
    if encoder is None:
        raise UnsupportedTransferSyntax(transfer_syntax_uid, "encode")
    return encoder


def described(
    source: FrameDescriptor, photometric_interpretation: str, transfer_syntax_uid: str, loss: Loss = LOSSLESS
) -> FrameDescriptor:
    """What the header says of frames of `source` once they are encoded in another transfer syntax.

    Parameters
    ----------
    photometric_interpretation : of the decoded frames (`DecodedFrame`).

    Raises
    ------
    UnsupportedTransferSyntax, UnsupportedPixels, InvalidParameter
    """
    encoder = encoder_of(transfer_syntax_uid)
    decoded = replace(
        source, transfer_syntax_uid=transfer_syntax_uid, photometric_interpretation=photometric_interpretation
    )
    return encoder.described(decoded, loss)
