"""Cells of single bits, of 12 bits in 12, of any number up to 32, to whole bytes (PS3.5 8.1.1, annex D)."""

from __future__ import annotations

import numpy as np

from engine._native import unpack_bits
from engine.codec.base import Array
from engine.types import Buffer

_BITS_MAX = 32


def unpack(data: Buffer, bits: int, count: int, first_bit: int = 0, out: Array | None = None) -> Array:
    """`count` cells of `bits` bits, the first in the lowest bits of the first byte; any thread, the GIL released meanwhile.

    Beside numpy in the same process, 512² cells: single bits take as long as `numpy.unpackbits` (14 µs, the time of
    writing them), 20 µs where the frame begins inside a byte, which numpy cannot; 12 bits 39 µs and 110, where
    `unpackbits` and a product take 3000 and imagecodecs.packints_decode 480.

    Parameters
    ----------
    bits : 1 to 32.
    first_bit : 0 to 7, where the first cell begins in the first byte.
    out : C-contiguous array of `count` cells of the type that is returned, or None.

    Returns
    -------
    unsigned array (count,) of 8, 16 or 32 bits: the smallest that holds a cell. `out` where there is one.

    Raises
    ------
    ValueError : `data` does not hold so many cells; or `bits`, `first_bit` or `out` are not as said.
    """
    if not 1 <= bits <= _BITS_MAX or count < 0:
        raise ValueError(f"{count} cells of {bits} bits")
    if first_bit + bits * count > 8 * len(data):  # before memory is taken for them
        raise ValueError(f"{len(data)} bytes do not hold {count} cells of {bits} bits")
    kind = np.dtype(np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32)
    cells = np.empty(count, kind) if out is None else out
    if cells.size != count or cells.dtype != kind:
        raise ValueError(f"out must be {count} cells of {kind}")
    unpack_bits(data, cells, bits, first_bit)
    return cells
