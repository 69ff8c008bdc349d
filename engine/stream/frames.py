"""One frame as it is stored, as native pixels, or rendered; each step on its executor, with its time taken."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.codec import ffmpeg
from engine.codec.base import Array
from engine.codec.encode import encode_jpeg, encode_png, load_codecs
from engine.codec.gif import encode_gif
from engine.codec.icc import converted, with_profile
from engine.codec.native import native_bytes
from engine.codec.registry import DECODERS
from engine.codec.webp import encode_webp
from engine.dicom.display import DisplayHeader
from engine.dicom.frame import Window
from engine.dicom.frame_table import FrameTableKind
from engine.dicom.transfer_syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    lookup,
)
from engine.executors import Executors
from engine.imaging.overlay import Mask, burned, mask_of
from engine.imaging.plan import needs_header, plan, reduction
from engine.imaging.size import Region
from engine.imaging.spec import IccProfile, RenderSpec
from engine.limits import MIB, Limits
from engine.metrics import Metrics
from engine.stream.decoded import DecodedFrames, descriptor_of, is_slow
from engine.stream.flight import Flight, SingleFlight
from engine.stream.headers import Headers
from engine.stream.kept import Kept
from engine.stream.straight import StraightPictures
from engine.stream.video import is_stream, refuse_single_frames
from engine.stream.work import on_pool, quickly
from engine.types import Buffer, Timings

JPEG, PNG, GIF, WEBP = "image/jpeg", "image/png", "image/gif", "image/webp"
_CODED_BYTES, _CODED_MAX = 48 * MIB, 512  # one of a quarter of that is kept: a mammogram
_LITTLE_ENDIAN = (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A frame's bytes and what they are."""

    body: Buffer
    transfer_syntax_uid: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn over a picture before it is coded.

    Attributes
    ----------
    key : equal for equal drawings.
    draw : makes display values of display values (height, width[, 3]) and the region of the stored image that they show.
    """

    key: Hashable
    draw: Callable[[Array, Region], Array]


class FrameService:
    """Serves frames of one archive on one event loop. A cancelled await drops work that has not begun.

    Attributes
    ----------
    decoded, headers : what the last pictures were made of.
    coded : frames in other transfer syntaxes that were made last (`transcoding.recoded_frame`).
    flight : what is being made.
    """

    def __init__(self, archive: Archive, executors: Executors, limits: Limits, metrics: Metrics) -> None:
        self._archive, self._executors, self._limits = archive, executors, limits
        self.flight = SingleFlight()
        self.coded: Kept[bytes] = Kept(_CODED_BYTES, _CODED_MAX)
        self.decoded = DecodedFrames(archive, limits, metrics)
        self.headers = Headers(archive, limits)
        self._straight = StraightPictures(archive, limits, metrics)
        self._warming = self.is_warm = False

    async def stored(self, record: InstanceRecord, frame_index: int, timings: Timings) -> StoredFrame:
        """The frame as it was received; native pixels of any syntax but big endian are Explicit VR Little Endian frames.

        Raises
        ------
        NoPixels, FrameNotFound, CorruptInstance
        UnsupportedPixels : it is a video.
        """
        refuse_single_frames(record)
        with timings.step("read"):
            body = self._archive.frame_bytes(record, frame_index, cached_only=True)
        if body is None:
            body = await on_pool(self._executors.read, "read", timings, lambda: self.decoded.body(record, frame_index))
        uid = record.transfer_syntax_uid
        if uid == IMPLICIT_VR_LITTLE_ENDIAN or (
            record.frame_table and record.frame_table.kind is FrameTableKind.DEFLATED
        ):
            uid = EXPLICIT_VR_LITTLE_ENDIAN
        return StoredFrame(body, uid, lookup(uid).media_type)

    async def native(self, record: InstanceRecord, frame_index: int, timings: Timings) -> Buffer:
        """The frame as Explicit VR Little Endian pixel data: decoded only where the stored bytes are something else."""
        descriptor = descriptor_of(record)
        if is_native(record, frame_index):
            return (await self.stored(record, frame_index, timings)).body

        async def work() -> bytes:
            def from_rendition() -> bytes | None:
                decoded = self.decoded.rendition(record, frame_index, timings)
                return None if decoded is None else native_bytes(descriptor, decoded)

            if is_slow(record):
                native = await on_pool(self._executors.decode, "decode", timings, from_rendition)
                if native is not None:
                    return native
            body = (await self.stored(record, frame_index, timings)).body

            def decode() -> bytes:
                return native_bytes(descriptor, self.decoded.decode(record, frame_index, body))

            return await on_pool(self._executors.decode, "decode", timings, decode)

        return await self.flight.run((record.location, frame_index, "native"), work)

    async def rendered(
        self,
        record: InstanceRecord,
        frame_index: int,
        spec: RenderSpec,
        media_type: str,
        quality: int,
        timings: Timings,
        drawing: Drawing | None = None,
    ) -> bytes:
        """The frame as a JPEG, PNG, GIF or WebP picture.

        Parameters
        ----------
        drawing : on the decode thread, over everything else.

        Raises
        ------
        NoPixels, FrameNotFound, UnsupportedTransferSyntax, UnsupportedPixels, BadFrame, TooLarge, InvalidParameter,
        MalformedDataSet, CorruptInstance
        """
        flight = self.begin(record, frame_index, spec, media_type, quality, timings, drawing)
        try:
            return await asyncio.shield(flight.future)
        finally:
            self.leave(flight)

    def begin(
        self,
        record: InstanceRecord,
        frame_index: int,
        spec: RenderSpec,
        media_type: str,
        quality: int,
        timings: Timings,
        drawing: Drawing | None = None,
    ) -> Flight[bytes]:
        """As `rendered`, for who waits by a callback; `leave` it then.

        Raises
        ------
        NoPixels, UnsupportedTransferSyntax
            Everything else comes out of the future.
        """
        descriptor = descriptor_of(record)
        has_more = needs_header(descriptor, spec)

        def picture(body: Buffer | None, header: DisplayHeader | None) -> bytes | None:
            return self._picture(record, frame_index, spec, media_type, quality, timings, drawing, body, header)

        async def slowly(header: DisplayHeader | None) -> bytes:
            read, decode = self._executors.read, self._executors.decode
            if has_more and header is None:
                header = await on_pool(read, "read", timings, lambda: self.headers.read(record, descriptor))
            made = await on_pool(decode, "", timings, lambda: picture(None, header))
            if made is None:
                body = await on_pool(read, "read", timings, lambda: self.decoded.body(record, frame_index))
                made = await on_pool(decode, "", timings, lambda: picture(body, header))
            assert made is not None
            return made

        def begun() -> asyncio.Future[bytes]:
            # Bytes that the page cache has are read where they are decoded: one hop to a thread instead of two.
            header = self.headers.kept(record) if has_more else None
            if has_more and header is None:
                return asyncio.ensure_future(slowly(None))
            return quickly(self._executors.decode, timings, lambda: picture(None, header), lambda: slowly(header))

        key = (record.location, frame_index, spec, media_type, quality, None if drawing is None else drawing.key)
        return self.flight.join(key, begun)

    def leave(self, flight: Flight[bytes]) -> None:
        """Who has begun it waits no more."""
        self.flight.leave(flight)

    async def automatic_window(
        self, record: InstanceRecord, frame_index: int, spec: RenderSpec, timings: Timings
    ) -> Window | None:
        """The window that `rendered` makes of a frame's own pixels; None where something else says it, and of colours.

        Raises
        ------
        As `rendered`.
        """
        descriptor, header = descriptor_of(record), self.headers.kept(record)
        if not descriptor.is_monochrome or spec.window is not None:
            return None
        if header is None and needs_header(descriptor, spec):
            header = await on_pool(self._executors.read, "read", timings, lambda: self.headers.read(record, descriptor))
        by = reduction(descriptor, frame_index, spec, self._limits, header)
        decoded = self.decoded.kept(record, frame_index, by)
        body: Buffer | None = None
        if decoded is None and is_slow(record):
            decoded = await on_pool(
                self._executors.decode,
                "decode",
                timings,
                lambda: self.decoded.rendition(record, frame_index, timings, by),
            )
        if decoded is None and not is_stream(record):
            body = await on_pool(self._executors.read, "read", timings, lambda: self.decoded.body(record, frame_index))

        def found() -> Window | None:
            from engine.imaging.render import automatic_window

            frame = decoded or self.decoded.decode(record, frame_index, body, by)
            what = plan(descriptor, frame_index, frame.photometric_interpretation, spec, self._limits, header)
            return automatic_window(what, frame.stored_values, frame.reduce)

        return await on_pool(self._executors.decode, "decode", timings, found)

    def warm(self) -> None:
        """Load kernels and decoders on a thread, once, so that the first picture does not wait for them."""
        if self._warming:
            return
        self._warming = True

        def load() -> None:
            from engine.imaging.render import warmup

            load_codecs()
            warmup()
            self.is_warm = True

        threading.Thread(target=load, name="warmup", daemon=True).start()

    def _picture(
        self,
        record: InstanceRecord,
        frame_index: int,
        spec: RenderSpec,
        media_type: str,
        quality: int,
        timings: Timings,
        drawing: Drawing | None,
        body: Buffer | None,
        header: DisplayHeader | None,
    ) -> bytes | None:
        """On a decode thread. None: the bytes of the frame would have to come from the disk, and are not in `body`."""
        from engine.imaging.render import render  # numba: half a second and 70 MB, only where pictures are made

        descriptor = descriptor_of(record)
        if media_type == JPEG and body is None and drawing is None:
            with timings.step("render"):
                made = self._straight.jpeg(record, frame_index, spec, quality)
            if made is not None:
                return made
        by = reduction(descriptor, frame_index, spec, self._limits, header)
        decoded = self.decoded.kept(record, frame_index, by)
        if decoded is None:
            with timings.step("decode"):
                decoded = self.decoded.rendition(record, frame_index, timings, by)
        if decoded is None:
            if body is None and not is_stream(record):
                with timings.step("read"):
                    body = self._archive.frame_bytes(record, frame_index, cached_only=True)
                if body is None:
                    return None  # a slow disk must not hold up a decode
            with timings.step("decode"):
                decoded = self.decoded.decode(record, frame_index, body, by)
        with timings.step("render"):
            what = plan(descriptor, frame_index, decoded.photometric_interpretation, spec, self._limits, header)
            display = render(what, decoded.stored_values, decoded.reduce)
            profile = b""
            if spec.icc_profile is not IccProfile.NO and display.ndim == 3:
                own = header.icc_profile if header is not None and descriptor.has_icc_profile else b""
                display, profile = converted(display, own, spec.icc_profile)
            if spec.overlays and header is not None and descriptor.has_overlay:
                display = burned(display, self._overlays(record, frame_index, header), what.region)
            if drawing is not None:
                display = drawing.draw(display, what.region)
        with timings.step("encode"):
            return coded(display, media_type, quality, profile)

    def _overlays(self, record: InstanceRecord, frame_index: int, header: DisplayHeader) -> Mask:
        """The header's overlay planes; those inside the pixel cells are decoded for it."""
        descriptor = descriptor_of(record)
        cells = None
        if any(overlay.is_embedded for overlay in header.overlays) and descriptor.samples_per_pixel == 1:
            cells = self.decoded.cells(record, frame_index)
        return mask_of(header.overlays, frame_index, descriptor.rows, descriptor.columns, cells)


