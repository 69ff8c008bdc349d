"""Every kernel has its row in the benchmarks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import importlib, pkgutil
import numpy as np
from benchmarks.kernel_cases import cases
from engine.imaging import kernels
from engine.imaging.kernels.typed import TypedKernel

y, x = np.mgrid[:512, :512]
for case in cases(((x * y) % 3000).astype(np.uint16)):
    case.kernel()
    case.twin()
    case.copy()
modules = [importlib.import_module(f"{kernels.__name__}.{m.name}") for m in pkgutil.iter_modules(kernels.__path__)]
every = {f"{m.__name__}.{n}": k for m in modules for n, k in vars(m).items() if isinstance(k, TypedKernel)}
print(sorted(name for name, kernel in every.items() if not kernel._compiled))
"""


def test_every_kernel_has_a_row() -> None:
    """In a process of its own, where nobody else has called one."""
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environ, cwd=ROOT, text=True, capture_output=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
