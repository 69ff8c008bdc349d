"""The kernels' inner loops are vector instructions as wide as this processor has them: many pixels at a time (`inspect_asm`)."""

from __future__ import annotations

import re

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest

from engine.imaging.kernels import colour, gray, resample, rescale, window
from engine.imaging.kernels.typed import _OPTIONS, TypedKernel

# kernel, type of pixels, the instruction for several pixels that its loop cannot do without (whatever stands before and behind)
LOOPS = [
    (window.fine, "u2", "pmulld"),
    (window.fine, "i2", "pmulld"),
    (window.lanes, "u1", "pmulhuw"),
    (window.lanes, "u2", "pmulhuw"),
    (window.lanes, "i2", "pmulhuw"),
    (gray.linear_in_floats, "u2", "mulpd"),
    (gray.linear_in_floats, "f8", "mulpd"),
    (gray.extremes_of_integers, "u1", "pminub"),
    (gray.extremes_of_integers, "u2", "pminuw"),
    (gray.extremes_of_integers, "i2", "pminsw"),
    (colour.rgb_of_ybr_full, "u1", "pmul"),
    (rescale.rescaled, "u2", "mulpd"),
    (rescale.rescaled, "i2", "mulpd"),
    (resample.down, "u2", "mulpd"),
    (resample.down, "f8", "mulpd"),
    (resample.blocks, "u2", "paddd"),
]


def widest() -> str:
    """The registers that a loop of this processor ought to use."""
    features = llvm.get_host_cpu_features()
    return "[yz]mm" if features.get("avx2") else "xmm"


def loops(assembly: str) -> list[str]:
    """The innermost loops: from a label to the jump back to it, with no label between."""
    return [m[0] for m in re.finditer(r"^(\.L\w+):\n(?:(?!\.L\w+:).*\n)*?\s+j\w+\s+\1$", assembly, re.M)]


def assembly_of(kernel: TypedKernel, kind: str) -> str:
    """Compiled here and now: what comes from the cache is machine code alone."""
    signature = kernel._signature(numba.from_dtype(np.dtype(kind)))
    (text,) = numba.njit(signature, **_OPTIONS)(kernel.py_func).inspect_asm().values()
    return str(text)


@pytest.mark.skipif(not llvm.get_process_triple().startswith("x86_64"), reason="knows the instructions of x86-64 alone")
@pytest.mark.parametrize(
    ("kernel", "kind", "instruction"), LOOPS, ids=[f"{k.py_func.__name__}-{t}-{i}" for k, t, i in LOOPS]
)
def test_the_inner_loop_is_vectorised(kernel: TypedKernel, kind: str, instruction: str) -> None:
    found = loops(assembly_of(kernel, kind))
    assert found
    wide = [loop for loop in found if re.search(rf"\bv?{instruction}\w*\s.*%{widest()}", loop)]
    assert wide, "\n\n".join(found)


def test_the_test_would_notice_a_loop_of_single_numbers() -> None:
    def summed(values, out):  # type: ignore[no-untyped-def]
        total = 0.0
        for i in range(values.size):  # in this order only, so one at a time
            total = total * 0.5 + values[i]
        out[0] = total

    array = numba.types.Array(numba.float64, 1, "C")
    (text,) = numba.njit(numba.void(array, array), **_OPTIONS)(summed).inspect_asm().values()
    assert loops(text)
    assert not [loop for loop in loops(text) if re.search(r"mulpd", loop)]
