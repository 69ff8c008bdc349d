"""Grey values and orientation of presented images against DCMTK's ``dcmp2pgm``, its output cut and resized by numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from data import DATA, needs_data
from presenting import (
    LIMITS,
    Array,
    area,
    by_dcmtk,
    ct_image,
    descriptor_of,
    for_frame,
    item,
    lut_item,
    needs_dcmtk,
    state_of,
    window,
)
from pydicom.data import get_testdata_file

from engine.imaging.presentation.apply import ShownFrame, render_presented

pytestmark = [needs_dcmtk, pytest.mark.peer]

# dcmp2pgm cuts fractions off where we round to the nearest.
GREY_MAX = 1


def image_of(kind: str, **attributes: Any) -> pydicom.Dataset:
    rng = np.random.default_rng(5)
    if kind == "signed":
        return ct_image(rng.integers(-2048, 2048, (37, 53)).astype(np.int16), **attributes)
    return ct_image(rng.integers(0, 4096, (37, 53)).astype(np.uint16), bits_stored=12, **attributes)


def ours(image: pydicom.Dataset, state: pydicom.Dataset, **options: Any) -> Array:
    frame = ShownFrame(stored_values=image.pixel_array, descriptor=descriptor_of(image))
    return render_presented(for_frame(state, str(image.SOPInstanceUID)), frame, LIMITS, **options)


def assert_equal(a: Array, b: Array, grey_max: int = GREY_MAX) -> None:
    assert a.shape == b.shape
    assert np.abs(a.astype(int) - b.astype(int)).max() <= grey_max


def ramp(entries: int, bits: int = 16, power: float = 2.0) -> Array:
    return np.rint(np.linspace(0, 1, entries) ** power * ((1 << bits) - 1)).astype(np.uint16)


STATES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "rescale": {"RescaleSlope": 2, "RescaleIntercept": -1024, "RescaleType": "HU"},
    "window": {"SoftcopyVOILUTSequence": [window(300, 1200)]},
    "narrow window": {"SoftcopyVOILUTSequence": [window(40.5, 2)]},
    "window one value wide": {"SoftcopyVOILUTSequence": [window(300, 1)]},
    "rescale and window": {
        "RescaleSlope": 0.5,
        "RescaleIntercept": -100.25,
        "RescaleType": "US",
        "SoftcopyVOILUTSequence": [window(200, 700)],
    },
    "falling rescale": {
        "RescaleSlope": -1,
        "RescaleIntercept": 500,
        "RescaleType": "US",
        "SoftcopyVOILUTSequence": [window(200, 1500)],
    },
    "inverse": {"SoftcopyVOILUTSequence": [window(300, 1200)], "PresentationLUTShape": "INVERSE"},
    "VOI LUT": {"SoftcopyVOILUTSequence": [item(VOILUTSequence=[lut_item(100, ramp(1000))])]},
    "VOI LUT of 12 bits": {"SoftcopyVOILUTSequence": [item(VOILUTSequence=[lut_item(0, ramp(4096, 12), 12)])]},
    "presentation LUT": {
        "SoftcopyVOILUTSequence": [window(300, 1200)],
        "PresentationLUTSequence": [lut_item(0, ramp(4096, 12, 0.6), 12)],
    },
    "short presentation LUT": {
        "SoftcopyVOILUTSequence": [window(300, 1200)],
        "PresentationLUTSequence": [lut_item(0, ramp(256, 10, 1.7), 10)],
    },
}


@pytest.mark.parametrize("kind", ["signed", "unsigned"])
@pytest.mark.parametrize("name", STATES)
def test_grey_values(tmp_path: Path, name: str, kind: str) -> None:
    image = image_of(kind)
    state = state_of(image, **STATES[name])
    if "PresentationLUTSequence" in state:
        del state.PresentationLUTShape
    # The entries of the short table are up to two greys apart, and dcmp2pgm takes the lower where we take the nearest.
    grey_max = 3 if name == "short presentation LUT" else GREY_MAX
    assert_equal(ours(image, state), by_dcmtk(image, state, tmp_path), grey_max)


def test_a_modality_lut(tmp_path: Path) -> None:
    image = image_of("unsigned")
    table = lut_item(0, ramp(4096, 16, 0.5))
    table.ModalityLUTType = "US"
    state = state_of(image, ModalityLUTSequence=[table], SoftcopyVOILUTSequence=[window(30000, 50000)])
    assert_equal(ours(image, state), by_dcmtk(image, state, tmp_path))


def test_the_images_own_rescale_window_and_monochrome1_have_no_part_in_it(tmp_path: Path) -> None:
    image = image_of("unsigned", RescaleSlope=3, RescaleIntercept=-7, WindowCenter=10, WindowWidth=20)
    image.PhotometricInterpretation = "MONOCHROME1"
    state = state_of(image, SoftcopyVOILUTSequence=[window(2000, 3000)])
    assert_equal(ours(image, state), by_dcmtk(image, state, tmp_path))


@pytest.mark.parametrize("flip", ["N", "Y"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation_and_flip_and_the_area_in_its_corners(tmp_path: Path, rotation: int, flip: str) -> None:
    image = image_of("unsigned")
    whole = state_of(
        image, SoftcopyVOILUTSequence=[window(2000, 3000)], ImageRotation=rotation, ImageHorizontalFlip=flip
    )
    turned = by_dcmtk(image, whole, tmp_path)
    # Numbers of pixels through the same transformation: what stands in a corner of the result is named for it.
    rows, columns = np.indices((37, 53))
    numbers = np.stack([columns + 1, rows + 1], axis=2)
    numbers = np.rot90(numbers, -(rotation // 90))
    numbers = numbers[:, ::-1] if flip == "Y" else numbers
    corners = tuple(map(int, numbers[0, 0])), tuple(map(int, numbers[-1, -1]))
    whole.DisplayedAreaSelectionSequence = [area(*corners)]  # type: ignore[arg-type]
    assert_equal(ours(image, whole), turned)

    x, y, wide, high = 5, 7, 21, 13
    inner = tuple(map(int, numbers[y, x])), tuple(map(int, numbers[y + high - 1, x + wide - 1]))
    whole.DisplayedAreaSelectionSequence = [area(*inner)]  # type: ignore[arg-type]
    assert_equal(ours(image, whole), turned[y : y + high, x : x + wide])


def test_one_frame_of_many(tmp_path: Path) -> None:
    values = np.random.default_rng(6).integers(0, 4096, (3, 16, 20)).astype(np.uint16)
    image = ct_image(values, bits_stored=12)
    state = state_of(image, SoftcopyVOILUTSequence=[window(2000, 3000)])
    frame = ShownFrame(stored_values=values[1], descriptor=descriptor_of(image), frame_number=2)
    assert_equal(render_presented(for_frame(state, frame_number=2), frame, LIMITS), by_dcmtk(image, state, tmp_path, 2))


def test_a_real_image_and_the_state_that_dcmpsmk_makes_of_it(tmp_path: Path) -> None:
    import subprocess

    path = get_testdata_file("CT_small.dcm")
    assert path is not None
    subprocess.run(["dcmpsmk", path, tmp_path / "made.dcm"], check=True, timeout=60)
    image, state = pydicom.dcmread(path), pydicom.dcmread(tmp_path / "made.dcm")
    assert_equal(ours(image, state), by_dcmtk(image, state, tmp_path))


@needs_data
def test_real_states_are_read_and_shown() -> None:
    """Their images are not at hand; the frames are made up, of the size that the states are for."""
    seen = 0
    for name, size in (("weasis-dicom-tools__prOverlay.dcm", 512), ("orthanc-tests__PR000000.dcm", 2688)):
        for path in DATA.rglob(name):
            state = pydicom.dcmread(path)
            uid = state.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID
            image = ct_image(np.zeros((size, size), np.uint16), uid=str(uid))
            shown = ours(image, state, size=(512, 512))
            assert shown.shape == (512, 512) and shown.max() == 255  # overlays and graphics over black
            seen += 1
    assert seen == 2
