"""Pictures through a presentation state, under segmentations, with captions (PS3.18 8.3.5, 10.4.1.1.3; PS3.4 N.2)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.codec.base import Array
from engine.codec.icc import converted
from engine.dicom.caption import CaptionKind, caption_of
from engine.dicom.presentation import PresentationState, StateKind
from engine.errors import FrameNotFound, InvalidParameter, MalformedDataSet, TooLarge
from engine.executors import Executors
from engine.imaging.size import Region
from engine.imaging.spec import IccProfile, RenderSpec
from engine.limits import Limits
from engine.stream.decoded import descriptor_of
from engine.stream.flight import SingleFlight
from engine.stream.frames import Drawing, FrameService, coded
from engine.stream.gathered import Gathered, Gatherer, SegmentLayer
from engine.stream.parsed import Parsed
from engine.stream.work import on_pool
from engine.types import Timings

SEGMENT_OPACITY = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Additions:
    """What is asked for besides the image.

    Attributes
    ----------
    state : the presentation state that the image is shown through.
    segmentations : shown over the image, later ones above.
    opacity : of segments, 0 to 1.
    captions : what is written into the corners.
    """

    state: InstanceRecord | None = None
    segmentations: tuple[InstanceRecord, ...] = ()
    opacity: float = SEGMENT_OPACITY
    captions: tuple[CaptionKind, ...] = ()

    def __bool__(self) -> bool:
        return self.state is not None or bool(self.segmentations) or bool(self.captions)

    @property
    def is_of_named_bytes(self) -> bool:
        """Whether `identity` and the image decide the picture: a blending state also shows another image, found by its place."""
        return self.state is None or self.state.sop_class_uid != StateKind.BLENDING

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for additions that give equal pictures: by the bytes of what is added."""
        shas = tuple("" if r is None else r.data_set_sha256.hex() for r in (self.state, *self.segmentations))
        return shas, self.opacity if self.segmentations else 0, tuple(sorted(set(self.captions)))


