"""The codecs' view of pixels that are being received: for `ingest`, which knows no codec (PS3.18 10.5.2)."""

from __future__ import annotations

from typing import BinaryIO

from engine.codec.claims import claims_of
from engine.codec.picture_file import native_pixels
from engine.dicom.coded_pixels import NativePixels, PixelClaims
from engine.limits import Limits


class ReceivedPixels:
    """See `engine.ingest.coded_pixels.PixelReader`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def claims(self, transfer_syntax_uid: str, source: BinaryIO) -> PixelClaims:
        return claims_of(transfer_syntax_uid, source)

    def native(self, media_type: str, source: BinaryIO) -> NativePixels:
        return native_pixels(media_type, source, self._limits)
