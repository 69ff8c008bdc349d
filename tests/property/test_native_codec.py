"""RLE, bit cells and resolution ends of the native part against plain twins; whatever bytes come, one error or a right answer."""

from __future__ import annotations

import random
import struct
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
from code_streams import rle, slice_values
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from engine._native import resolution_ends, rle_decode
from engine.codec.bits import unpack
from engine.codec.rle import rle_encode

IMAGES = st.sampled_from(["u1", "i2", "u4"]).flatmap(
    lambda kind: stn.arrays(
        kind,
        st.tuples(st.integers(1, 9), st.integers(1, 300))
        | st.tuples(st.integers(1, 5), st.integers(1, 99), st.just(3)),
        # few values: runs of every length and, between them, what has none
        elements=st.sampled_from([0, 1, 100]) if kind == "u1" else st.sampled_from([0, 1, 256, 257, 32767]),
    )
)


def geometry(values: np.ndarray[Any, Any]) -> tuple[int, int, int, int]:
    return *values.shape[:2], values.shape[2] if values.ndim == 3 else 1, values.itemsize


@settings(max_examples=300, deadline=None)
@given(values=IMAGES)
def test_what_is_packed_comes_back_and_is_no_larger_than_pydicoms(values: np.ndarray[Any, Any]) -> None:
    code = rle_encode(values)
    theirs = rle(values)
    out = np.empty_like(values)
    for stream in (code, theirs):
        out[...] = 0
        rle_decode(stream, out, *geometry(values))
        np.testing.assert_array_equal(out, values)
    planes = geometry(values)[2] * values.itemsize
    assert len(code) <= len(theirs) + planes  # a segment's padding byte


@settings(max_examples=100, deadline=None)
@given(values=IMAGES)
def test_the_bound_of_annex_g_holds(values: np.ndarray[Any, Any]) -> None:
    """A literal run of 128 costs one byte more: nothing grows by more than that and the header."""
    rows, columns, samples, item_bytes = geometry(values)
    assert len(rle_encode(values)) <= 64 + samples * item_bytes * (rows * (columns + -(-columns // 128)) + 1)


def unpacked(segment: bytes) -> bytes:
    """G.3.2, byte by byte."""
    out, at = bytearray(), 0
    while at < len(segment):
        control = segment[at]
        at += 1
        if control < 128:
            out += segment[at : at + control + 1]
            at += control + 1
        elif control > 128 and at < len(segment):
            out += segment[at : at + 1] * (257 - control)
            at += 1
    return bytes(out)


@settings(max_examples=500, deadline=None)
@given(first=st.binary(max_size=200), second=st.binary(max_size=200), size=st.integers(0, 400), swapped=st.booleans())
@example(first=b"\x7f", second=b"\xff", size=1, swapped=False)
@example(first=b"\xff\x01", second=b"\xff\x02", size=2, swapped=True)
def test_any_two_segments_decode_as_annex_g_says_or_are_refused(
    first: bytes, second: bytes, size: int, swapped: bool
) -> None:
    starts = (64 + len(second), 64) if swapped else (64, 64 + len(first))
    body = second + first if swapped else first + second
    code = struct.pack("<16I", 2, *starts, *(0,) * 13) + body
    if starts[0] == starts[1]:  # two that begin at the same byte have the same
        first = second = body
    out = np.zeros(size, "<u2")
    high, low = unpacked(first)[:size], unpacked(second)[:size]
    try:
        rle_decode(code, out, 1, size, 1, 2)
    except ValueError:
        assert len(high) < size or len(low) < size
        return
    assert out.tobytes() == bytes(b for pair in zip(low, high, strict=True) for b in pair)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=120), bits=st.integers(1, 32), first=st.integers(0, 7), cut=st.integers(0, 9))
def test_cells_are_the_bits_that_numpy_finds(data: bytes, bits: int, first: int, cut: int) -> None:
    first = min(first, 8 * len(data))
    count = max((8 * len(data) - first) // bits - cut, 0)
    whole = int.from_bytes(data, "little") >> first
    assert unpack(data, bits, count, first).tolist() == [whole >> bits * i & (1 << bits) - 1 for i in range(count)]


@cache
def code_streams() -> tuple[bytes, ...]:
    grey = slice_values(40, 56)
    return tuple(
        bytes(imagecodecs.htj2k_encode(image, reversible=True, tlm=tlm, tilepart=1, resolutions=4))
        for image in (grey, np.dstack([(grey >> 4).astype(np.uint8)] * 3))
        for tlm in (False, True)
    )


@settings(max_examples=1500, deadline=None)
@given(which=st.integers(0, 3), seed=st.integers(0, 2**32), cut=st.booleans())
def test_no_end_lies_outside_the_bytes(which: int, seed: int, cut: bool) -> None:
    code, r = bytearray(code_streams()[which]), random.Random(seed)
    parts = [i for i in range(len(code) - 1) if code[i : i + 2] == b"\xff\x90"]
    for _ in range(r.choice((1, 1, 2, 5))):
        at = r.choice((r.randrange(160), r.choice(parts) + r.randrange(14)))
        if r.randrange(2):
            code[at] = r.choice((0, 1, 0x7F, 0xFE, 0xFF, r.randrange(256)))
        else:
            code[at : at + 4] = r.choice((0, 1, 13, 14, len(code), 0x7FFFFFFF, 0xFFFFFFFF)).to_bytes(4, "big")
    data = bytes(code[: r.randrange(len(code))] if cut else code)
    try:
        ends, reason = resolution_ends(data)
    except ValueError:
        return
    assert bool(ends) != bool(reason)
    assert ends == sorted(set(ends)) and all(0 < end <= len(data) for end in ends)


@settings(max_examples=300, deadline=None)
@given(garbage=st.binary(max_size=300), is_siz=st.booleans())
@example(garbage=b"", is_siz=True)
def test_garbage_is_no_code_stream(garbage: bytes, is_siz: bool) -> None:
    data = b"\xff\x4f\xff\x51" + garbage if is_siz else garbage
    try:
        ends, reason = resolution_ends(data)
    except ValueError:
        return
    assert reason and not ends
