"""Where the pixels of an image are in the patient, and where they are in another image of the same plane (PS3.3 C.7.6.2.1.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from engine.dicom import attributes as at

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Vector: TypeAlias = tuple[float, float, float]
Affine: TypeAlias = tuple[tuple[float, float, float], tuple[float, float, float]]

# Two planes are one when their normals differ by less than 0.08 degrees and they lie this near to each other: writers
# round positions to a tenth of a millimetre, and the thinnest slices are 0.2 mm apart.
ANGLE_COSINE_MIN = 1.0 - 1e-6
DISTANCE_MAX_MM = 0.1
# What `plane_from_dataset` reads: Frame of Reference UID, position, orientation, spacing, functional groups.
PLANE_TAGS = (0x00080005, 0x00200032, 0x00200037, 0x00200052, 0x00280030, 0x52009229, 0x52009230)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """One frame's grid of pixels in its frame of reference.

    Attributes
    ----------
    position : of the centre of the first pixel, in mm.
    row, column : unit vectors along a row (to the next column) and along a column (to the next row).
    spacing : (row spacing, column spacing) in mm, as in Pixel Spacing (0028,0030): down, across.
    """

    frame_of_reference_uid: str
    position: Vector
    row: Vector
    column: Vector
    spacing: tuple[float, float]

    @property
    def normal(self) -> Vector:
        (rx, ry, rz), (cx, cy, cz) = self.row, self.column
        return ry * cz - rz * cy, rz * cx - rx * cz, rx * cy - ry * cx

    def distance(self, other: Plane) -> float:
        """Of the other plane's first pixel from this plane, in mm."""
        return abs(dot(self.normal, minus(other.position, self.position)))

    def is_same(self, other: Plane) -> bool:
        """In one frame of reference, parallel, and no further apart than `DISTANCE_MAX_MM`."""
        return (
            bool(self.frame_of_reference_uid)
            and self.frame_of_reference_uid == other.frame_of_reference_uid
            and abs(dot(self.normal, other.normal)) >= ANGLE_COSINE_MIN
            and self.distance(other) <= DISTANCE_MAX_MM
        )

    def index_in(self, other: Plane) -> Affine:
        """The rows of a matrix that makes (column, row, 1) of `other`'s pixel grid of this one's; both from 0, centres whole."""
        start = minus(self.position, other.position)
        step_x = scaled(self.row, self.spacing[1])
        step_y = scaled(self.column, self.spacing[0])
        rows = []
        for direction, size in ((other.row, other.spacing[1]), (other.column, other.spacing[0])):
            rows.append(tuple(dot(vector, direction) / size for vector in (step_x, step_y, start)))
        return rows[0], rows[1]  # type: ignore[return-value]


def plane_of(
    frame_of_reference_uid: str,
    position: tuple[float, ...],
    orientation: tuple[float, ...],
    spacing: tuple[float, ...],
) -> Plane | None:
    """A plane from the values of a header; None where they are missing, impossible or not at right angles."""
    values = (*position, *orientation, *spacing)
    if (len(position), len(orientation), len(spacing)) != (3, 6, 2) or not all(map(math.isfinite, values)):
        return None
    row, column = orientation[:3], orientation[3:]
    lengths = math.hypot(*row), math.hypot(*column)
    if min(lengths) < 0.5 or min(spacing) <= 0:
        return None
    row, column = tuple(v / lengths[0] for v in row), tuple(v / lengths[1] for v in column)
    if abs(sum(a * b for a, b in zip(row, column, strict=True))) > 1e-3:
        return None
    return Plane(
        frame_of_reference_uid=frame_of_reference_uid,
        position=(position[0], position[1], position[2]),
        row=(row[0], row[1], row[2]),
        column=(column[0], column[1], column[2]),
        spacing=(spacing[0], spacing[1]),
    )


def dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def minus(a: Vector, b: Vector) -> Vector:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def scaled(a: Vector, by: float) -> Vector:
    return a[0] * by, a[1] * by, a[2] * by


def plane_from_dataset(ds: Dataset, frame_index: int) -> Plane | None:
    """Where one frame of an image or segmentation is: by its own functional groups, those of all, or the data set itself.

    Raises
    ------
    MalformedDataSet : values that are no numbers.
    """
    per_frame = at.value(ds, "PerFrameFunctionalGroupsSequence") or []
    shared = at.value(ds, "SharedFunctionalGroupsSequence") or []
    places = [*per_frame[frame_index : frame_index + 1], *shared[:1]]

    def found(sequence: str, keyword: str) -> tuple[float, ...]:
        for group in places:
            for item in (at.value(group, sequence) or [])[:1]:
                return at.numbers(item, keyword)
        return at.numbers(ds, keyword)

    return plane_of(
        at.text(ds, "FrameOfReferenceUID"),
        found("PlanePositionSequence", "ImagePositionPatient"),
        found("PlaneOrientationSequence", "ImageOrientationPatient"),
        found("PixelMeasuresSequence", "PixelSpacing"),
    )


def planes_from_dataset(ds: Dataset, number_of_frames: int) -> tuple[Plane | None, ...]:
    """Where each frame is; the same for all where the frames have no groups of their own.

    Raises
    ------
    MalformedDataSet
    """
    groups = at.value(ds, "PerFrameFunctionalGroupsSequence")
    if groups is None:
        return (plane_from_dataset(ds, 0),) * number_of_frames
    return tuple(plane_from_dataset(ds, index) for index in range(number_of_frames))
