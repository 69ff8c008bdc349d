"""Frames of one instance out of its transfer syntax and into another, one at a time."""

from __future__ import annotations

import numpy as np

from engine.codec.base import Array, DecodedFrame, stored_dtype
from engine.codec.encoding.base import LOSSLESS, Loss
from engine.codec.encoding.registry import ENCODERS, described, encoder_of
from engine.codec.registry import DECODERS, decode_frame
from engine.dicom.frame import FrameDescriptor
from engine.dicom.transfer_syntax import lookup
from engine.errors import BadFrame, UnsupportedPixels, UnsupportedTransferSyntax
from engine.limits import Limits
from engine.types import Buffer

_COLOUR_CODERS = ("image/jpeg", "image/jp2", "image/jphc", "image/jxl")


class Recoder:
    """Decodes, encodes and, where nothing may be lost, decodes again and compares; any one thread at a time.

    Attributes
    ----------
    target : what the header says of the frames that come out; known behind the first `decode`.

    Raises
    ------
    UnsupportedTransferSyntax, UnsupportedPixels, InvalidParameter, BadFrame, TooLarge
        Those of one frame name it.
    """

    def __init__(
        self, source: FrameDescriptor, transfer_syntax_uid: str, limits: Limits, loss: Loss = LOSSLESS
    ) -> None:
        if source.transfer_syntax_uid not in DECODERS:
            raise UnsupportedTransferSyntax(source.transfer_syntax_uid)
        self.source, self._limits, self._loss = source, limits, loss
        self._uid, self._encoder = transfer_syntax_uid, encoder_of(transfer_syntax_uid)
        self._photometric = ""
        self.target: FrameDescriptor | None = None

    def decode(self, frame_index: int, body: Buffer, first_bit: int = 0) -> Array:
        """Stored values, in the type and order that `encode` takes."""
        decoded = self._decoded(frame_index, body, first_bit)
        if self.target is None:
            self._photometric = decoded.photometric_interpretation
            self.target = described(self.source, self._photometric, self._uid, self._loss)
        elif decoded.photometric_interpretation != self._photometric:
            what = f"its pixels are {decoded.photometric_interpretation}, those before {self._photometric}"
            raise BadFrame(self.source.transfer_syntax_uid, f"frame {frame_index + 1}: {what}")
        return np.ascontiguousarray(decoded.stored_values, stored_dtype(self.target))

    def encode(self, frame_index: int, stored_values: Array) -> bytes:
        """The frame's bytes in the other transfer syntax."""
        assert self.target is not None
        try:
            code = self._encoder.encode(stored_values, self.target, self._loss)
            if self.target.transfer_syntax_uid in DECODERS and not self._encoder.is_lossy(self._loss):
                self._compare(stored_values, self.target, code)
        except UnsupportedPixels as error:
            raise UnsupportedPixels(f"frame {frame_index + 1}: {error.what}", error.purpose) from error
        return code

    def _decoded(self, frame_index: int, body: Buffer, first_bit: int) -> DecodedFrame:
        try:
            return decode_frame(self.source, body, self._limits, first_bit=first_bit)
        except BadFrame as error:
            raise BadFrame(error.transfer_syntax_uid, f"frame {frame_index + 1}: {error.reason}") from error

    def _compare(self, values: Array, target: FrameDescriptor, code: bytes) -> None:
        """A coder's mistake must not become a patient's; costs a third to a half of encoding (nothing for native pixels)."""
        try:
            back = decode_frame(target, code, self._limits).stored_values
        except BadFrame as error:
            raise UnsupportedPixels(
                f"its code stream cannot be decoded again ({error.reason})", "re-encoded"
            ) from error
        if not np.array_equal(back, values):
            raise UnsupportedPixels("its code stream does not give the values back", "re-encoded")


def can_recode(source: FrameDescriptor, transfer_syntax_uid: str) -> bool:
    """Whether frames of `source` can be given in another transfer syntax without loss, as far as the header tells."""
    if source.transfer_syntax_uid not in DECODERS or transfer_syntax_uid not in ENCODERS:
        return False
    if ENCODERS[transfer_syntax_uid].is_lossy(LOSSLESS):
        return False
    photometric = decoded_photometric(source)
    try:
        described(source, photometric, transfer_syntax_uid)
    except UnsupportedPixels:
        return False
    return True


def decoded_photometric(source: FrameDescriptor) -> str:
    """Photometric interpretation that decoded frames of `source` have, as far as the header tells (`DecodedFrame`)."""
    photometric = source.photometric_interpretation
    if not photometric.startswith("YBR"):
        return photometric
    # Decoders of the JPEG family give RGB, the others what is stored, 4:2:2 made whole.
    has_own_colours = lookup(source.transfer_syntax_uid).media_type in _COLOUR_CODERS
    return "RGB" if has_own_colours and source.samples_per_pixel == 3 else "YBR_FULL"
