"""Every compiled kernel equals its numpy twin, over generated arrays and numbers of every type of stored value."""

from __future__ import annotations

import importlib
import math
import pkgutil
import types
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.dicom.frame import VoiLutFunction, Window
from engine.imaging import kernels
from engine.imaging.kernels import colour, gray, orient, resample, rescale, twins, window
from engine.imaging.kernels.typed import TypedKernel
from engine.imaging.resize import _weights
from engine.imaging.window import linear_terms

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


def every_value(kind: str) -> Array:
    dtype = np.dtype(kind)
    return np.arange(np.iinfo(dtype).min, np.iinfo(dtype).max + 1).astype(dtype).reshape(16, -1)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2"])
@settings(max_examples=150, deadline=None)
@given(
    first=st.one_of(st.integers(-40_000, 80_000).map(lambda n: n / 2), st.floats(-1e5, 1e5)),
    width=st.one_of(st.integers(1, 70_000).map(float), st.floats(1e-3, 1e6)),
    slope=st.sampled_from([1.0, -1.0, 0.5, 0.1, -3.7, 2.0, 1.23456789]),
    inverted=st.booleans(),
)
@example(first=0.0, width=255e-30, slope=1.0, inverted=False)
@example(first=-32768.0, width=65535.0, slope=1.0, inverted=True)
@example(first=1e300, width=1.0, slope=1.0, inverted=False)
@example(first=1e18, width=1e3, slope=-1.0, inverted=False)
@example(first=70_000.0, width=10.0, slope=1.0, inverted=False)
@example(first=-70_000.0, width=10.0, slope=1.0, inverted=True)
def test_linear_over_every_value_there_is(kind: str, first: float, width: float, slope: float, inverted: bool) -> None:
    stored, scale = every_value(kind), 255.0 / width * slope
    ours, theirs = np.empty(stored.shape, np.uint8), np.empty(stored.shape, np.uint8)
    gray.linear(stored, first, scale, inverted, ours)
    twins.linear(stored, first, scale, inverted, theirs)
    same_grey(ours, theirs)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2"])
def test_the_usual_windows_are_done_in_whole_numbers(kind: str) -> None:
    """A line that is right is found, so that the fast loops are what the test above has tested."""
    stored = every_value(kind)
    out = np.empty(stored.shape, np.uint8)
    widths = [(40, 400), (40, 80), (-600, 1500), (400, 1800), (50, 350), (2048, 4096), (127.5, 255), (32, 8), (1, 2)]
    for center, width in [*widths, (32768, 65536), (600, 12000)]:
        low, scale = center - 0.5 - (width - 1) / 2 + 1024, 255 / (width - 1)
        for inverted in (False, True):
            for sign in (1.0, -1.0):
                assert window.linear_in_whole_numbers(stored, low, scale * sign, inverted, out), (center, width, sign)


@pytest.mark.parametrize("kind", ["u2", "i2"])
@pytest.mark.parametrize("slope", [1.0, 0.5, 2.0, 0.1, -1.0])
@pytest.mark.parametrize("is_exact", [False, True])
def test_every_window_in_use_is_done_in_whole_numbers(kind: str, slope: float, is_exact: bool) -> None:
    """Exact halves between two greys too (LINEAR_EXACT 40/400 has 40 of them), whichever way a float rounds them."""
    for width in range(2, 5000, 23):
        for center in (40.0, 40.5, 300.0, -600.0):
            shown = Window(center, float(width), VoiLutFunction.LINEAR_EXACT if is_exact else VoiLutFunction.LINEAR)
            low, scale = linear_terms(shown, slope, -1024.0)
            assert window._line(low, scale, False, np.dtype(kind).char) is not None, (center, width)


def test_halves_go_up() -> None:
    stored = np.arange(-160, 241, dtype=np.int16)[None]
    out = np.empty(stored.shape, np.uint8)
    gray.linear(stored, -160.0, 255 / 400, False, out)
    for value, grey in zip(stored[0].tolist(), out[0].tolist(), strict=True):
        assert grey == (2 * (value + 160) * 255 + 400) // 800


@pytest.mark.parametrize("low, scale", [(math.nan, 1.0), (0.0, math.nan), (math.inf, 1.0), (0.0, math.inf), (0.0, 0.0)])
def test_a_window_of_no_numbers_is_left_to_floats(low: float, scale: float) -> None:
    stored, out = np.arange(12, dtype=np.uint16).reshape(3, 4), np.full((3, 4), 7, np.uint8)
    assert not window.linear_in_whole_numbers(stored, low, scale, False, out)
    assert (out == 7).all()
    theirs = np.empty_like(out)
    gray.linear(stored, low, scale, False, out)
    twins.linear(stored, low, scale, False, theirs)
    same_grey(out, theirs)


