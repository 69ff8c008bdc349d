"""Kernels with explicit signatures, compiled for a type of pixels when the first such pixels come, or by `voxcast warmup`.

Why not all at import: a kernel takes 0.1 to 0.5 s to compile and 5 ms to load from numba's cache, there are some twenty of
them and ten types of pixels, and a process sees two or three of those. Why explicit: numba would otherwise compile each kernel
again for arrays that are read-only (stored bytes), not aligned (stored bytes at an odd place) or slices; one signature,
read-only and not aligned, takes them all and is as fast.

numba itself costs 0.12 s and 64 MB resident, so nothing imports it before the first picture. Cold, the compiler leaves 30 MB
more behind than the cache. The cache knows the file of a kernel, not what it calls: a kernel calls nothing from another module.
It lies in `__pycache__` beside the kernels where that can be written to, else in the user's cache folder, or where
`NUMBA_CACHE_DIR` says (docs/cli.md); where none of them can be written to, kernels work and are compiled in every process.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import types

_LOG = logging.getLogger(__name__)
_OPTIONS = {"nogil": True, "error_model": "numpy"}
USUAL = ("u1", "u2", "i2")

U1_OUT = {n: types.Array(types.uint8, n, "C") for n in (1, 2, 3)}
F8_OUT = {n: types.Array(types.float64, n, "C") for n in (1, 2, 3)}


def taken(kind: types.Type, dimensions: int) -> types.Array:
    """Any C-contiguous array of these elements: read-only and unaligned ones too."""
    return types.Array(kind, dimensions, "C", readonly=True, aligned=False)


def given(kind: types.Type, dimensions: int) -> types.Array:
    """Any C-contiguous array that can be written to, unaligned ones too: a view of another type may be one."""
    return types.Array(kind, dimensions, "C", aligned=False)


class TypedKernel:
    """A kernel whose first argument decides which compiled form is called; any thread, each form compiled once.

    Attributes
    ----------
    usual : types of the first argument's elements that `voxcast warmup` compiles for.
    compiled, loaded : how many forms this process has compiled itself, and how many came from the cache.
    """

    def __init__(
        self, function: Callable[..., Any], signature: Callable[[types.Type], Any], usual: tuple[str, ...]
    ) -> None:
        self.py_func = function
        self.usual = usual
        self.compiled = self.loaded = 0
        self._signature = signature
        self._compiled: dict[np.dtype[Any], Callable[..., Any]] = {}
        self._lock = threading.Lock()

    def __call__(self, pixels: np.ndarray[Any, Any], *rest: Any) -> Any:
        compiled = self._compiled.get(pixels.dtype)
        return (compiled or self.prepare(pixels.dtype))(pixels, *rest)

    def prepare(self, dtype: np.dtype[Any]) -> Callable[..., Any]:
        """The form for elements of `dtype`, compiled or loaded unless it is there."""
        with self._lock:
            if dtype not in self._compiled:
                form = compiled(self._signature(numba.from_dtype(dtype)), self.py_func)
                from_cache = sum(form.stats.cache_hits.values()) > 0
                self.loaded += from_cache
                self.compiled += not from_cache
                self._compiled[dtype] = form
            return self._compiled[dtype]


def compiled(signature: Any, function: Callable[..., Any]) -> Any:
    """numba's dispatcher of one signature, from the cache if it can be."""
    try:
        form = numba.njit(cache=True, **_OPTIONS)(function)
        with _alone(Path(form.stats.cache_path) / "voxcast-kernels.lock"):
            form.compile(signature)
        form.disable_compile()
        if form.signatures == [numba.core.sigutils.normalize_signature(signature)[0]]:
            return form
        # Two processes without a lock (NFS) can have filed one's code under the other's name.
        name, folder = function.__name__, form.stats.cache_path
        _LOG.warning(
            "the cached kernel %s is another one, so every process compiles it: remove the folder %s", name, folder
        )
    except (RuntimeError, OSError) as error:
        # No folder that numba may write to (RuntimeError), or a full disk: a picture must not fail over that.
        if isinstance(error, RuntimeError) and "locator" not in str(error):
            raise
        _LOG.warning("the kernel %s cannot be cached, so every process compiles it: %s", function.__name__, error)
    return numba.njit(signature, **_OPTIONS)(function)


def cache_path() -> Path | None:
    """The folder in which numba looks for the kernels of this package; None without one that can be written to."""
    try:
        return Path(numba.njit(cache=True)(taken).stats.cache_path)
    except RuntimeError:
        return None


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process at a time: numba reads, changes and writes the index of a kernel's cache, and the last one who does wins.

    So whoever wants a kernel that another process compiles waits for it, instead of compiling it too.
    """
    held = -1
    with suppress(OSError):  # the kernels may be there though nothing can be written; some file systems have no locks
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if held >= 0:
            os.close(held)


def kernel(
    signature: Callable[[types.Type], Any], usual: tuple[str, ...] = USUAL
) -> Callable[[Callable[..., Any]], TypedKernel]:
    """Decorator; `signature` is called with the element type of the first argument."""
    return lambda function: TypedKernel(function, signature, usual)
