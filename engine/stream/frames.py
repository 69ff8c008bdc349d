"""One frame as it is stored, as native pixels, or rendered; each step on its executor, with its time taken."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.codec.base import Array, DecodedFrame
from engine.codec.encode import encode_jpeg, encode_png, load_codecs
from engine.codec.icc import converted, with_profile
from engine.codec.native import native_bytes
from engine.codec.registry import DECODERS, decode_frame
from engine.dicom.display import DisplayHeader
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import FrameTableKind
from engine.dicom.transfer_syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    lookup,
)
from engine.executors import Executors
from engine.imaging.overlay import burned, mask_of
from engine.imaging.plan import needs_header, plan, reduction
from engine.imaging.size import Region
from engine.imaging.spec import IccProfile, RenderSpec
from engine.limits import MIB, Limits
from engine.metrics import Metrics
from engine.stream.flight import SingleFlight
from engine.stream.headers import Headers
from engine.stream.video import is_stream, refuse_single_frames, still, without_pixels
from engine.stream.work import on_pool
from engine.types import Buffer, Timings

# Some hundred CT slices: a drag with the mouse re-windows the same few frames.
_CACHE_BYTES = 64 * MIB
JPEG, PNG = "image/jpeg", "image/png"
_LITTLE_ENDIAN = (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A frame's bytes and what they are."""

    body: Buffer
    transfer_syntax_uid: str
    media_type: str


class FrameService:
    """Serves frames of one archive on one event loop. A cancelled await drops work that has not begun."""

    def __init__(self, archive: Archive, executors: Executors, limits: Limits, metrics: Metrics) -> None:
        self._archive, self._executors, self._limits, self._metrics = archive, executors, limits, metrics
        self._flight = SingleFlight()
        self._cache = _DecodedCache(_CACHE_BYTES)
        self._headers = Headers(archive, limits)
        self._warming = False

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
            body = await on_pool(self._executors.read, "read", timings, lambda: self._read(record, frame_index))
        uid = record.transfer_syntax_uid
        if uid == IMPLICIT_VR_LITTLE_ENDIAN or (
            record.frame_table and record.frame_table.kind is FrameTableKind.DEFLATED
        ):
            uid = EXPLICIT_VR_LITTLE_ENDIAN
        return StoredFrame(body, uid, lookup(uid).media_type)

    async def native(self, record: InstanceRecord, frame_index: int, timings: Timings) -> Buffer:
        """The frame as Explicit VR Little Endian pixel data: decoded only where the stored bytes are something else."""
        descriptor = _descriptor(record)
        if is_native(record, frame_index):
            return (await self.stored(record, frame_index, timings)).body

        async def work() -> bytes:
            body = (await self.stored(record, frame_index, timings)).body

            def decode() -> bytes:
                return native_bytes(descriptor, self._decoded(record, descriptor, frame_index, body))

            return await on_pool(self._executors.decode, "decode", timings, decode)

        return await self._flight.run((record.location, frame_index, "native"), work)

    async def rendered(
        self,
        record: InstanceRecord,
        frame_index: int,
        spec: RenderSpec,
        media_type: str,
        quality: int,
        timings: Timings,
    ) -> bytes:
        """The frame as a JPEG or PNG picture.

        Raises
        ------
        NoPixels, FrameNotFound, UnsupportedTransferSyntax, UnsupportedPixels, BadFrame, TooLarge, InvalidParameter,
        MalformedDataSet, CorruptInstance
        """
        descriptor = _descriptor(record)
        has_more = needs_header(descriptor, spec)

        async def work() -> bytes:
            # Bytes that the page cache has are read where they are decoded: one hop to a thread instead of two.
            header = self._headers.kept(record) if has_more else None
            if has_more and header is None:
                header = await on_pool(
                    self._executors.read, "read", timings, lambda: self._headers.read(record, descriptor)
                )
            made = await on_pool(self._executors.decode, "", timings, lambda: picture(None, header))
            if made is None:
                body = await on_pool(self._executors.read, "read", timings, lambda: self._read(record, frame_index))
                made = await on_pool(self._executors.decode, "", timings, lambda: picture(body, header))
            assert made is not None
            return made

        def picture(body: Buffer | None, header: DisplayHeader | None) -> bytes | None:
            from engine.imaging.render import render  # numba: half a second and 70 MB, only where pictures are made

            by = reduction(descriptor, frame_index, spec, self._limits, header)
            decoded = self._cached(record, frame_index, by)
            if decoded is not None:
                self._metrics.add("frame_cache_hits")
            else:
                if body is None and not is_stream(record):
                    with timings.step("read"):
                        body = self._archive.frame_bytes(record, frame_index, cached_only=True)
                    if body is None:
                        return None  # a slow disk must not hold up a decode
                with timings.step("decode"):
                    decoded = self._decoded(record, descriptor, frame_index, body, by)
            with timings.step("render"):
                what = plan(descriptor, frame_index, decoded.photometric_interpretation, spec, self._limits, header)
                display = render(what, decoded.stored_values, decoded.reduce)
                profile = b""
                if spec.icc_profile is not IccProfile.NO and display.ndim == 3:
                    own = header.icc_profile if header is not None and descriptor.has_icc_profile else b""
                    display, profile = converted(display, own, spec.icc_profile)
                if spec.overlays and header is not None and descriptor.has_overlay:
                    display = self._overlaid(record, descriptor, frame_index, display, what.region, header)
            with timings.step("encode"):
                made = encode_jpeg(display, quality) if media_type == JPEG else encode_png(display)
                return with_profile(made, profile) if profile else made

        return await self._flight.run((record.location, frame_index, spec, media_type, quality), work)

    def warm(self) -> None:
        """Load kernels and decoders on a thread, once, so that the first picture does not wait for them."""
        if self._warming:
            return
        self._warming = True

        def load() -> None:
            from engine.imaging.render import warmup

            load_codecs()
            warmup()

        threading.Thread(target=load, name="warmup", daemon=True).start()

    def _overlaid(
        self,
        record: InstanceRecord,
        descriptor: FrameDescriptor,
        frame_index: int,
        display: Array,
        region: Region,
        header: DisplayHeader,
    ) -> Array:
        """The picture with the header's overlay planes; those inside the pixel cells are decoded for it."""
        cells = None
        if any(overlay.is_embedded for overlay in header.overlays) and descriptor.samples_per_pixel == 1:
            assert record.frame_table is not None
            bits = descriptor.bits_allocated
            whole = replace(descriptor, bits_stored=bits, high_bit=bits - 1, pixel_representation=0)
            first_bit = record.frame_table[frame_index].first_bit
            body = self._read(record, frame_index)
            cells = decode_frame(whole, body, self._limits, first_bit=first_bit).stored_values
        mask = mask_of(header.overlays, frame_index, descriptor.rows, descriptor.columns, cells)
        return burned(display, mask, region)

    def _read(self, record: InstanceRecord, frame_index: int) -> Buffer:
        body = self._archive.frame_bytes(record, frame_index)
        assert body is not None
        return body

    def _cached(self, record: InstanceRecord, frame_index: int, by: int) -> DecodedFrame | None:
        """The whole frame, which serves every size, or the one that was decoded for this one."""
        whole = self._cache.get((record.location, frame_index, 0))
        return whole if whole is not None or not by else self._cache.get((record.location, frame_index, by))

    def _decoded(
        self, record: InstanceRecord, descriptor: FrameDescriptor, frame_index: int, body: Buffer | None, by: int = 0
    ) -> DecodedFrame:
        """Decode at 1/2**by of the size, where the code stream has that; whole otherwise (`DecodedFrame.reduce` says)."""
        assert record.frame_table is not None
        if body is None:  # a video, which is read as far as that takes
            decoded = still(self._archive, record, descriptor, frame_index, self._limits)
        else:
            first_bit = record.frame_table[frame_index].first_bit
            decoded = decode_frame(descriptor, body, self._limits, first_bit=first_bit, reduce=by)
        self._metrics.add("frames_decoded")
        if record.frame_table.kind is not FrameTableKind.NATIVE:
            # Native pixels come from the page cache as quickly as from here, and would push out what was dear to decode.
            self._cache.put((record.location, frame_index, decoded.reduce), decoded)
        return decoded


