"""The kernels of tables and palettes equal their numpy twins, over generated arrays of every type of stored value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.imaging.kernels import lut, palette
from engine.imaging.kernels import table_twins as twins

Array = np.ndarray[Any, Any]
WHOLE = ["u1", "i1", "u2", "i2", "u4", "i4"]
quick = settings(max_examples=60, deadline=None)
firsts = st.one_of(st.integers(-70_000, 70_000), st.integers(-300, 300))


def pixels(kind: str) -> st.SearchStrategy[Array]:
    dtype = np.dtype(kind)
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
    return hnp.arrays(dtype, shapes, elements=hnp.from_dtype(dtype))


def tables(kind: str, columns: int = 0) -> st.SearchStrategy[Array]:
    sizes = st.one_of(st.integers(1, 20), st.sampled_from([256, 65536]))
    shape = sizes.map(lambda n: (n, columns) if columns else (n,))
    return shape.flatmap(lambda s: st.integers(0, 2**31).map(lambda seed: filled(kind, s, seed)))


def filled(kind: str, shape: tuple[int, ...], seed: int) -> Array:
    return np.random.default_rng(seed).integers(0, np.iinfo(kind).max + 1, shape).astype(kind)


def as_stored_bytes(array: Array) -> Array:
    """The same values read-only and at an odd address, as they come out of a segment."""
    raw = b"x" + array.tobytes()
    return np.frombuffer(raw, array.dtype, offset=1).reshape(array.shape)


@pytest.mark.parametrize("kind", WHOLE)
@quick
@given(data=st.data(), first=firsts)
def test_greys(kind: str, data: st.DataObject, first: int) -> None:
    stored, table = as_stored_bytes(data.draw(pixels(kind))), as_stored_bytes(data.draw(tables("u1")))
    ours, theirs = np.empty(stored.shape, np.uint8), np.empty(stored.shape, np.uint8)
    lut.greys(stored, first, table, ours)
    twins.greys(stored, first, table, theirs)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", WHOLE)
@quick
@given(data=st.data(), first=firsts)
def test_values(kind: str, data: st.DataObject, first: int) -> None:
    stored, table = data.draw(pixels(kind)), data.draw(tables("u2"))
    ours, theirs = np.empty(stored.shape, np.uint16), np.empty(stored.shape, np.uint16)
    lut.values(stored, first, table, ours)
    twins.values(stored, first, table, theirs)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", ["u2", "i2", "f4", "f8"])
@quick
@given(
    data=st.data(),
    first=firsts,
    slope=st.sampled_from([1.0, -1.0, 0.5, 2.5, 1e-3]),
    intercept=st.integers(-2000, 2000).map(float),
)
def test_greys_of_values(kind: str, data: st.DataObject, first: int, slope: float, intercept: float) -> None:
    given_, table = data.draw(pixels(kind)), data.draw(tables("u1"))
    ours, theirs = np.empty(given_.shape, np.uint8), np.empty(given_.shape, np.uint8)
    lut.greys_of_values(given_, slope, intercept, first, table, ours)
    twins.greys_of_values(given_, slope, intercept, first, table, theirs)
    # LLVM may fuse the product and sum: half way between two entries it may take the other
    with np.errstate(all="ignore"):
        at = given_.astype(np.float64) * slope + intercept
        is_half = np.abs(at - np.floor(at) - 0.5) < 1e-6
    np.testing.assert_array_equal(ours[~is_half], theirs[~is_half])


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2"])
@quick
@given(data=st.data(), ends=st.tuples(st.integers(-70_000, 70_000), st.integers(-70_000, 70_000)))
def test_histogram(kind: str, data: st.DataObject, ends: tuple[int, int]) -> None:
    stored = data.draw(pixels(kind))
    info = np.iinfo(kind)
    counts = [np.zeros(info.max - info.min + 1, np.int64) for _ in range(2)]
    lut.histogram(stored, float(ends[0]), float(ends[1]), info.min, counts[0])
    twins.histogram(stored, float(ends[0]), float(ends[1]), info.min, counts[1])
    np.testing.assert_array_equal(*counts)
    kept = stored[~((stored >= ends[0]) & (stored <= ends[1]))]
    assert counts[0].sum() == kept.size
    assert np.count_nonzero(counts[0]) == len(np.unique(kept))


@pytest.mark.parametrize("kind", WHOLE)
@quick
@given(data=st.data(), first=firsts)
def test_colours(kind: str, data: st.DataObject, first: int) -> None:
    stored, table = as_stored_bytes(data.draw(pixels(kind))), data.draw(tables("u1", 3))
    ours, theirs = np.empty((*stored.shape, 3), np.uint8), np.empty((*stored.shape, 3), np.uint8)
    palette.colours(stored, first, table, ours)
    twins.colours(stored, first, table, theirs)
    np.testing.assert_array_equal(ours, theirs)
    grey = filled("u1", stored.shape, 5)
    palette.colours_over_grey(stored, grey, first, table, ours)
    twins.colours_over_grey(stored, grey, first, table, theirs)
    np.testing.assert_array_equal(ours, theirs)
