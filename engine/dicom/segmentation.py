"""A segmentation: its segments, and which of its frames belong over which frame of an image (PS3.3 A.51, C.8.20)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from engine.dicom import attributes as at
from engine.dicom.colour import Rgb, rgb_of_cielab
from engine.dicom.plane import Plane, plane_from_dataset
from engine.errors import MalformedDataSet, TooLarge, UnsupportedPresentation
from engine.limits import Limits

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SEGMENTATION, LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"

# For segments without a recommended colour, by their number: light, far apart, and told apart by the colour-blind
# (M. Okabe and K. Ito), then the same darker.
FALLBACK_COLOURS: tuple[Rgb, ...] = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167),
    (153, 106, 0), (57, 120, 155), (0, 105, 77), (160, 152, 44), (0, 76, 119), (142, 63, 0), (136, 81, 111),
)  # fmt: skip
_SEGMENTS_MAX = 1 << 16  # Segment Number is US


def is_segmentation(sop_class_uid: str) -> bool:
    return sop_class_uid in (SEGMENTATION, LABEL_MAP_SEGMENTATION)


class SegmentationType(StrEnum):
    """Segmentation Type (0062,0001)."""

    BINARY = "BINARY"
    FRACTIONAL = "FRACTIONAL"
    LABELMAP = "LABELMAP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment; in a label map its number is the value of its pixels."""

    number: int
    label: str = ""
    rgb: Rgb = (255, 255, 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationFrame:
    """One frame of a segmentation.

    Attributes
    ----------
    index : of the frame, from 0.
    segment_number : that it is of; 0 in a label map, whose frames hold all segments.
    sources : (SOP instance, its frame numbers or none for all) that it was made from.
    plane : None where the header does not say.
    """

    index: int
    segment_number: int
    sources: tuple[tuple[str, tuple[int, ...]], ...] = ()
    plane: Plane | None = None

    def names(self, sop_instance_uid: str, frame_number: int) -> bool:
        return any(uid == sop_instance_uid and (not n or frame_number in n) for uid, n in self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """A segmentation's description, without its pixels.

    Attributes
    ----------
    full_value : Maximum Fractional Value (0062,000E): the pixel value that is all of a pixel; 1 where it is not FRACTIONAL.
    background : value of a label map's pixels that are no segment.
    """

    sop_instance_uid: str
    type: SegmentationType
    rows: int
    columns: int
    segments: tuple[Segment, ...]
    frames: tuple[SegmentationFrame, ...]
    full_value: int = 1
    background: int = 0
    sources: frozenset[str] = field(default_factory=frozenset)

    def frames_over(
        self, sop_instance_uid: str, frame_number: int, plane: Plane | None, rows: int, columns: int
    ) -> tuple[SegmentationFrame, ...]:
        """The frames that are shown over one frame of an image.

        For an image that the segmentation names among its sources, those frames that name it; for any other, those that
        lie in the same plane of the same frame of reference (`Plane.is_same`). A frame that names the image and lies
        elsewhere in the patient is not shown: one of the two is wrong.

        Parameters
        ----------
        plane, rows, columns : of the image's frame.

        Raises
        ------
        UnsupportedPresentation : a frame is named, but how its pixels lie over the image's cannot be known.
        """
        is_source = sop_instance_uid in self.sources
        found = []
        for frame in self.frames:
            if is_source and not frame.names(sop_instance_uid, frame_number):
                continue
            if plane is not None and frame.plane is not None and _is_comparable(plane, frame.plane):
                if plane.is_same(frame.plane):
                    found.append(frame)
            elif is_source:
                if (rows, columns) != (self.rows, self.columns):
                    raise UnsupportedPresentation(
                        f"a segmentation of {self.columns}×{self.rows} pixels over an image of {columns}×{rows} "
                        "without a common frame of reference"
                    )
                found.append(frame)
        return tuple(found)

    def concerns(self, sop_instance_uid: str, plane: Plane | None) -> bool:
        """Whether the image is one that was segmented, or lies in the same frame of reference: then no frame is an answer."""
        if sop_instance_uid in self.sources:
            return True
        return plane is not None and any(f.plane is not None and _is_comparable(plane, f.plane) for f in self.frames)

    def colour_of(self, segment_number: int) -> Rgb:
        return next((s.rgb for s in self.segments if s.number == segment_number), fallback_colour(segment_number))


def fallback_colour(segment_number: int) -> Rgb:
    return FALLBACK_COLOURS[(segment_number - 1) % len(FALLBACK_COLOURS)]


def read_segmentation(ds: Dataset, limits: Limits) -> Segmentation:
    """Read a Segmentation or Label Map Segmentation; its pixels are not looked at.

    Raises
    ------
    UnsupportedPresentation : it is no segmentation, or one without a patient (a height map).
    MalformedDataSet, TooLarge
    """
    uid = at.text(ds, "SOPClassUID")
    if not is_segmentation(uid):
        raise UnsupportedPresentation(f"SOP class {uid or 'unknown'} is no segmentation")
    name = at.text(ds, "SegmentationType")
    if name not in SegmentationType.__members__:
        raise UnsupportedPresentation(f"a segmentation of type {name or 'unknown'}")
    kind = SegmentationType(name)
    rows, columns = (at.integers(ds, keyword, 1) or (0,) for keyword in ("Rows", "Columns"))
    count = int(at.number(ds, "NumberOfFrames") or 1)
    groups = at.items(ds, "PerFrameFunctionalGroupsSequence", limits.frames_max, "limits.frames_max")
    if count > len(groups):
        raise MalformedDataSet(f"{count} frames, but functional groups for {len(groups)}")
    full = int(at.number(ds, "MaximumFractionalValue") or 255) if kind is SegmentationType.FRACTIONAL else 1
    if not 0 < full <= 0xFFFF:
        raise MalformedDataSet(f"a Maximum Fractional Value of {full}")
    padding = at.number(ds, "PixelPaddingValue")
    frames = tuple(_frame(ds, groups[index], index, kind) for index in range(count))
    return Segmentation(
        sop_instance_uid=at.text(ds, "SOPInstanceUID"),
        type=kind,
        rows=rows[0],
        columns=columns[0],
        segments=_segments(ds),
        frames=frames,
        full_value=full,
        background=0 if padding is None else int(padding),
        sources=frozenset(uid for frame in frames for uid, _ in frame.sources),
    )


def _segments(ds: Dataset) -> tuple[Segment, ...]:
    found = []
    for item in at.items(ds, "SegmentSequence", _SEGMENTS_MAX, "numbers of 16 bits"):
        number, lab = at.number(item, "SegmentNumber"), at.triplet(item, "RecommendedDisplayCIELabValue")
        if number is None:
            raise MalformedDataSet("a segment without a number")
        rgb = fallback_colour(int(number)) if lab is None else rgb_of_cielab(lab)
        found.append(Segment(number=int(number), label=at.text(item, "SegmentLabel"), rgb=rgb))
    return tuple(found)


def _frame(ds: Dataset, group: Dataset, index: int, kind: SegmentationType) -> SegmentationFrame:
    number = 0
    if kind is not SegmentationType.LABELMAP:
        shared = (at.value(ds, "SharedFunctionalGroupsSequence") or [])[:1]
        for place in (group, *shared):
            for item in (at.value(place, "SegmentIdentificationSequence") or [])[:1]:
                number = number or int(at.number(item, "ReferencedSegmentNumber") or 0)
        if number < 1:
            raise MalformedDataSet(f"frame {index + 1} of a segmentation is of no segment")
    sources = []
    for derivation in at.value(group, "DerivationImageSequence") or []:
        for source in at.value(derivation, "SourceImageSequence") or []:
            uid = at.text(source, "ReferencedSOPInstanceUID")
            # Pixels that were moved lie where the plane says, or nobody knows where.
            if uid and at.text(source, "SpatialLocationsPreserved") != "NO":
                sources.append((uid, at.integers(source, "ReferencedFrameNumber")))
    return SegmentationFrame(
        index=index, segment_number=number, sources=tuple(sources), plane=plane_from_dataset(ds, index)
    )


def _is_comparable(a: Plane, b: Plane) -> bool:
    return bool(a.frame_of_reference_uid) and a.frame_of_reference_uid == b.frame_of_reference_uid


def check_shown(count: int, limits: Limits) -> None:
    """How many segments are blended over one image, against its limit.

    Raises
    ------
    TooLarge
    """
    if count > limits.segments_shown_max:
        raise TooLarge("the number of segments", count, limits.segments_shown_max, "limits.segments_shown_max")
