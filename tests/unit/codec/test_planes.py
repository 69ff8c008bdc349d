"""Planes to pixels against numpy's transposition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine._native import interleave_planes
from engine.codec.planes import interleaved

Array = np.ndarray[Any, Any]
KINDS = ["u1", "i2", "u2", "i4", "f4", "f8"]


def planes_of(kind: str, samples: int, count: int) -> Array:
    return np.random.default_rng(count).integers(0, 120, (samples, count)).astype(kind)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(samples=st.integers(1, 5), count=st.integers(0, 300), unaligned=st.booleans())
def test_equals_numpys_transposition(kind: str, samples: int, count: int, unaligned: bool) -> None:
    planes = planes_of(kind, samples, count)
    given_: Array = planes
    if unaligned:  # and read-only: stored bytes
        given_ = np.frombuffer(b"x" + planes.tobytes(), np.uint8)[1:].view(kind)
    want = planes.T
    got = interleaved(given_, samples)
    assert got.shape == (count, samples) and got.dtype == planes.dtype and got.flags.c_contiguous
    np.testing.assert_array_equal(got, want)
    out = np.empty((count, samples), kind)
    assert interleaved(given_, samples, out) is out
    np.testing.assert_array_equal(out, want)


def test_what_does_not_fit_is_refused() -> None:
    planes = planes_of("u1", 3, 8)
    with pytest.raises(ValueError, match="another size"):
        interleaved(planes, 3, np.empty(23, np.uint8))
    with pytest.raises(ValueError, match="out must be"):
        interleaved(planes, 3, np.empty(24, np.int8))
    with pytest.raises(ValueError, match="no planes"):
        interleaved(planes[:, :7].copy(), 4)
    with pytest.raises(ValueError, match="overlap"):
        interleaved(planes, 3, planes.reshape(-1))
    room = np.empty(24, np.uint8)
    for samples, item_bytes in ((0, 1), (3, 3), (3, 0), (5, 1)):
        with pytest.raises(ValueError, match="no planes"):
            interleave_planes(planes, room, samples, item_bytes)
