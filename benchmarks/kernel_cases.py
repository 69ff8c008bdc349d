"""Every kernel on one CT slice, with its numpy twin and a plain copy of what it reads: for `render_kernels` and `threads`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.streams import WINDOW
from engine.codec.bits import unpack
from engine.codec.planes import interleaved
from engine.imaging.kernels import colour, gray, lut, orient, palette, resample, rescale, table_twins, twins
from engine.imaging.resize import _weights
from engine.imaging.window import linear_terms

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """Functions without arguments, into buffers of their own. `copy`: of the bytes that are read, one buffer to another."""

    name: str
    kernel: Callable[[], object]
    twin: Callable[[], object]
    copy: Callable[[], object]


def cases(values: Array) -> list[Case]:
    """`values`: a square slice of 16 bits. Call it once for each thread."""
    values = values.view(np.uint16) if values.min() >= 0 else (values.astype(np.int32) + 1024).astype(np.uint16)
    return [
        *_greys(values, "unsigned"), *_greys(values.astype(np.int16) - np.int16(1024), "signed"), *_eight_bits(values),
        *_tables(values), *_colours(values), *_bits(values), *_sizes(values), *_turns(values),
    ]  # fmt: skip


def case(name: str, kernel: Any, twin: Any, source: Array, *rest: Any) -> Case:
    """Both called as ``f(source, *rest)``."""
    room = np.empty_like(source)
    copy = np.copyto
    return Case(name, lambda: kernel(source, *rest), lambda: twin(source, *rest), lambda: copy(room, source))


def _greys(values: Array, kind: str) -> list[Case]:
    out = np.empty(values.shape, np.uint8)
    offset = -1024.0 if kind == "unsigned" else 0.0
    terms = linear_terms(WINDOW, 1.0, offset)
    more = 1.0, offset, WINDOW.center, WINDOW.width, False, out
    flat, reals = values.reshape(-1), np.empty(values.size)
    return [
        case(f"window, linear, {kind}", gray.linear, twins.linear, values, *terms, False, out),
        case(
            f"window, linear exact, {kind}", gray.linear, twins.linear, values, -160.0 - offset, 255 / 400, False, out
        ),
        # A slope that sixteen bits are too few for.
        case(f"window, linear, wide, {kind}", gray.linear, twins.linear, values, 0.5, 255 / 13101, False, out),
        case(f"window, sigmoid, {kind}", gray.sigmoid, twins.sigmoid, values, *more),
        case(f"rescale, {kind}", rescale.rescaled, twins.rescaled, flat, 1.0, offset, -2000.0, 5000.0, reals),
        case(f"extremes beside padding, {kind}", gray.extremes, twins.extremes, values, 0.0, 0.0),
    ]


def _eight_bits(values: Array) -> list[Case]:
    bytes_, out = (values >> 4).astype(np.uint8), np.empty(values.shape, np.uint8)
    reals, rgb = values.astype(np.float64), np.ascontiguousarray(np.concatenate([values] * 3, axis=1))
    return [
        case("window, linear, 8 bits", gray.linear, twins.linear, bytes_, 20.0, 1.7, False, out),
        case("window, linear, after a change of size", gray.linear, twins.linear, reals, 864.5, 255 / 399, False, out),
        case("window, sigmoid, after a change of size", gray.sigmoid, twins.sigmoid, reals, 1.0, 0.0, 1064.0, 400.0, False, out),
        case("extremes of floats beside padding", gray.extremes, twins.extremes, reals, 0.0, 0.0),
        case("16 to 8 bits, colour", gray.linear, twins.linear, rgb, 0.0, 255 / 65535, False, np.empty(rgb.shape, np.uint8)),
    ]  # fmt: skip


def _tables(values: Array) -> list[Case]:
    out, wide, reals = np.empty(values.shape, np.uint8), np.empty(values.shape, np.uint16), values.astype(np.float64)
    small = np.random.default_rng(1).integers(0, 256, 4096).astype(np.uint8)
    large = np.random.default_rng(2).integers(0, 65536, 65536).astype(np.uint16)
    counts = np.zeros(65536, np.int64)
    return [
        case("LUT to greys", lut.greys, table_twins.greys, values, 0, small, out),
        case("LUT to 16 bits", lut.values, table_twins.values, values, 0, large, wide),
        case("LUT of modality values", lut.greys_of_values, table_twins.greys_of_values, reals, 1.0, 0.0, 0, small, out),
        case("histogram", lut.histogram, table_twins.histogram, values, 1.0, 0.0, 0, counts),
    ]  # fmt: skip


def _colours(values: Array) -> list[Case]:
    bytes_ = (values >> 4).astype(np.uint8)
    rgb, table = (
        np.empty((*values.shape, 3), np.uint8),
        np.random.default_rng(3).integers(0, 256, (256, 3)).astype("u1"),
    )
    ybr = np.ascontiguousarray(np.dstack([bytes_, bytes_[::-1], bytes_[:, ::-1]]))
    planes = np.ascontiguousarray(ybr.transpose(2, 0, 1))
    return [
        case("palette", palette.colours, table_twins.colours, bytes_, 0, table, rgb),
        case("palette over grey", palette.colours_over_grey, table_twins.colours_over_grey, values, bytes_, 2000, table, rgb),
        case("YBR_FULL to RGB", colour.ybr_full_to_rgb, twins.ybr_full_to_rgb, ybr, np.empty_like(ybr)),
        Case(
            "planes to pixels",
            lambda: interleaved(planes, 3, rgb),
            lambda: np.copyto(rgb, planes.transpose(1, 2, 0)),
            lambda: np.copyto(rgb.reshape(-1), planes.reshape(-1)),
        ),
    ]  # fmt: skip


def _bits(values: Array) -> list[Case]:
    found = []
    for name, bits, first in (("1 bit", 1, 0), ("1 bit, from inside a byte", 1, 3), ("12 bits", 12, 0)):
        data = np.random.default_rng(4).integers(0, 256, (values.size * bits + 15) // 8).astype(np.uint8)
        room = np.empty_like(data)
        out = np.empty(values.size, np.uint8 if bits == 1 else np.uint16)
        found.append(
            Case(
                f"unpack {name}",
                lambda d=data, b=bits, f=first, o=out: unpack(d.data, b, o.size, f, o),
                lambda d=data, b=bits, f=first, o=out: _unpacked(d, b, f, o),
                lambda d=data, r=room: np.copyto(r, d),
            )
        )
    return found


def _unpacked(data: Array, bits: int, first: int, out: Array) -> None:
    single = np.unpackbits(data, bitorder="little")[first : first + bits * out.size].reshape(-1, bits)
    out[...] = single[:, 0] if bits == 1 else single.astype(np.uint16) @ (np.uint16(1) << np.arange(bits, dtype="u2"))


def _sizes(values: Array) -> list[Case]:
    side, cube, found = len(values), values[:, :, None], []
    for to in (side // 2, side // 4):
        sums, pairs = np.empty((2, side), np.int32)
        name, out = f"area, {side}² to {to}² in blocks", np.empty((to, to, 1))
        found.append(case(name, resample.blocks, twins.blocks, cube, sums, pairs, out))
    for name, to in (("area", 200), ("bicubic", 2 * side)):
        weights, what = _weights(side, to, side, 0), f"{name}, {side} to {to}"
        found.append(case(f"{what} rows", resample.down, twins.down, values, *weights, np.empty((to, side))))
        out = np.empty((side, to, 1))
        found.append(case(f"{what} columns", resample.across, twins.across, cube, *weights, True, out))
    return found


def _turns(values: Array) -> list[Case]:
    bytes_ = (values >> 4).astype(np.uint8)
    rgb = np.ascontiguousarray(np.dstack([bytes_] * 3))
    found = []
    for name, image in (("8 bits", bytes_), ("16 bits", values), ("colour", rgb)):
        for turn, rotation, is_flipped in (("rotate by 90°", 90, False), ("flip", 0, True)):
            if image is rgb or rotation:  # the flip of grey is numpy's own
                found.append(case(f"{turn}, {name}", orient.oriented, twins.oriented, image, rotation, is_flipped))
    return found
