"""Which frames of a segmentation belong over which image, its colours, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pydicom
import pytest
from data import DATA, needs_data
from presenting import (
    IMAGE_UID,
    LIMITS,
    SERIES_UID,
    ct_image,
    image_reference,
    item,
    plane_at,
    reread,
    segmentation_of,
)
from presenting import SEGMENT_COLUMNS as COLUMNS
from presenting import SEGMENT_ROWS as ROWS
from pydicom.dataset import Dataset

from engine.dicom.plane import Plane, plane_from_dataset
from engine.dicom.segmentation import FALLBACK_COLOURS, SegmentationType, read_segmentation
from engine.errors import MalformedDataSet, UnsupportedPresentation


def over(ds: Dataset, uid: str, plane: Plane | None, rows: int = ROWS, columns: int = COLUMNS) -> list[int]:
    return [f.index for f in read_segmentation(reread(ds), LIMITS).frames_over(uid, 1, plane, rows, columns)]


def test_frames_belong_to_the_images_that_they_name() -> None:
    ds = segmentation_of()
    assert over(ds, IMAGE_UID, plane_at(0)) == [0, 2]
    assert over(ds, f"{SERIES_UID}.2", plane_at(1)) == [1, 3]
    assert over(ds, IMAGE_UID, None) == [0, 2]  # an image without a place in the patient, of the same size


def test_an_image_of_another_series_by_its_plane() -> None:
    ds = segmentation_of()
    assert over(ds, "9.9", plane_at(1)) == [1, 3]
    assert over(ds, "9.9", plane_at(1.09)) == [1, 3] and over(ds, "9.9", plane_at(1.11)) == []
    assert over(ds, "9.9", plane_at(1, "1.9.9")) == [] and over(ds, "9.9", None) == []
    tilted = replace(plane_at(1), row=(0.9999, 0.0, 0.01413))
    assert over(ds, "9.9", tilted) == []


def test_another_phase_at_the_same_place_is_not_the_one_that_was_segmented() -> None:
    """Image 2 is among the sources, so its place alone does not make it image 1's."""
    ds = segmentation_of(planes=(0.0, 0.0))
    assert over(ds, f"{SERIES_UID}.2", plane_at(0)) == [1, 3]


def test_a_frame_that_lies_elsewhere_than_the_image_that_it_names_is_not_shown() -> None:
    assert over(segmentation_of(), IMAGE_UID, plane_at(5)) == []


def test_without_sources_by_the_plane_alone() -> None:
    assert over(segmentation_of(sources=False), IMAGE_UID, plane_at(0)) == [0, 2]


def test_another_size_without_a_place_is_refused() -> None:
    with pytest.raises(UnsupportedPresentation, match="frame of reference"):
        over(segmentation_of(), IMAGE_UID, None, rows=ROWS * 2)


def test_sources_whose_places_were_not_kept_are_none() -> None:
    ds = segmentation_of()
    for group in ds.PerFrameFunctionalGroupsSequence:
        group.DerivationImageSequence[0].SourceImageSequence[0].SpatialLocationsPreserved = "NO"
    assert over(ds, IMAGE_UID, None) == [] and over(ds, IMAGE_UID, plane_at(0)) == [0, 2]


def test_frames_of_a_multi_frame_source() -> None:
    ds = segmentation_of(segments=(1,), planes=(0.0, 1.0))
    for number, group in enumerate(ds.PerFrameFunctionalGroupsSequence, 1):
        group.DerivationImageSequence = [item(SourceImageSequence=[image_reference(frames=[number])])]
    segmentation = read_segmentation(reread(ds), LIMITS)
    for number in (1, 2):
        found = segmentation.frames_over(IMAGE_UID, number, None, ROWS, COLUMNS)
        assert [f.index for f in found] == [number - 1]


