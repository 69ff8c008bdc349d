"""Segments brought onto an image's pixels and blended, against a slow computation in millimetres."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from presenting import LIMITS, Array, plane_at, reread, segmentation_of
from presenting import SEGMENT_COLUMNS as COLUMNS
from presenting import SEGMENT_ROWS as ROWS

from engine.dicom.plane import Plane
from engine.dicom.presentation import Spatial
from engine.dicom.segmentation import FALLBACK_COLOURS, Segmentation, read_segmentation
from engine.errors import TooLarge
from engine.imaging.presentation.apply import plain_placement, render_with_segments
from engine.imaging.presentation.placement import place
from engine.imaging.presentation.segments import Cover, blended, covers, sampled

RNG = np.random.default_rng(9)


def covered(
    segmentation: Segmentation, values: Array, plane: Plane | None, rows: int, columns: int, **more: Any
) -> tuple[Cover, ...]:
    frames = segmentation.frames_over("9.9", 1, plane, rows, columns)
    return covers(segmentation, frames, dict(enumerate(values)), plane, rows, columns, LIMITS, **more)


def by_millimetres(values: Array, source: Plane, target: Plane, rows: int, columns: int) -> Array:
    """The pixel of `values` whose square holds the centre of each pixel of the target; 0 where there is none."""
    out = np.zeros((rows, columns), values.dtype)
    for y in range(rows):
        for x in range(columns):
            place = (
                np.array(target.position)
                + np.array(target.row) * target.spacing[1] * x
                + np.array(target.column) * target.spacing[0] * y
            )
            off = place - np.array(source.position)
            column = int(np.floor(off @ np.array(source.row) / source.spacing[1] + 0.5 + 1e-6))
            row = int(np.floor(off @ np.array(source.column) / source.spacing[0] + 0.5 + 1e-6))
            if 0 <= row < values.shape[0] and 0 <= column < values.shape[1]:
                out[y, x] = values[row, column]
    return out


def test_binary_segments_on_the_same_grid() -> None:
    values = RNG.integers(0, 2, (4, ROWS, COLUMNS)).astype(np.uint8)
    segmentation = read_segmentation(reread(segmentation_of(values=values)), LIMITS)
    found = covered(segmentation, values, plane_at(1), ROWS, COLUMNS)
    assert [(c.segment_number, c.rgb) for c in found] == [(1, (255, 255, 255)), (2, FALLBACK_COLOURS[1])]
    np.testing.assert_array_equal(found[0].share, values[1] * 255)
    np.testing.assert_array_equal(found[1].share, values[3] * 255)
    only = covered(segmentation, values, plane_at(1), ROWS, COLUMNS, segment_numbers=frozenset({2}))
    assert [c.segment_number for c in only] == [2]


@pytest.mark.parametrize(
    "target",
    [
        replace(plane_at(0), spacing=(0.5, 0.25)),
        replace(plane_at(0), spacing=(2.0, 3.0), position=(-3.0, 1.2, 0.0)),
        replace(plane_at(0), row=(0.0, 1.0, 0.0), column=(-1.0, 0.0, 0.0), position=(7.0, 0.0, 0.0)),
        replace(plane_at(0), row=(-1.0, 0.0, 0.0), position=(7.0, 0.0, 0.05)),
        replace(plane_at(0), row=(0.8, 0.6, 0.0), column=(-0.6, 0.8, 0.0), position=(2.1, -3.3, 0.0)),
    ],
)
def test_binary_segments_on_another_grid_of_the_plane(target: Plane) -> None:
    values = RNG.integers(0, 2, (2, ROWS, COLUMNS)).astype(np.uint8)
    segmentation = read_segmentation(reread(segmentation_of(segments=(1,), values=values, sources=False)), LIMITS)
    found = covered(segmentation, values, target, 13, 31)
    np.testing.assert_array_equal(found[0].share, by_millimetres(values[0], plane_at(0), target, 13, 31) * 255)


def test_fractions_are_shares_of_their_maximum() -> None:
    values = np.full((2, ROWS, COLUMNS), 100, np.uint8)
    values[0, 0, 0] = 200
    segmentation = read_segmentation(
        reread(segmentation_of("FRACTIONAL", segments=(1,), values=values, sources=False)), LIMITS
    )
    share = covered(segmentation, values, plane_at(0), ROWS, COLUMNS)[0].share
    assert share[0, 0] == 255 and share[3, 3] in (127, 128)
    between = replace(plane_at(0), position=(0.5, 0.0, 0.0))
    share = covered(segmentation, values, between, ROWS, COLUMNS)[0].share
    assert share[0, 0] in (191, 192) and share[0, COLUMNS - 1] in (127, 128)


def test_a_label_map_has_its_segments_in_one_frame() -> None:
    values = RNG.integers(0, 4, (2, ROWS, COLUMNS)).astype(np.uint8)
    ds = segmentation_of("LABELMAP", values=values, sources=False)
    found = covered(read_segmentation(reread(ds), LIMITS), values, plane_at(0), ROWS, COLUMNS)
    assert [c.segment_number for c in found] == [1, 2, 3]  # the third is not described, and shown all the same
    for cover in found:
        np.testing.assert_array_equal(cover.share, (values[0] == cover.segment_number) * 255)
    ds.PixelPaddingValue = 3
    found = covered(read_segmentation(reread(ds), LIMITS), values, plane_at(0), ROWS, COLUMNS)
    assert [c.segment_number for c in found] == [1, 2]


def test_more_segments_than_are_shown_are_refused() -> None:
    values = np.arange(2 * ROWS * COLUMNS, dtype=np.uint8).reshape(2, ROWS, COLUMNS)
    segmentation = read_segmentation(reread(segmentation_of("LABELMAP", values=values, sources=False)), LIMITS)
    frames = segmentation.frames_over("9.9", 1, plane_at(0), ROWS, COLUMNS)
    with pytest.raises(TooLarge):
        covers(
            segmentation, frames, dict(enumerate(values)), plane_at(0), ROWS, COLUMNS,
            replace(LIMITS, segments_shown_max=40),
        )  # fmt: skip


@pytest.mark.parametrize(("rotation", "flip"), [(0, False), (90, True), (180, False), (270, True)])
@pytest.mark.parametrize("opacity", [0.0, 0.4, 1.0])
def test_blending_is_the_mean_that_the_opacity_says(rotation: int, flip: bool, opacity: float) -> None:
    grey = RNG.integers(0, 256, (ROWS, COLUMNS)).astype(np.uint8)
    bits = RNG.integers(0, 2, (ROWS, COLUMNS)).astype(np.uint8)
    placement = place(ROWS, COLUMNS, LIMITS, spatial=Spatial(rotation, flip))
    display = placement.arranged(grey)
    rgb = blended(display, [Cover(1, (250, 10, 90), bits * np.uint8(255))], placement, opacity)
    where = placement.arranged(bits)[:, :, None] > 0
    under = np.repeat(display[:, :, None], 3, axis=2).astype(float)
    want = np.where(where, under + (np.array([250, 10, 90]) - under) * opacity, under)
    assert np.abs(rgb - want).max() <= 0.5 + 1e-3
    np.testing.assert_array_equal(rgb[~where[:, :, 0]], under[~where[:, :, 0]])


def test_higher_numbers_are_above_and_display_values_are_not_changed() -> None:
    display = np.full((ROWS, COLUMNS, 3), 50, np.uint8)
    all_of_it = np.full((ROWS, COLUMNS), 255, np.uint8)
    placement = plain_placement((0, 0, COLUMNS, ROWS), (COLUMNS, ROWS))
    one, two = Cover(1, (255, 0, 0), all_of_it), Cover(2, (0, 0, 255), all_of_it)
    rgb = render_with_segments(display, [one, two], placement, 1.0)
    assert (rgb == (0, 0, 255)).all() and (display == 50).all()
    assert render_with_segments(display, [], placement, 1.0) is display


def test_over_a_region_of_a_plain_picture() -> None:
    """Where the renderer cut a part out of the image and made it larger."""
    bits = np.zeros((ROWS, COLUMNS), np.uint8)
    bits[3, 5] = 255
    placement = plain_placement((4, 2, 4, 3), (40, 30))
    rgb = render_with_segments(np.zeros((30, 40), np.uint8), [Cover(1, (255, 255, 255), bits)], placement, 1.0)
    assert (rgb[10:20, 10:20] == 255).all()
    rgb[10:20, 10:20] = 0
    assert not rgb.any()


def test_bands_of_a_sampled_image_fit_together() -> None:
    image = RNG.integers(0, 256, (700, 5, 3)).astype(np.uint8)
    matrix = ((1.0, 0.0, 0.0), (0.0, -1.0, 699.0))
    np.testing.assert_array_equal(sampled(image, matrix, 700, 5, fill=0), image[::-1])
    smooth = sampled(image.astype(np.float64), matrix, 700, 5, fill=np.nan, is_smooth=True)
    np.testing.assert_array_equal(smooth, image[::-1])