def coded(display_values: Array, media_type: str, quality: int, icc_profile: bytes = b"") -> bytes:
    """Display values as a picture, which carries the profile if there is one; a GIF cannot.

    Raises
    ------
    UnsupportedPixels : too large for this kind of picture.
    """
    if media_type == GIF:
        return encode_gif(display_values)
    if media_type == JPEG:
        made = encode_jpeg(display_values, quality)
    else:
        made = encode_webp(display_values, quality) if media_type == WEBP else encode_png(display_values)
    return with_profile(made, icc_profile) if icc_profile else made


def is_decodable(record: InstanceRecord) -> bool:
    """Whether `native` and `rendered` know its transfer syntax."""
    return record.transfer_syntax_uid in DECODERS


def is_shown(record: InstanceRecord) -> bool:
    """Whether `rendered` can be hoped to make a picture of its frames: of videos only where FFmpeg is installed."""
    return is_decodable(record) or (is_stream(record) and ffmpeg.is_installed())


def is_native(record: InstanceRecord, frame_index: int) -> bool:
    """Whether the stored bytes are what Explicit VR Little Endian holds for this header: planes, 4:2:2 and packed bits too."""
    assert record.frame_table is not None
    return (
        record.transfer_syntax_uid in _LITTLE_ENDIAN
        and record.frame_table.kind is not FrameTableKind.ENCAPSULATED
        and record.frame_table[frame_index].first_bit == 0
    )
