"""States and segmentations that tests make are what the standard means, by ``dciodvfy`` (PS3.3 A.33, A.51, C.10.4)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from presenting import (
    Array,
    area,
    complaints,
    ct_image,
    item,
    needs_dciodvfy,
    segmentation_of,
    state_of,
    window,
)
from pydicom.dataset import Dataset

pytestmark = [needs_dciodvfy, pytest.mark.peer]
IMAGE = ct_image(np.zeros((8, 10), np.uint16), bits_stored=12)
TURNS = [(rotation, flip) for rotation in (0, 90, 180, 270) for flip in ("N", "Y")]


def test_a_grayscale_state_with_most_modules(tmp_path: Path) -> None:
    line = item(GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=2, GraphicFilled="N")
    line.GraphicData, line.GraphicType = [1.0, 1.0, 5.0, 5.0], "POLYLINE"
    state = state_of(
        IMAGE,
        RescaleSlope=1,
        RescaleIntercept=0,
        RescaleType="HU",
        SoftcopyVOILUTSequence=[window(40, 400)],
        GraphicLayerSequence=[item(GraphicLayer="ONE", GraphicLayerOrder=1)],
        GraphicAnnotationSequence=[item(GraphicLayer="ONE", GraphicObjectSequence=[line])],
        ShutterShape="POLYGONAL",
        VerticesOfThePolygonalShutter=[1, 1, 1, 10, 8, 10],
        ShutterPresentationValue=0,
    )
    assert complaints(state, tmp_path) == []


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_segmentations(tmp_path: Path, kind: str) -> None:
    assert complaints(segmentation_of(kind), tmp_path) == []


def corners(rotation: int, flip: str) -> tuple[Array, Array]:
    """(column, row) of the pixels that are seen top left and bottom right."""
    rows, columns = np.indices((8, 10))
    numbers = np.rot90(np.stack([columns + 1, rows + 1], axis=2), -(rotation // 90))
    numbers = numbers[:, ::-1] if flip == "Y" else numbers
    return numbers[0, 0], numbers[-1, -1]


def turned(rotation: int, flip: str, first: Array, last: Array) -> Dataset:
    selected = area((int(first[0]), int(first[1])), (int(last[0]), int(last[1])))
    return state_of(IMAGE, ImageRotation=rotation, ImageHorizontalFlip=flip, DisplayedAreaSelectionSequence=[selected])


@pytest.mark.parametrize(("rotation", "flip"), TURNS)
def test_corners_of_the_displayed_area_are_those_of_the_turned_image(tmp_path: Path, rotation: int, flip: str) -> None:
    """The same corners that `Placement` brings there (tests/reference/test_presentation_states.py)."""
    first, last = corners(rotation, flip)
    assert complaints(turned(rotation, flip, first, last), tmp_path) == []
    if first.tolist() != [1, 1]:
        wrong = complaints(turned(rotation, flip, np.array([1, 1]), np.array([10, 8])), tmp_path)
        assert any("DisplayedAreaSelectionSequence is internally inconsistent" in line for line in wrong)