@pytest.mark.parametrize("kind", [">u2", ">i2", ">u4", ">f4"])
def test_the_other_byte_order_is_refused_not_misread(kind: str) -> None:
    """Decoders give the machine's own."""
    stored, out = np.arange(12).reshape(3, 4).astype(kind), np.empty((3, 4), np.uint8)
    with pytest.raises(numba.core.errors.NumbaError):
        gray.linear(stored, 0.0, 1.0, False, out)
    with pytest.raises(numba.core.errors.NumbaError):
        gray.sigmoid(stored, 1.0, 0.0, 0.0, 1.0, False, out)
    with pytest.raises(numba.core.errors.NumbaError):
        gray.extremes(stored, 1.0, 0.0)


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
    # For integers both look at the same numbers. Else two libraries' exp: a value half way between greys may go either way.
    assert np.abs(ours.astype(int) - theirs).max(initial=0) <= (0 if kind in ("u1", "u2", "i2") else 1)


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


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "u4", "i4"])
@pytest.mark.parametrize(
    "ends",
    [(-math.inf, 5.0), (5.0, math.inf), (0.5, 0.9), (math.nan, 3.0), (-1e300, -1e200), (1e200, 1e300), (-0.5, 0.0)],
)
def test_extremes_beside_padding_that_no_value_can_have(kind: str, ends: tuple[float, float]) -> None:
    stored = np.arange(30, dtype=kind).reshape(5, 6)
    assert gray.extremes(stored, *ends) == twins.extremes(stored, *ends)


@pytest.mark.parametrize("kind", TYPES)
@quick
@given(data=st.data(), slope=scales.filter(lambda s: abs(s) < 1e7), intercept=numbers, ends=st.tuples(numbers, numbers))
def test_rescaled(kind: str, data: st.DataObject, slope: float, intercept: float, ends: tuple[float, float]) -> None:
    stored = data.draw(pixels(kind)).reshape(-1)
    ours, theirs = np.empty(stored.shape), np.empty(stored.shape)
    rescale.rescaled(stored, slope, intercept, *ends, ours)
    twins.rescaled(stored, slope, intercept, *ends, theirs)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", ["u2", "i2"])
@pytest.mark.parametrize("bits", [16, 12, 10])
def test_sixteen_bits_to_eight(kind: str, bits: int) -> None:
    """Colours of more than 8 bits: every value there is, by the window's loops."""
    stored, scale = every_value(kind), 255.0 / ((1 << bits) - 1)
    ours, theirs = np.empty(stored.shape, np.uint8), np.empty(stored.shape, np.uint8)
    gray.linear(stored, 0.0, scale, False, ours)
    twins.linear(stored, 0.0, scale, False, theirs)
    same_grey(ours, theirs)


@quick
@given(ybr=pixels("u1", samples=3))
def test_ybr_full_to_rgb(ybr: Array) -> None:
    ours, theirs = np.empty(ybr.shape, np.uint8), np.empty(ybr.shape, np.uint8)
    colour.ybr_full_to_rgb(ybr, ours)
    twins.ybr_full_to_rgb(ybr, theirs)
    np.testing.assert_array_equal(ours, theirs)


def test_every_colour_there_is() -> None:
    chroma = np.stack(np.meshgrid(*[np.arange(256)] * 2, indexing="ij"), axis=-1).astype(np.uint8)
    for luma in range(0, 256, 5):
        ybr = np.concatenate([np.full((256, 256, 1), luma, np.uint8), chroma], axis=-1)
        ours, theirs = np.empty(ybr.shape, np.uint8), np.empty(ybr.shape, np.uint8)
        colour.ybr_full_to_rgb(ybr, ours)
        twins.ybr_full_to_rgb(ybr, theirs)
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2"])
@quick
@given(data=st.data(), tall=st.integers(1, 9), wide=st.integers(1, 9), samples=st.sampled_from([1, 3]))
def test_blocks(kind: str, data: st.DataObject, tall: int, wide: int, samples: int) -> None:
    height, width = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    shape = height * tall, width * wide, samples
    source = data.draw(hnp.arrays(kind, shape, elements=hnp.from_dtype(np.dtype(kind))))
    ours, theirs = np.empty((height, width, samples)), np.empty((height, width, samples))
    sums, pairs = np.empty((2, shape[1] * samples), np.int32)
    resample.blocks(source, sums, pairs, ours)
    twins.blocks(source, sums, pairs, theirs)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("extreme", ["min", "max"])
@pytest.mark.parametrize("kind", ["u2", "i2"])
def test_the_largest_blocks_do_not_overflow(kind: str, extreme: str) -> None:
    from engine.imaging.resize import resized

    value = getattr(np.iinfo(kind), extreme)
    for side in (181, 182):  # just below and above what adds up in 32 bits
        mean = resized(np.full((side, side), value, kind), (1, 1), (side, side), 0)
        np.testing.assert_allclose(mean, value, rtol=1e-12)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "i4", "f4", "f8"])
