"""Which resolution a wanted size is: ISO/IEC 15444-9 C.4.2, by hand and by all there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.stream.frame_size import FrameSize, Rounding, Small, Whole

SIDES = st.integers(1, 5000)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (FrameSize(128, 128), 2),
        (FrameSize(127, 128), 3),
        (FrameSize(128, 128, Rounding.UP), 2),
        (FrameSize(129, 10, Rounding.UP), 1),
        (FrameSize(150, 150, Rounding.CLOSEST), 2),
        (FrameSize(250, 250, Rounding.CLOSEST), 1),
        (FrameSize(5000, 5000), 0),
        (FrameSize(5000, 5000, Rounding.UP), 0),
        (FrameSize(1, 1), 5),
        (Small(), 2),
        (Whole(), 0),
    ],
)
def test_a_slice_of_512(size: FrameSize | Small | Whole, expected: int) -> None:
    assert size.halvings(512, 512, 5) == expected


@given(SIDES, SIDES, SIDES, SIDES, st.integers(0, 8))
def test_down_is_no_larger_and_up_is_no_smaller(rows: int, columns: int, width: int, height: int, most: int) -> None:
    sizes = [(columns, rows)]
    for _ in range(most):
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    down, up = (sizes[FrameSize(width, height, r).halvings(rows, columns, most)] for r in (Rounding.DOWN, Rounding.UP))
    fit = [s for s in sizes if s[0] <= width and s[1] <= height]
    assert down == (max(fit) if fit else sizes[-1])
    cover = [s for s in sizes if s[0] >= width and s[1] >= height]
    assert up == (min(cover) if cover else sizes[0])


@given(SIDES, SIDES, st.integers(0, 8))
def test_a_thumbnail_is_never_less_than_cornerstone3d_decodes(rows: int, columns: int, most: int) -> None:
    halvings = Small().halvings(rows, columns, most)
    assert halvings <= min(most, 3)
    assert halvings == 0 or max(rows, columns) / 2**halvings > 127
