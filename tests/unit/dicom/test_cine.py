"""How fast frames follow each other, from headers that say it well, badly, or not at all (PS3.3 C.7.6.5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dicom.cine import DEFAULT_MS, Cine, cine_of, still_pictures

RATE, CINE_RATE, TIME, VECTOR, POINTER, SEQUENCING = (
    0x00082144, 0x00180040, 0x00181063, 0x00181065, 0x00280009, 0x00181244,
)  # fmt: skip
TO_VECTOR, TO_TIME = b"\x18\x00\x65\x10", b"\x18\x00\x63\x10"


@pytest.mark.parametrize(
    ("header", "frame_ms"),
    [
        ({}, (DEFAULT_MS,) * 3),
        ({RATE: b"25", CINE_RATE: b"10", TIME: b"50"}, (40.0,) * 3),
        ({CINE_RATE: b"10 ", TIME: b"50"}, (100.0,) * 3),
        ({RATE: b"0 ", CINE_RATE: b"-4", TIME: b"50"}, (50.0,) * 3),
        ({RATE: b"fast", TIME: b"50\0"}, (50.0,) * 3),
        ({TIME: b""}, (DEFAULT_MS,) * 3),
        ({TIME: b"nan "}, (DEFAULT_MS,) * 3),
        ({TIME: b"inf "}, (DEFAULT_MS,) * 3),
        ({TIME: b"1e99"}, (DEFAULT_MS,) * 3),
        ({TIME: b"1"}, (20.0,) * 3),
        ({TIME: b"60000"}, (10_000.0,) * 3),
        ({POINTER: TO_VECTOR, VECTOR: b"0\\100\\300"}, (100.0, 300.0, 200.0)),
        ({POINTER: TO_VECTOR, VECTOR: b"0\\100 ", TIME: b"50"}, (50.0,) * 3),  # one too few
        ({POINTER: TO_VECTOR, VECTOR: b"0\\0\\0 ", TIME: b"50"}, (50.0,) * 3),
        ({POINTER: TO_TIME, VECTOR: b"0\\100\\300", TIME: b"50"}, (50.0,) * 3),
        ({POINTER: b"", TIME: b"50"}, (50.0,) * 3),
    ],
)
def test_times(header: dict[int, bytes], frame_ms: tuple[float, ...]) -> None:
    assert cine_of(header.get, 3) == Cine(frame_ms, True)


@pytest.mark.parametrize(("value", "is_looping"), [(b"\0\0", True), (b"\1\0", True), (b"\2\0", False), (b"", True)])
def test_whether_it_begins_again(value: bytes, is_looping: bool) -> None:
    assert cine_of({SEQUENCING: value}.get, 1).is_looping == is_looping


@given(st.lists(st.floats(20, 10_000), min_size=1, max_size=200))
def test_rounding_does_not_add_up(frame_ms: list[float]) -> None:
    found = Cine(tuple(frame_ms)).hundredths()
    assert all(2 <= one <= 1001 for one in found)
    assert abs(sum(found) - sum(frame_ms) / 10) <= 2
    assert len(found) == len(frame_ms)


def test_pictures_without_time() -> None:
    assert still_pictures(3).hundredths() == [10, 10, 10]
