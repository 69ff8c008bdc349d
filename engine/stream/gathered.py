"""All that a picture with additions is made of, read on a thread that may wait for the disk; decoded where it is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.codec.base import DecodedFrame
from engine.dicom.caption import Caption
from engine.dicom.display import DisplayHeader
from engine.dicom.frame import FrameDescriptor
from engine.dicom.plane import Affine, Plane
from engine.dicom.presentation import FramePresentation, PresentationState
from engine.dicom.segmentation import Segmentation, SegmentationFrame
from engine.errors import InstanceNotFound, TooLarge, UnsupportedPresentation
from engine.imaging.plan import needs_header
from engine.imaging.spec import RenderSpec
from engine.limits import Limits
from engine.stream.decoded import DecodedFrames, descriptor_of
from engine.stream.headers import Headers
from engine.stream.parsed import Parsed
from engine.stream.video import is_stream
from engine.types import Buffer, Location

_LOOKED_AT_MAX = 2000  # frames whose places are compared with the shown one's; each is a read the first time


@dataclass(frozen=True, slots=True)
class SegmentLayer:
    """The frames of one segmentation that lie over the shown frame."""

    record: InstanceRecord
    segmentation: Segmentation
    frames: tuple[SegmentationFrame, ...]


@dataclass(frozen=True, slots=True)
class Above:
    """The frame that a blending state lays over the shown one, and where: `matrix` makes its pixels of the shown one's."""

    record: InstanceRecord
    frame_index: int
    state: FramePresentation
    matrix: Affine


@dataclass(slots=True, kw_only=True)
class Gathered:
    """What was read for one frame of an image.

    Attributes
    ----------
    frame : what the presentation state says of it; None without one.
    plane : where it is in the patient; None: not known, or not asked for.
    caption : lines for the corners.
    bodies : stored bytes of frames that are not kept decoded; None: a video, which is read as it is decoded.
    header : of the shown frame's instance, where it is needed.
    """

    record: InstanceRecord
    frame_index: int
    frame: FramePresentation | None = None
    plane: Plane | None = None
    caption: Caption | None = None
    header: DisplayHeader | None = None
    layers: tuple[SegmentLayer, ...] = ()
    opacity: float = 1.0
    above: Above | None = None
    bodies: dict[tuple[Location, int], Buffer | None] = field(default_factory=dict)

    def decoded(self, frames: DecodedFrames, record: InstanceRecord, frame_index: int) -> DecodedFrame:
        kept = frames.kept(record, frame_index) or frames.rendition(record, frame_index)
        if kept is not None:
            return kept
        key = (record.location, frame_index)
        if key not in self.bodies and not is_stream(record):
            self.bodies[key] = frames.body(record, frame_index)  # it was kept a moment ago
        return frames.decode(record, frame_index, self.bodies.get(key))


class Gatherer:
    """Reads for one archive; any thread that may wait."""

    def __init__(
        self, archive: Archive, frames: DecodedFrames, headers: Headers, parsed: Parsed, limits: Limits
    ) -> None:
        self._archive, self._frames, self._headers, self._parsed = archive, frames, headers, parsed
        self._limits = limits

    def gather(self, found: Gathered, state: PresentationState | None) -> Gathered:
        """Add what has to be read: bodies, the header, the frame above.

        Raises
        ------
        NoPixels, FrameNotFound, InstanceNotFound, CorruptInstance, MalformedDataSet, TooLarge, UnsupportedPresentation
        """
        record, frame = found.record, found.frame
        wanted = [(layer.record, one.index) for layer in found.layers for one in layer.frames]
        if state is not None and frame is not None:
            wanted.append((record, found.frame_index))
            descriptor = descriptor_of(record)
            has_overlays = any(content.image_overlay_groups for content in frame.layers) and descriptor.has_overlay
            if has_overlays or needs_header(descriptor, RenderSpec()):
                found.header = self._header(record, descriptor)
            assert record.frame_table is not None
            wanted += [(record, number - 1) for number in frame.mask_frames(len(record.frame_table))]
            if state.superimposed and not frame.is_superimposed:
                found.above = self._above(state, record, found.frame_index)
                if found.above is not None:
                    wanted.append((found.above.record, found.above.frame_index))
        for one, index in wanted:
            if self._frames.kept(one, index) is None:
                found.bodies[one.location, index] = None if is_stream(one) else self._frames.body(one, index)
        return found

    def _header(self, record: InstanceRecord, descriptor: FrameDescriptor) -> DisplayHeader:
        return self._headers.kept(record) or self._headers.read(record, descriptor)

    def _above(self, state: PresentationState, record: InstanceRecord, frame_index: int) -> Above | None:
        """The superimposed frame in the shown one's plane; None where the other set does not reach.

        Both sets are usually listed in slice order, so the search goes outwards from where it should be.
        """
        plane = self._parsed.planes_now(record)[frame_index]
        if plane is None:
            raise UnsupportedPresentation("blending of an image without a place in the patient")
        shown, others = list(state.shown), list(state.superimposed)
        at = next((i for i, r in enumerate(shown) if r.covers(record.sop_instance_uid, frame_index + 1)), 0)
        at = at * len(others) // max(len(shown), 1)
        looked_at = 0
        missing: InstanceNotFound | None = None
        for place in sorted(range(len(others)), key=lambda i: abs(i - at)):
            reference = others[place]
            try:
                other = self._archive.instance(reference.sop_instance_uid)
            except InstanceNotFound as error:
                missing = missing or error
                continue
            planes = self._parsed.planes_now(other)
            for number in reference.frame_numbers or range(1, len(planes) + 1):
                looked_at += 1
                if looked_at > _LOOKED_AT_MAX:
                    raise TooLarge("the number of superimposed frames", looked_at, _LOOKED_AT_MAX, "two thousand")
                there = planes[number - 1] if number <= len(planes) else None
                if there is not None and plane.is_same(there):
                    presentation = state.for_frame(other.sop_instance_uid, number)
                    assert presentation is not None
                    return Above(other, number - 1, presentation, plane.index_in(there))
        if missing is not None:
            raise missing  # nothing over an image must not mean that something is not here
        return None