@quick
@given(
    data=st.data(),
    rotation=st.sampled_from([0, 90, 180, 270]),
    is_flipped=st.booleans(),
    samples=st.sampled_from([None, 1, 3]),
    unaligned=st.booleans(),
)
def test_oriented(
    kind: str, data: st.DataObject, rotation: int, is_flipped: bool, samples: int | None, unaligned: bool
) -> None:
    rows, columns = data.draw(st.tuples(st.integers(1, 70), st.integers(1, 70)))
    shape = (rows, columns) if samples is None else (rows, columns, samples)
    image = np.arange(math.prod(shape)).astype(kind).reshape(shape)
    if unaligned:
        image = np.frombuffer(b"\0" + image.tobytes(), np.uint8)[1:].view(kind).reshape(shape)
    ours = orient.oriented(image, rotation, is_flipped)
    assert ours.flags.c_contiguous
    assert ours.flags.writeable
    np.testing.assert_array_equal(ours, twins.oriented(image, rotation, is_flipped))


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
    is_plain = source.dtype.kind != "f"
    resample.across(source, first, weights, is_plain, ours)
    twins.across(source, first, weights, is_plain, theirs)
    largest = np.nanmax(np.abs(source.astype(float)), initial=1.0)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * largest)
    flat = np.ascontiguousarray(source.transpose(1, 0, 2)).reshape(shape[1], -1)
    ours, theirs = np.empty((target, flat.shape[1])), np.empty((target, flat.shape[1]))
    resample.down(flat, first, weights, ours)
    twins.down(flat, first, weights, theirs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * largest)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "f4"])
@pytest.mark.parametrize("columns", [3, 4])
def test_stored_bytes_need_no_second_compilation(kind: str, columns: int) -> None:
    """Read-only and unaligned arrays are what stored frames are; they must neither be copied nor compiled for again."""
    values = np.arange(3 * columns, dtype=kind).reshape(3, columns)
    unaligned = np.frombuffer(b"\0" + values.tobytes(), np.uint8)[1:].view(kind).reshape(3, columns)
    assert not unaligned.flags.writeable
    for stored in (values, np.frombuffer(values.tobytes(), kind).reshape(3, columns), unaligned):
        out = np.empty((3, columns), np.uint8)
        gray.linear(stored, 0.0, 10.0, False, out)
        assert out.ravel().tolist() == [10 * i for i in range(3 * columns)]
    for one in every_kernel().values():
        for form in one._compiled.values():
            assert len(form.signatures) == 1  # type: ignore[attr-defined]


def every_kernel() -> dict[str, TypedKernel]:
    """By module and name, of all modules that there are."""
    names = [info.name for info in pkgutil.iter_modules(kernels.__path__)]
    modules = [importlib.import_module(f"{kernels.__name__}.{name}") for name in names]
    found = {id(one): (m, n, one) for m in modules for n, one in vars(m).items() if isinstance(one, TypedKernel)}
    return {f"{m.__name__.rpartition('.')[2]}.{name}": one for m, name, one in found.values()}


# kernel → the function of `twins` that it is held to, by itself or as a part of the function that calls it
TWIN_OF = {
    "window.fit": "linear",
    "window.lanes": "linear",
    "window.fine": "linear",
    "gray.linear_in_floats": "linear",
    "gray.sigmoid_in_floats": "sigmoid",
    "gray.by_table": "sigmoid",
    "gray.extremes_of_integers": "extremes",
    "gray.extremes_of_floats": "extremes",
    "colour.rgb_of_ybr_full": "ybr_full_to_rgb",
    "rescale.rescaled": "rescaled",
    "resample.down": "down",
    "resample.across": "across",
    "resample.blocks": "blocks",
    "orient.mirrored": "oriented",
    "orient.transposed": "oriented",
    "orient.transposed_samples": "oriented",
}


def test_every_kernel_has_its_twin() -> None:
    elsewhere = ("lut.", "palette.")  # `table_twins`, test_tables
    ours = {name for name in every_kernel() if not name.startswith(elsewhere)}
    assert ours == set(TWIN_OF)
    assert all(callable(getattr(twins, name)) for name in TWIN_OF.values())


@pytest.mark.parametrize("name", sorted(every_kernel()))
def test_a_kernel_calls_nothing_that_its_cache_does_not_know(name: str) -> None:
    """numba's cache looks at the kernel's own file only: no compiled function may come from another one."""
    function = every_kernel()[name].py_func
    known = function.__globals__ | dict(
        zip(function.__code__.co_freevars, (c.cell_contents for c in function.__closure__ or ()), strict=True)
    )
    used = {n: known[n] for n in (*function.__code__.co_names, *function.__code__.co_freevars) if n in known}
    for what in used.values():
        is_library = isinstance(what, types.ModuleType) and what.__name__ in ("numpy", "math")
        assert is_library or isinstance(what, np.generic | int | float | numba.types.Type), what
