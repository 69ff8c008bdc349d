"""Which frames the three frame level keys name (PS3.4 Y.3.2)."""

from __future__ import annotations

import pytest

from engine.dicom.frame_list import CALCULATED, SIMPLE, TIME_RANGE, FrameList
from engine.errors import FrameNotFound, InvalidFrameList

TIMES = [0.0, 0.04, 0.08, 0.12, 0.16]


def numbers(tag: int, *values: float) -> list[int]:
    return FrameList(tag, values).frame_numbers("1.2", len(TIMES), lambda: TIMES)


@pytest.mark.parametrize(
    ("tag", "values", "expected"),
    [
        (SIMPLE, (1,), [1]),
        (SIMPLE, (2, 3, 5), [2, 3, 5]),
        (SIMPLE, (4, 6, 0xFFFFFFFF), [4]),
        (CALCULATED, (1, 5, 2), [1, 3, 5]),
        (CALCULATED, (1, 4, 2), [1, 3]),  # the difference need not be a multiple
        (CALCULATED, (1, 2, 1, 4, 0xFFFFFFFF, 1), [1, 2, 4, 5]),
        (CALCULATED, (1, 4, 2, 4, 5, 1), [1, 3, 4, 5]),  # 4 is not of the first
        (CALCULATED, (2, 2, 9, 6, 9, 1), [2]),  # a sub-range behind the end is passed over
        (TIME_RANGE, (0.04, 0.12), [2, 3, 4]),
        (TIME_RANGE, (-1, 0), [1]),
        (TIME_RANGE, (0.13, 99), [5]),
    ],
)
def test_frames(tag: int, values: tuple[float, ...], expected: list[int]) -> None:
    assert numbers(tag, *values) == expected


@pytest.mark.parametrize(
    ("tag", "values"),
    [
        (SIMPLE, ()),
        (SIMPLE, (0,)),
        (SIMPLE, (2, 2)),
        (SIMPLE, (3, 1)),
        (SIMPLE, tuple(range(1, 16385))),
        (CALCULATED, ()),
        (CALCULATED, (1, 5)),
        (CALCULATED, (5, 1, 1)),
        (CALCULATED, (1, 5, 0)),
        (CALCULATED, (0, 5, 1)),
        (CALCULATED, (1, 3, 1, 3, 5, 1)),
        (CALCULATED, (3, 4, 1, 1, 2, 1)),
        (TIME_RANGE, (1.0,)),
        (TIME_RANGE, (2.0, 1.0)),
        (TIME_RANGE, (float("nan"), 1.0)),
        (TIME_RANGE, (0.0, 1.0, 2.0)),
    ],
)
def test_lists_that_break_the_rules(tag: int, values: tuple[float, ...]) -> None:
    with pytest.raises(InvalidFrameList):
        numbers(tag, *values)


@pytest.mark.parametrize(("tag", "values"), [(SIMPLE, (6, 7)), (CALCULATED, (6, 9, 1)), (TIME_RANGE, (0.05, 0.07))])
def test_none_of_them_is_there(tag: int, values: tuple[float, ...]) -> None:
    with pytest.raises(FrameNotFound):
        numbers(tag, *values)


def test_a_sub_range_is_no_longer_than_the_instance() -> None:
    assert len(numbers(CALCULATED, 1, 0xFFFFFFFF, 1)) == len(TIMES)