def _descriptor(record: InstanceRecord) -> FrameDescriptor:
    if record.frame_descriptor is None or record.frame_table is None:
        raise without_pixels(record)
    return record.frame_descriptor


def is_decodable(record: InstanceRecord) -> bool:
    """Whether `native` and `rendered` know its transfer syntax."""
    return record.transfer_syntax_uid in DECODERS


def is_native(record: InstanceRecord, frame_index: int) -> bool:
    """Whether the stored bytes are what Explicit VR Little Endian holds for this header: planes, 4:2:2 and packed bits too."""
    assert record.frame_table is not None
    return (
        record.transfer_syntax_uid in _LITTLE_ENDIAN
        and record.frame_table.kind is not FrameTableKind.ENCAPSULATED
        and record.frame_table[frame_index].first_bit == 0
    )


class _DecodedCache:
    """Decoded frames, the least recently used leave first; any thread."""

    def __init__(self, bytes_max: int) -> None:
        self._frames: OrderedDict[object, DecodedFrame] = OrderedDict()
        self._bytes, self._bytes_max = 0, bytes_max
        self._lock = threading.Lock()

    def get(self, key: object) -> DecodedFrame | None:
        with self._lock:
            frame = self._frames.get(key)
            if frame is not None:
                self._frames.move_to_end(key)
            return frame

    def put(self, key: object, frame: DecodedFrame) -> None:
        size = frame.stored_values.nbytes
        if size > self._bytes_max // 4:
            return
        with self._lock:
            old = self._frames.pop(key, None)
            self._bytes += size - (old.stored_values.nbytes if old is not None else 0)
            self._frames[key] = frame
            while self._bytes > self._bytes_max:
                _, gone = self._frames.popitem(last=False)
                self._bytes -= gone.stored_values.nbytes
