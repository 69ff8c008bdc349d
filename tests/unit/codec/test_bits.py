"""Bit cells against numpy, one bit at a time; frames that begin inside a byte."""

from __future__ import annotations

import numpy as np
import pytest

from engine._native import unpack_bits
from engine.codec.bits import unpack

NOISE = np.random.default_rng(3).integers(0, 256, 9001, np.uint8).tobytes()


def by_numpy(data: bytes, bits: int, count: int, first_bit: int) -> np.ndarray:
    single = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[first_bit : first_bit + bits * count]
    return single.reshape(count, bits).astype(np.uint64) @ (np.uint64(1) << np.arange(bits, dtype=np.uint64))


@pytest.mark.parametrize("bits", range(1, 33))
@pytest.mark.parametrize("first_bit", [0, 1, 4, 7])
def test_every_number_of_bits(bits: int, first_bit: int) -> None:
    for count in (0, 1, 2, 3, 7, 8, 9, 63, 65, (8 * len(NOISE) - first_bit) // bits):
        data = NOISE[: (first_bit + bits * count + 7) // 8]  # not one byte more than there must be
        got = unpack(data, bits, count, first_bit)
        assert got.itemsize * 8 >= bits and got.dtype.kind == "u"
        np.testing.assert_array_equal(got, by_numpy(data, bits, count, first_bit))


def test_into_the_callers_array() -> None:
    out = np.empty((8, 5), np.uint16)
    assert unpack(NOISE, 12, 40, 4, out) is out
    np.testing.assert_array_equal(out.ravel(), by_numpy(NOISE, 12, 40, 4))


@pytest.mark.parametrize(("bits", "count", "first_bit"), [(1, 81, 0), (1, 80, 1), (12, 7, 0), (12, 6, 9), (32, 3, 0)])
def test_cells_that_are_not_there_are_refused(bits: int, count: int, first_bit: int) -> None:
    with pytest.raises(ValueError, match=r"do not hold|from bit"):
        unpack(NOISE[:10], bits, count, first_bit)


def test_a_count_beyond_the_bytes_takes_no_memory() -> None:
    with pytest.raises(ValueError, match="do not hold"):
        unpack(b"\0", 32, 1 << 60)


@pytest.mark.parametrize("bits", [0, 33, -1])
def test_other_numbers_of_bits_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="cells"):
        unpack(NOISE, bits, 1)


def test_the_native_part_checks_for_itself() -> None:
    for bits, first, size in ((0, 0, 4), (33, 0, 4), (8, 8, 1), (12, 0, 3), (1, 0, 81)):
        with pytest.raises(ValueError, match="cells"):
            unpack_bits(NOISE[:10], np.empty(size, np.uint8), bits, first)
    with pytest.raises(ValueError, match="out must be"):
        unpack(NOISE, 8, 4, 0, np.empty(4, np.uint16))
