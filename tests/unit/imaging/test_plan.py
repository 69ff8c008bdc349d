"""What the header and the request decide about a rendering."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from code_streams import GREY16, RGB8

from engine.dicom.frame import Rescale, VoiLutFunction, Window
from engine.errors import InvalidParameter, TooLarge, UnsupportedPixels
from engine.imaging.plan import Pipeline, plan, reduction
from engine.imaging.spec import RenderSpec
from engine.imaging.window import linear_terms
from engine.limits import Limits

LIMITS = Limits()
CT = replace(
    GREY16, rows=512, columns=512, windows=((Window(40, 400), Window(600, 1500)),), rescales=(Rescale(1, -1024),)
)


def planned(d: Any = CT, spec: RenderSpec = RenderSpec(), frame_index: int = 0, said: str = "") -> Any:  # noqa: B008 - frozen
    return plan(d, frame_index, said or d.photometric_interpretation, spec, LIMITS)


def test_the_headers_first_window_unless_one_is_asked_for() -> None:
    assert planned().window == Window(40, 400)
    assert planned(spec=RenderSpec(window=Window(1, 2))).window == Window(1, 2)
    assert planned(replace(CT, windows=(), modality="OT")).window is None


def test_windows_that_mean_nothing_are_passed_over_and_small_ones_are_exact() -> None:
    d = replace(CT, windows=((Window(1, 0), Window(0.1, 0.2), Window(40, 400)),))
    assert planned(d).window == Window(0.1, 0.2, VoiLutFunction.LINEAR_EXACT)
    assert planned(replace(CT, windows=((Window(1, 0),),), modality="OT")).window is None


def test_each_frame_has_its_own_numbers() -> None:
    d = replace(
        CT,
        number_of_frames=2,
        windows=((Window(1, 10),), (Window(2, 20),)),
        rescales=(Rescale(1, 0), Rescale(3, 5)),
    )
    assert [(p.window.center, p.slope, p.intercept) for p in (planned(d, frame_index=i) for i in (0, 1))] == [
        (1, 1, 0),
        (2, 3, 5),
    ]


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME1", "", True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", "IDENTITY", True),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "", False),
    ],
)
def test_inverted_once(photometric: str, shape: str, inverted: bool) -> None:
    d = replace(CT, photometric_interpretation=photometric, presentation_lut_shape=shape)
    assert planned(d).inverted is inverted


def test_the_decoded_values_say_which_colour() -> None:
    d = replace(RGB8, photometric_interpretation="YBR_FULL_422")
    assert planned(d, said="RGB").pipeline is Pipeline.RGB
    assert planned(d, said="YBR_FULL").pipeline is Pipeline.YBR_FULL


@pytest.mark.parametrize(
    ("d", "said"),
    [
        (CT, "PALETTE COLOR"),
        (RGB8, ""),
        (RGB8, "MONOCHROME2"),
        (CT, "RGB"),
        (replace(RGB8, bits_allocated=32, bits_stored=32), "YBR_FULL"),
        (replace(RGB8, samples_per_pixel=4), "ARGB"),
        (replace(RGB8, samples_per_pixel=4), "CMYK"),
        (RGB8, "HSV"),
    ],
)
def test_what_cannot_be_shown_right_is_refused(d: Any, said: str) -> None:
    with pytest.raises(UnsupportedPixels):
        plan(d, 0, said, RenderSpec(), LIMITS)


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(None, None, (512, 256)), (128, None, (128, 64)), (None, 64, (128, 64)), (100, 100, (100, 50)), (1, 1, (1, 1))],
)
def test_the_image_fits_and_keeps_its_shape(width: int | None, height: int | None, size: tuple[int, int]) -> None:
    d = replace(CT, rows=256)
    assert planned(d, RenderSpec(width=width, height=height)).size == size


def test_pixels_that_are_not_square_become_square() -> None:
    d = replace(CT, rows=256, pixel_aspect_ratio=(2.0, 1.0))
    assert planned(d, RenderSpec(width=256, height=256)).size == (256, 256)
    assert planned(d).size == (512, 256)


@pytest.mark.parametrize("region", [(-1, 0, 4, 4), (0, 0, 0, 4), (510, 0, 4, 4), (0, 0, 4, 513)])
def test_a_region_outside_is_refused(region: tuple[int, int, int, int]) -> None:
    with pytest.raises(InvalidParameter):
        planned(spec=RenderSpec(region=region))


def test_no_picture_larger_than_its_limit() -> None:
    with pytest.raises(TooLarge):
        planned(spec=RenderSpec(width=100_000))


@pytest.mark.parametrize("window", [Window(40, 1), Window(40, 0, VoiLutFunction.LINEAR_EXACT), Window(40, 0.5)])
@pytest.mark.parametrize("slope", [1.0, -2.0])
def test_the_narrowest_window_is_a_step(window: Window, slope: float) -> None:
    low, scale = linear_terms(window, slope, 7.0)
    grey = [min(max((stored - low) * scale, 0.0), 255.0) for stored in (-1000.0, 1000.0)]
    assert grey == ([0.0, 255.0] if slope > 0 else [255.0, 0.0])


@pytest.mark.parametrize(
    ("spec", "by"),
    [
        (RenderSpec(), 0),
        (RenderSpec(width=512), 0),
        (RenderSpec(width=257), 0),
        (RenderSpec(width=256), 1),
        (RenderSpec(width=200, height=200), 1),
        (RenderSpec(width=128), 2),
        (RenderSpec(width=64, height=64), 3),
        (RenderSpec(width=1), 9),
        (RenderSpec(width=64, region=(0, 0, 256, 256)), 0),
    ],
)
def test_halved_as_long_as_enough_pixels_are_left(spec: RenderSpec, by: int) -> None:
    assert reduction(CT, 0, spec, LIMITS) == by


def test_not_halved_where_an_average_means_something_else() -> None:
    small = RenderSpec(width=64)
    assert (
        reduction(replace(CT, windows=(), modality="OT"), 0, small, LIMITS) == 0
    )  # the range of averages is not that of the pixels
    assert reduction(replace(CT, windows=()), 0, replace(small, window=Window(1, 2)), LIMITS) == 3
    assert reduction(replace(CT, photometric_interpretation="PALETTE COLOR"), 0, small, LIMITS) == 0
    assert reduction(replace(RGB8, rows=512, columns=512), 0, small, LIMITS) == 3
