"""Frames as JPEG-LS: whole, smaller, or with a loss that has a bound (ITU-T T.87; PS3.5 8.2.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.archive.records import InstanceRecord
from engine.codec.base import Array
from engine.codec.encoding.base import LOSSLESS, Loss
from engine.codec.encoding.registry import described, encoder_of
from engine.codec.recode import Recoder, decoded_photometric
from engine.codec.registry import decode_frame
from engine.codec.rendition import decode_rendition
from engine.dicom.frame import FrameDescriptor
from engine.dicom.transfer_syntax import lookup
from engine.errors import UnsupportedPixels
from engine.executors import Executors
from engine.limits import Limits
from engine.metrics import Metrics
from engine.stream.beginnings import HTJ2K, beginning
from engine.stream.decoded import descriptor_of
from engine.stream.frame_size import WantedSize, Whole
from engine.stream.frames import FrameService
from engine.stream.transcoding import recoded_frame
from engine.stream.work import on_pool
from engine.types import Buffer, Timings

JPEG_LS_TYPE = "image/jls"
JPEG_LS, JPEG_LS_NEAR = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"
# The largest difference is this part of the range that the frame's values have: 4 of 12 bits.
_LOSS_PARTS = 1024
_NEAR_MAX = 255


@dataclass(frozen=True, slots=True)
class JpegLsFrame:
    """A frame's code stream.

    Attributes
    ----------
    halvings : how often its sides are halved.
    near : the largest difference of a value from the stored one; 0: none.
    """

    body: Buffer
    transfer_syntax_uid: str
    halvings: int = 0
    near: int = 0


class JpegLsFrames:
    """Makes them, each on the decode executor; one event loop.

    All of its methods raise NoPixels, FrameNotFound, CorruptInstance, UnsupportedTransferSyntax, UnsupportedPixels, BadFrame,
    TooLarge.
    """

    def __init__(self, service: FrameService, executors: Executors, limits: Limits, metrics: Metrics) -> None:
        self._service, self._executors, self._limits, self._metrics = service, executors, limits, metrics

    async def whole(self, record: InstanceRecord, frame_index: int, timings: Timings) -> JpegLsFrame:
        """Without loss, or as it is stored where that is JPEG-LS."""
        s = self._service
        if lookup(record.transfer_syntax_uid).media_type == JPEG_LS_TYPE:
            stored = await s.stored(record, frame_index, timings)
            return JpegLsFrame(stored.body, stored.transfer_syntax_uid)
        body = await recoded_frame(
            s, self._executors, self._limits, self._metrics, record, frame_index, JPEG_LS, timings
        )
        return JpegLsFrame(body, JPEG_LS)

    async def smaller(
        self, record: InstanceRecord, frame_index: int, size: WantedSize, timings: Timings
    ) -> JpegLsFrame:
        """The resolution that HTJ2K has in this size, whose values are coded without further loss.

        `beginnings.has_beginnings` must hold. Where the frame has but one resolution, as `whole`.
        """
        descriptor, limits = descriptor_of(record), self._limits
        found = await beginning(
            self._service, self._executors, limits, self._metrics, record, frame_index, Whole(), timings
        )  # our own decoder takes nothing that is cut
        halvings = size.halvings(descriptor.rows, descriptor.columns, found.halvings_max)
        if not halvings:
            return await self.whole(record, frame_index, timings)

        def work() -> JpegLsFrame:
            with timings.step("decode"):
                if lookup(record.transfer_syntax_uid).media_type == HTJ2K:
                    decoded = decode_frame(descriptor, found.body, limits, reduce=halvings)
                else:
                    photometric, bits = decoded_photometric(descriptor), descriptor.bits_stored
                    decoded = decode_rendition(descriptor, found.body, photometric, bits, limits, halvings)
            self._metrics.add("frames_decoded")
            values = _inside(decoded.stored_values, descriptor)
            small = replace(descriptor, rows=values.shape[0], columns=values.shape[1])
            target = described(small, decoded.photometric_interpretation, JPEG_LS)
            with timings.step("encode"):
                code = encoder_of(JPEG_LS).encode(values, target, LOSSLESS)
                if not np.array_equal(decode_frame(target, code, limits).stored_values, values):
                    raise UnsupportedPixels("its code stream does not give the values back", "made smaller")
            return JpegLsFrame(code, JPEG_LS, decoded.reduce)

        return await on_pool(self._executors.decode, "", timings, work)

    async def lossy(self, record: InstanceRecord, frame_index: int, timings: Timings) -> JpegLsFrame:
        """With a loss of a thousandth of the frame's own range; with none where a value might be carried over its end."""
        descriptor, limits = descriptor_of(record), self._limits
        assert record.frame_table is not None
        first_bit = record.frame_table[frame_index].first_bit
        body = (await self._service.stored(record, frame_index, timings)).body

        def work() -> JpegLsFrame:
            recoder = Recoder(descriptor, JPEG_LS, limits)
            with timings.step("decode"):
                values = recoder.decode(frame_index, body, first_bit)
            self._metrics.add("frames_decoded")
            near, photometric = _near(values), decoded_photometric(descriptor)
            with timings.step("encode"):
                if near:
                    try:
                        target = described(descriptor, photometric, JPEG_LS_NEAR, Loss(near=near))
                        code = encoder_of(JPEG_LS_NEAR).encode(values, target, Loss(near=near))
                        _check_bound(values, decode_frame(target, code, limits).stored_values, near)
                        return JpegLsFrame(code, JPEG_LS_NEAR, near=near)
                    except UnsupportedPixels as error:  # palettes, and values at the end of their range
                        timings.note("lossless", error.what[:80])
                if lookup(record.transfer_syntax_uid).media_type == JPEG_LS_TYPE:
                    return JpegLsFrame(body, record.transfer_syntax_uid)
                return JpegLsFrame(recoder.encode(frame_index, values), JPEG_LS)

        return await on_pool(self._executors.decode, "", timings, work)


def _check_bound(values: Array, back: Array, near: int) -> None:
    """What is said of the loss must hold: a coder's mistake must not become a patient's."""
    if int(np.max(np.abs(back.astype(np.int64) - values.astype(np.int64)))) > near:
        raise UnsupportedPixels(f"a code stream that differs by more than {near}", "re-encoded")


def _inside(values: Array, descriptor: FrameDescriptor) -> Array:
    """Means of values may go beyond Bits Stored, where the code stream has more bits than the header; a coder of fewer cannot."""
    bits, is_signed = descriptor.bits_stored, bool(descriptor.pixel_representation)
    lowest = -(1 << (bits - 1)) if is_signed else 0
    highest = (1 << (bits - is_signed)) - 1
    return np.ascontiguousarray(np.clip(values, lowest, highest))


def _near(values: Array) -> int:
    span = int(np.max(values)) - int(np.min(values))
    return min(_NEAR_MAX, span // _LOSS_PARTS)
