"""Kernels with explicit signatures, compiled for a type of pixels when the first such pixels come.

Why not all at import: a kernel takes 0.1 to 0.3 s to compile and 5 ms to load from numba's cache, there are five of them
and ten types of pixels, and a process sees two or three of those. Why explicit: numba would otherwise compile each kernel
again for arrays that are read-only (stored bytes), not aligned (stored bytes at an odd place) or slices; one signature,
read-only and not aligned, takes them all and is as fast (60 µs for the window of a 512² slice, either way).

Measured, all kernels for the usual three types: 1.9 s to compile, 0.15 s from the cache; numba itself 0.12 s and 64 MB
resident, so nothing imports it before the first picture. Cold, the compiler leaves 30 MB more behind than the cache.
The cache knows the file of a kernel, not what it calls: a kernel calls nothing from another module.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types

_OPTIONS = {"nogil": True, "cache": True, "error_model": "numpy"}

U1_OUT = {n: types.Array(types.uint8, n, "C") for n in (2, 3)}
F8_OUT = {n: types.Array(types.float64, n, "C") for n in (2, 3)}


def taken(kind: types.Type, dimensions: int) -> types.Array:
    """Any C-contiguous array of these elements: read-only and unaligned ones too."""
    return types.Array(kind, dimensions, "C", readonly=True, aligned=False)


class TypedKernel:
    """A kernel whose first argument decides which compiled form is called; any thread, compiled once."""

    def __init__(self, function: Callable[..., Any], signature: Callable[[types.Type], Any]) -> None:
        self.py_func = function
        self._signature = signature
        self._compiled: dict[np.dtype[Any], Callable[..., Any]] = {}
        self._lock = threading.Lock()

    def __call__(self, pixels: np.ndarray[Any, Any], *rest: Any) -> Any:
        compiled = self._compiled.get(pixels.dtype)
        return (compiled or self._compile(pixels.dtype))(pixels, *rest)

    def _compile(self, dtype: np.dtype[Any]) -> Callable[..., Any]:
        with self._lock:
            if dtype not in self._compiled:
                signature = self._signature(numba.from_dtype(dtype))
                self._compiled[dtype] = numba.njit(signature, **_OPTIONS)(self.py_func)
            return self._compiled[dtype]


def kernel(signature: Callable[[types.Type], Any]) -> Callable[[Callable[..., Any]], TypedKernel]:
    """Decorator; `signature` is called with the element type of the first argument."""
    return lambda function: TypedKernel(function, signature)
