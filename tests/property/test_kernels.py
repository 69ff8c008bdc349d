"""Every compiled kernel equals its numpy twin, over generated arrays and numbers of every type of stored value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.imaging.kernels import colour, gray, resample, twins
from engine.imaging.kernels.typed import TypedKernel
from engine.imaging.resize import _weights

Array = np.ndarray[Any, Any]
TYPES = ["u1", "u2", "i2", "u4", "i4", "f4", "f8"]
quick = settings(max_examples=60, deadline=None)
numbers = st.floats(-1e6, 1e6)
scales = st.one_of(st.floats(1e-6, 1e6), st.floats(-1e6, -1e-6), st.sampled_from([1e30, -1e30, 0.5, 255.0]))


def pixels(kind: str, dimensions: int = 2, samples: int | None = None) -> st.SearchStrategy[Array]:
    dtype = np.dtype(kind)
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
    if samples is not None:
        shapes = shapes.map(lambda s: (*s, samples))
    elements = hnp.from_dtype(dtype)  # with NaN and both infinities for floats, both ends for integers
    return hnp.arrays(dtype, shapes, elements=elements)


def same_grey(ours: Array, theirs: Array) -> None:
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", TYPES)
@quick
@given(data=st.data(), low=numbers, scale=scales, inverted=st.booleans())
def test_linear(kind: str, data: st.DataObject, low: float, scale: float, inverted: bool) -> None:
    stored = data.draw(pixels(kind))
    ours, theirs = np.empty(stored.shape, np.uint8), np.empty(stored.shape, np.uint8)
    gray.linear(stored, low, scale, inverted, ours)
    twins.linear(stored, low, scale, inverted, theirs)
    same_grey(ours, theirs)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2"])
@pytest.mark.parametrize("inverted", [False, True])
def test_linear_over_every_value_there_is(kind: str, inverted: bool) -> None:
    dtype = np.dtype(kind)
    stored = np.arange(np.iinfo(dtype).min, np.iinfo(dtype).max + 1).astype(dtype).reshape(16, -1)
    for low, scale in ((-1024.5, 255 / 400), (0.0, 1e30), (40.0, -0.37), (3e4, 255 / 65535)):
        ours, theirs = np.empty(stored.shape, np.uint8), np.empty(stored.shape, np.uint8)
        gray.linear(stored, low, scale, inverted, ours)
        twins.linear(stored, low, scale, inverted, theirs)
        same_grey(ours, theirs)


@pytest.mark.parametrize("kind", TYPES)
@quick
@given(
    data=st.data(),
    slope=scales.filter(lambda s: abs(s) < 1e7),
    intercept=numbers,
    center=numbers,
    width=st.floats(1e-9, 1e6),
    inverted=st.booleans(),
)
def test_sigmoid(
    kind: str, data: st.DataObject, slope: float, intercept: float, center: float, width: float, inverted: bool
) -> None:
    stored = data.draw(pixels(kind))
    ours, theirs = np.empty(stored.shape, np.uint8), np.empty(stored.shape, np.uint8)
    gray.sigmoid(stored, slope, intercept, center, width, inverted, ours)
    twins.sigmoid(stored, slope, intercept, center, width, inverted, theirs)
    # Two libraries' exp, and LLVM may fuse the product and sum: a value half way between greys may go either way.
    assert np.abs(ours.astype(int) - theirs).max(initial=0) <= 1


@pytest.mark.parametrize("kind", TYPES)
@quick
@given(data=st.data(), ends=st.tuples(numbers, numbers))
@example(data=None, ends=(1.0, 0.0))
def test_extremes(kind: str, data: st.DataObject | None, ends: tuple[float, float]) -> None:
    stored = np.arange(6, dtype=kind).reshape(2, 3) if data is None else data.draw(pixels(kind))
    assert gray.extremes(stored, *ends) == twins.extremes(stored, *ends)


@pytest.mark.parametrize("kind", TYPES)
def test_extremes_of_nothing_but_padding(kind: str) -> None:
    stored = np.full((3, 4), 7, kind)
    assert gray.extremes(stored, 0.0, 100.0) == twins.extremes(stored, 0.0, 100.0) == (0.0, 0.0)
    assert gray.extremes(np.empty((0, 4), kind), 1.0, 0.0) == (0.0, 0.0)


@quick
@given(ybr=pixels("u1", samples=3))
def test_ybr_full_to_rgb(ybr: Array) -> None:
    ours, theirs = np.empty(ybr.shape, np.uint8), np.empty(ybr.shape, np.uint8)
    colour.ybr_full_to_rgb(ybr, ours)
    twins.ybr_full_to_rgb(ybr, theirs)
    assert np.abs(ours.astype(int) - theirs).max(initial=0) <= 1  # a fused product and sum, half way between two values


def bounded(kind: str) -> st.SearchStrategy[Any]:
    """Values whose weighted sums are no overflow."""
    if np.dtype(kind).kind == "f":
        return st.one_of(st.floats(-(2.0**60), 2.0**60, width=32), st.just(float("nan")))
    return hnp.from_dtype(np.dtype(kind))


@pytest.mark.parametrize("kind", TYPES)
@quick
@given(data=st.data(), target=st.integers(1, 20), samples=st.sampled_from([1, 3]), reduce=st.integers(0, 2))
def test_resampling(kind: str, data: st.DataObject, target: int, samples: int, reduce: int) -> None:
    shape = (data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9)), samples)
    source = data.draw(hnp.arrays(kind, shape, elements=bounded(kind)))
    whole = data.draw(st.integers(shape[1] * 2**reduce - 2**reduce + 1, shape[1] * 2**reduce))
    first, weights = _weights(shape[1], target, whole, reduce)
    assert first.min() >= 0 and first.max() + weights.shape[1] <= shape[1]
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    ours, theirs = np.empty((shape[0], target, samples)), np.empty((shape[0], target, samples))
    resample.across(source, first, weights, ours)
    twins.across(source, first, weights, theirs)
    largest = np.nanmax(np.abs(source.astype(float)), initial=1.0)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * largest)
    flat = np.ascontiguousarray(source.transpose(1, 0, 2)).reshape(shape[1], -1)
    ours, theirs = np.empty((target, flat.shape[1])), np.empty((target, flat.shape[1]))
    resample.down(flat, first, weights, ours)
    twins.down(flat, first, weights, theirs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * largest)


@pytest.mark.parametrize("kind", ["u2", "i2", "f4"])
def test_stored_bytes_need_no_second_compilation(kind: str) -> None:
    """Read-only and unaligned arrays are what stored frames are; they must neither be copied nor compiled for again."""
    values = np.arange(12, dtype=kind).reshape(3, 4)
    unaligned = np.frombuffer(b"\0" + values.tobytes(), np.uint8)[1:].view(kind).reshape(3, 4)
    assert not unaligned.flags.writeable
    assert not unaligned.flags.aligned
    for stored in (values, np.frombuffer(values.tobytes(), kind).reshape(3, 4), unaligned):
        out = np.empty((3, 4), np.uint8)
        gray.linear(stored, 0.0, 10.0, False, out)
        assert out.ravel().tolist() == [10 * i for i in range(12)]
    compiled = gray.linear._compiled[np.dtype(kind)]
    assert len(compiled.signatures) == 1  # type: ignore[attr-defined]


def test_every_kernel_has_its_twin() -> None:
    kernels = {
        name: value
        for module in (gray, colour, resample)
        for name, value in vars(module).items()
        if isinstance(value, TypedKernel)
    }
    assert len(kernels) == 6
    for name, kernel in kernels.items():
        assert callable(getattr(twins, name))
        # numba's cache looks at the kernel's own file only: nothing compiled may come from another one.
        used = kernel.py_func.__code__.co_names
        assert set(used) <= {
            "np",
            "math",
            "shape",
            "float64",
            "int32",
            "uint8",
            "inf",
            "exp",
            "range",
            "len",
            "min",
            "max",
            "abs",
        }
