"""Polygons, shutters and placements against the slow and plain way to find out where a point is."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dicom.presentation import DisplayedArea, Spatial
from engine.dicom.shutter import Shutter
from engine.imaging.presentation.placement import Placement, place
from engine.imaging.presentation.polygon import polygon_mask
from engine.imaging.presentation.shapes import clipped, dashed
from engine.imaging.presentation.shutters import hidden
from engine.limits import Limits

Array = np.ndarray[Any, Any]
LIMITS = Limits()
POINT = st.tuples(st.integers(-6, 18), st.integers(-6, 18))


def is_inside(points: list[tuple[int, int]], x: int, y: int) -> bool:
    """Even-odd by crossings of exact numbers, edges inside: the definition."""
    odd = False
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        is_beside = min(x0, x1) <= x <= max(x0, x1) and min(y0, y1) <= y <= max(y0, y1)
        if is_beside and (x1 - x0) * (y - y0) == (y1 - y0) * (x - x0):
            return True
        if (y0 > y) != (y1 > y) and x < x0 + Fraction((y - y0) * (x1 - x0), y1 - y0):
            odd = not odd
    return odd


@settings(deadline=None, max_examples=300)
@given(st.lists(POINT, min_size=3, max_size=8))
def test_polygons_have_the_pixels_whose_centres_are_inside_or_on_an_edge(points: list[tuple[int, int]]) -> None:
    mask = polygon_mask(np.array(points, np.float64), 12, 13)
    want = np.array([[is_inside(points, x, y) for x in range(13)] for y in range(12)])
    (x0, y0), (x1, y1), (x2, y2) = points[:3]
    if len(points) == 3 and (x1 - x0) * (y2 - y0) != (x2 - x0) * (y1 - y0):
        np.testing.assert_array_equal(mask, want)
    # An outline that crosses itself or turns back is another matter in the rows of its vertices, and in these only.
    plain = [y for y in range(12) if y not in {y for _, y in points}]
    np.testing.assert_array_equal(mask[plain], want[plain])


def test_a_polygon_with_steps_and_a_hole_has_all_its_edges() -> None:
    stair = [(1, 1), (9, 1), (9, 4), (5, 4), (5, 7), (11, 7), (11, 10), (1, 10)]
    mask = polygon_mask(np.array(stair, np.float64), 12, 13)
    np.testing.assert_array_equal(mask, [[is_inside(stair, x, y) for x in range(13)] for y in range(12)])


@settings(deadline=None, max_examples=200)
@given(
    st.tuples(*[st.integers(-3, 16)] * 4),
    st.tuples(st.integers(-3, 16), st.integers(-3, 16), st.integers(0, 20)),
    st.sampled_from([(1.0, 1.0), (2.0, 1.0), (1.0, 3.0)]),
)
def test_rectangles_and_circles(
    rectangle: tuple[int, int, int, int], circle: tuple[int, int, int], shape: tuple[float, float]
) -> None:
    found = hidden(Shutter(rectangle=rectangle, circle=circle), 11, 14, shape)
    left, right, upper, lower = rectangle
    row, column, radius = circle
    for y in range(1, 12):
        for x in range(1, 15):
            inside = left <= x <= right and upper <= y <= lower
            distance = ((y - row) * shape[0] / shape[1]) ** 2 + (x - column) ** 2
            assert found[y - 1, x - 1] == (not inside or distance > radius**2)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([0, 90, 180, 270]),
    st.booleans(),
    st.tuples(st.integers(-4, 16), st.integers(-4, 14)),
    st.tuples(st.integers(-4, 16), st.integers(-4, 14)),
    st.tuples(st.integers(0, 12), st.integers(0, 9)),
)
def test_a_pixel_is_where_its_centre_goes(
    rotation: int, flip: bool, one: tuple[int, int], other: tuple[int, int], at: tuple[int, int]
) -> None:
    image = np.zeros((10, 13), np.uint8)
    image[at[1], at[0]] = 255
    area = DisplayedArea(top_left=one, bottom_right=other)
    placement = place(10, 13, LIMITS, area=area, spatial=Spatial(rotation, flip))
    shown = placement.arranged(image)
    assert shown.shape == (placement.height, placement.width)
    x, y = placement.to_display(np.array([[at[0] + 0.5, at[1] + 0.5]]))[0]
    is_seen = 0 <= x < placement.width and 0 <= y < placement.height
    assert (shown > 0).sum() == is_seen
    if is_seen:
        assert (x % 1, y % 1) == (0.5, 0.5)
        assert shown[int(y), int(x)] == 255


@settings(deadline=None, max_examples=100)
@given(st.sampled_from([0, 90, 180, 270]), st.booleans(), st.integers(30, 140), st.integers(0, 23), st.integers(0, 17))
def test_a_scaled_pixel_is_where_its_centre_goes(rotation: int, flip: bool, size: int, column: int, row: int) -> None:
    image = np.zeros((18, 24), np.uint8)
    image[row, column] = 255
    placement = place(18, 24, LIMITS, spatial=Spatial(rotation, flip), size=(size, size))
    shown = placement.arranged(image).astype(float)
    ys, xs = np.indices(shown.shape)
    x, y = placement.to_display(np.array([[column + 0.5, row + 0.5]]))[0]
    inner = min(column, 23 - column, row, 17 - row) >= 2  # at the border the weights have one side only
    if inner:
        assert abs((xs * shown).sum() / shown.sum() + 0.5 - x) < 0.1 * size / 18
        assert abs((ys * shown).sum() / shown.sum() + 0.5 - y) < 0.1 * size / 18


FLOATS = st.floats(-1e30, 1e30, allow_nan=False)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=2, max_size=5), st.integers(0, 0xFFFFFFFF))
def test_no_line_is_longer_than_the_display(points: list[tuple[float, float]], pattern: int) -> None:
    segments = clipped(np.array(points), 40, 30, 2.0)
    assert np.isfinite(segments).all()
    assert (segments >= -2.0 - 1e-3).all() and (segments[..., 0] <= 42.001).all() and (segments[..., 1] <= 32.001).all()
    pieces = dashed(segments, pattern, 2.0)
    length = np.hypot(*(segments[:, 1] - segments[:, 0]).T).sum()
    drawn = np.hypot(*(pieces[:, 1] - pieces[:, 0]).T).sum()
    assert drawn <= length + 1e-6
    if pattern == 0:
        assert not len(pieces)


def test_a_dashed_line_is_drawn_where_its_bits_are() -> None:
    pieces = dashed(np.array([[[0.0, 5.0], [100.0, 5.0]]]), 0xFF00FF00, 1.0)
    starts, ends = pieces[:, 0, 0], pieces[:, 1, 0]
    assert starts.tolist() == [0, 16, 32, 48, 64, 80, 96] and ends.tolist() == [8, 24, 40, 56, 72, 88, 100]


def test_the_matrix_says_what_the_standard_says() -> None:
    """A quarter turn clockwise brings the lower left corner to the upper left (PS3.3 C.10.6)."""
    turned = Placement(left=0, top=0, columns=30, rows=20, width=20, height=30, spatial=Spatial(90))
    np.testing.assert_array_equal(turned.to_display(np.array([[0.0, 20.0], [0.0, 0.0]])), [[0, 0], [20, 0]])
    flipped = Placement(left=0, top=0, columns=30, rows=20, width=20, height=30, spatial=Spatial(90, True))
    np.testing.assert_array_equal(flipped.to_display(np.array([[0.0, 20.0], [0.0, 0.0]])), [[20, 0], [0, 0]])