class PresentedService:
    """Serves pictures with additions on one event loop; a plain picture never comes here.

    Reading waits on the read pool, decoding and drawing are one piece of work on the decode pool.
    """

    def __init__(self, archive: Archive, frames: FrameService, executors: Executors, limits: Limits) -> None:
        self._archive, self._frames, self._executors, self._limits = archive, frames, executors, limits
        self._flight = SingleFlight()
        self._parsed = Parsed(archive, executors, limits)
        self._gatherer = Gatherer(archive, frames.decoded, frames.headers, self._parsed, limits)

    async def shown_by(self, state: InstanceRecord, timings: Timings) -> list[tuple[InstanceRecord, int]]:
        """The frames that a presentation state is for, in the order of its references: image and frame index.

        A reference to an image without frame numbers is for all of its frames (PS3.3 table 10-3).

        Raises
        ------
        UnsupportedPresentation, InstanceNotFound, FrameNotFound, NoPixels, TooLarge, MalformedDataSet, CorruptInstance
        """
        parsed = await self._parsed.state(state, timings)
        found: list[tuple[InstanceRecord, int]] = []
        limit = self._limits.frames_per_request_max
        for reference in parsed.shown:
            image = self._archive.instance(reference.sop_instance_uid, _study_of(state, parsed))
            descriptor_of(image)
            assert image.frame_table is not None
            count = len(image.frame_table)
            for number in reference.frame_numbers or range(1, count + 1):
                if not 1 <= number <= count:
                    raise FrameNotFound(image.sop_instance_uid, number, count)
                if len(found) >= limit:
                    raise TooLarge("the number of frames", len(found) + 1, limit, "limits.frames_per_request_max")
                found.append((image, number - 1))
        if not found:
            raise MalformedDataSet("a presentation state that refers to no image")
        return found

    async def rendered(
        self,
        record: InstanceRecord,
        frame_index: int,
        spec: RenderSpec,
        additions: Additions,
        media_type: str,
        quality: int,
        timings: Timings,
    ) -> bytes:
        """A frame as a picture with its additions.

        Parameters
        ----------
        spec : beside a presentation state, of which the image is shown as it says, only the size and the profile count.

        Raises
        ------
        InvalidParameter : the state does not name this frame, or a segmentation has nothing to do with the image.
        UnsupportedPresentation, NoPixels, FrameNotFound, InstanceNotFound, UnsupportedTransferSyntax, UnsupportedPixels,
        BadFrame, TooLarge, MalformedDataSet, CorruptInstance
        """
        key = (record.location, frame_index, spec, additions.identity, media_type, quality)

        async def work() -> bytes:
            found, state = await self._asked(record, frame_index, additions, timings)
            pools = self._executors
            await on_pool(pools.read, "read", timings, lambda: self._gatherer.gather(found, state))
            if state is None:
                drawing = Drawing(additions.identity, lambda display, region: self._over(found, display, region))
                return await self._frames.rendered(record, frame_index, spec, media_type, quality, timings, drawing)
            return await on_pool(
                pools.decode, "", timings, lambda: self._through_state(found, spec, media_type, quality, timings)
            )

        return await self._flight.run(key, work)

    async def segments(
        self,
        record: InstanceRecord,
        frame_index: int,
        spec: RenderSpec,
        media_type: str,
        quality: int,
        timings: Timings,
    ) -> bytes:
        """One frame of a segmentation in the colours of its segments, on black."""
        segmentation = await self._parsed.segmentation(record, timings)
        layer = SegmentLayer(record, segmentation, segmentation.frames[frame_index : frame_index + 1])
        found = Gathered(record=record, frame_index=frame_index, layers=(layer,))
        drawing = Drawing("segments", lambda display, region: self._over(found, display * 0, region))
        return await self._frames.rendered(record, frame_index, spec, media_type, quality, timings, drawing)

    async def _asked(
        self, record: InstanceRecord, frame_index: int, additions: Additions, timings: Timings
    ) -> tuple[Gathered, PresentationState | None]:
        """What the additions say of this frame."""
        found = Gathered(record=record, frame_index=frame_index, opacity=additions.opacity)
        number, state = frame_index + 1, None
        if additions.state is not None:
            state = await self._parsed.state(additions.state, timings)
            if record.study_instance_uid == (_study_of(additions.state, state) or record.study_instance_uid):
                found.frame = state.for_frame(record.sop_instance_uid, number)
            if found.frame is None:
                uid = additions.state.sop_instance_uid
                raise InvalidParameter("presentationUID", uid, "a presentation state of this frame and its study")
        if additions.segmentations or CaptionKind.TECHNIQUE in additions.captions:
            found.plane = (await self._parsed.planes(record, timings))[frame_index]
        layers = [await self._layer(one, found, timings) for one in additions.segmentations]
        found.layers = tuple(layers)
        if additions.captions:
            document = await self._parsed.document(record, timings)
            assert record.frame_table is not None
            found.caption = caption_of(document, additions.captions, number, len(record.frame_table), found.plane)
        return found, state

    async def _layer(self, one: InstanceRecord, found: Gathered, timings: Timings) -> SegmentLayer:
        segmentation, image = await self._parsed.segmentation(one, timings), descriptor_of(found.record)
        uid, plane = found.record.sop_instance_uid, found.plane
        frames = segmentation.frames_over(uid, found.frame_index + 1, plane, image.rows, image.columns)
        if not frames and not segmentation.concerns(uid, plane):
            expected = "a segmentation of this image, or in its frame of reference"
            raise InvalidParameter("segmentation", one.sop_instance_uid, expected)
        return SegmentLayer(one, segmentation, frames)

    def _through_state(
        self, found: Gathered, spec: RenderSpec, media_type: str, quality: int, timings: Timings
    ) -> bytes:
        from engine.stream.drawn import through_state  # Pillow and numba, only where pictures are made

        display = through_state(found, self._frames.decoded, (spec.width, spec.height), self._limits, timings)
        profile = b""
        if spec.icc_profile is not IccProfile.NO and display.ndim == 3:
            display, profile = converted(display, b"", spec.icc_profile)  # what is drawn is in sRGB
        with timings.step("encode"):
            return coded(display, media_type, quality, profile)

    def _over(self, found: Gathered, display: Array, region: Region) -> Array:
        from engine.stream.drawn import over_plain

        return over_plain(found, self._frames.decoded, display, region, self._limits)


def _study_of(state: InstanceRecord, parsed: PresentationState) -> str:
    """The study that a state's images are in: its own (PS3.3 C.11.11); empty: blended ones may be in any."""
    return "" if parsed.kind is StateKind.BLENDING else state.study_instance_uid