def test_colours_are_the_recommended_ones_or_told_apart() -> None:
    segmentation = read_segmentation(reread(segmentation_of(segments=(1, 2, 3))), LIMITS)
    assert [s.rgb for s in segmentation.segments] == [(255, 255, 255), FALLBACK_COLOURS[1], FALLBACK_COLOURS[2]]
    assert len(set(FALLBACK_COLOURS)) == len(FALLBACK_COLOURS)


def test_kinds() -> None:
    fractional = read_segmentation(reread(segmentation_of("FRACTIONAL")), LIMITS)
    assert (fractional.type, fractional.full_value) == (SegmentationType.FRACTIONAL, 200)
    label_map = read_segmentation(reread(segmentation_of("LABELMAP")), LIMITS)
    assert [f.segment_number for f in label_map.frames] == [0, 0]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda ds: setattr(ds, "SegmentationType", "SURFACE"), UnsupportedPresentation),
        (lambda ds: setattr(ds, "SOPClassUID", "1.2"), UnsupportedPresentation),
        (lambda ds: setattr(ds, "NumberOfFrames", 99), MalformedDataSet),
        (lambda ds: setattr(ds, "SegmentSequence", [item(SegmentLabel="x")]), MalformedDataSet),
        (
            lambda ds: delattr(ds.PerFrameFunctionalGroupsSequence[0], "SegmentIdentificationSequence"),
            MalformedDataSet,
        ),
    ],
)
def test_what_is_wrong_is_refused(change: Any, error: type[Exception]) -> None:
    ds = segmentation_of()
    change(ds)
    with pytest.raises(error):
        read_segmentation(reread(ds), LIMITS)


def test_a_plane_is_read_from_a_plain_image_and_refused_when_it_is_none() -> None:
    image = ct_image(np.zeros((4, 4), np.uint16), PixelSpacing=[0.5, 0.25], ImagePositionPatient=[1, 2, 3])
    plane = plane_from_dataset(reread(image), 0)
    assert plane is not None and (plane.position, plane.spacing) == ((1, 2, 3), (0.5, 0.25))
    for orientation in ([0, 0, 0, 0, 1, 0], [1, 0, 0, 1, 0, 0]):
        image.ImageOrientationPatient = orientation
        assert plane_from_dataset(reread(image), 0) is None


def test_an_index_in_another_plane_is_where_the_patient_says() -> None:
    """A rotated and shifted grid: the millimetres of a pixel, by the formula of PS3.3 C.7.6.2.1.1, both ways."""
    angle = np.radians(20)
    row, column = (np.cos(angle), np.sin(angle), 0.0), (-np.sin(angle), np.cos(angle), 0.0)
    one = Plane(frame_of_reference_uid="1", position=(3, -4, 7), row=row, column=column, spacing=(0.7, 0.4))
    other = Plane(frame_of_reference_uid="1", position=(0, 0, 7), row=(1, 0, 0), column=(0, 1, 0), spacing=(2.0, 1.5))
    matrix = np.array(one.index_in(other))
    for x, y in ((0, 0), (10, 3), (2.5, -7)):
        place = np.array(one.position) + np.array(row) * 0.4 * x + np.array(column) * 0.7 * y
        np.testing.assert_allclose(matrix @ (x, y, 1), (place[0] / 1.5, place[1] / 2.0), atol=1e-12)


@needs_data
def test_real_segmentations_are_read() -> None:
    """Every one of the shared data; what they are is known from their headers."""
    seen: dict[str, str] = {}
    for path in sorted((DATA).rglob("*")):
        if path.is_file() and any(word in path.name for word in ("seg_image", "liver", "labelmap", "label.seg")):
            segmentation = read_segmentation(pydicom.dcmread(path, force=True), LIMITS)
            assert segmentation.frames and segmentation.segments, path.name
            seen[path.name] = segmentation.type
    assert {"BINARY", "FRACTIONAL", "LABELMAP"} <= set(seen.values()) and len(seen) >= 8
