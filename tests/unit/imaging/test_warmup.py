"""What `voxcast warmup` has compiled is what later processes use, wherever numba may keep it; each process here is a fresh one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

# Every picture that needs another kernel; `kinds`: all that the program warms up for.
PICTURES = """
import importlib, pkgutil
import numpy as np
from dataclasses import replace
from code_streams import GREY8, GREY16, GREY16_SIGNED, RGB8, image
from engine.imaging import kernels
from engine.imaging.kernels import gray, lut, orient, palette
from engine.imaging.kernels.typed import TypedKernel
from engine.imaging.plan import plan
from engine.imaging.render import render
from engine.imaging.spec import RenderSpec
from engine.dicom.frame import VoiLutFunction, Window
from engine.limits import Limits

for d in (GREY8, GREY16, GREY16_SIGNED, RGB8, replace(RGB8, photometric_interpretation="YBR_FULL")):
    windows = [None]
    if d.samples_per_pixel == 1:
        windows += [Window(100, 300), Window(100, 300, VoiLutFunction.SIGMOID), Window(1e-40, 1e-38), Window(0.1, 0.7)]
        greys, rgb = np.empty((d.rows, d.columns), np.uint8), np.empty((d.rows, d.columns, 3), np.uint8)
        palette.colours(image(d), 0, np.zeros((5, 3), np.uint8), rgb)
        palette.colours_over_grey(image(d), greys, 0, np.zeros((5, 3), np.uint8), rgb)
        lut.greys(image(d), 0, np.zeros(5, np.uint8), greys)
        lut.values(image(d), 0, np.zeros(5, np.uint16), greys.astype(np.uint16))
    for window in windows:
        for width in (d.columns, d.columns // 2, 50, 100):
            spec = RenderSpec(width=width, window=window)
            orient.oriented(render(plan(d, 0, d.photometric_interpretation, spec, Limits()), image(d)), 90, True)
modules = [importlib.import_module(f"{kernels.__name__}.{m.name}") for m in pkgutil.iter_modules(kernels.__path__)]
every = {n: k for module in modules for n, k in vars(module).items() if isinstance(k, TypedKernel)}
print([n for n, k in every.items() if k.compiled], sum(k.loaded for k in every.values()) > 20)
"""

WARM_ONE = """
import pkgutil
from engine.imaging import warmup
pkgutil.iter_modules = lambda path: [pkgutil.ModuleInfo(None, "colour", False)]  # one will do
before = warmup.is_warm()
(one,) = warmup.warm_kernels()
print(before, one.is_compiled, warmup.is_warm(), warmup.cache_folder())
"""


def run(script: str, **environment: str) -> str:
    environ = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"} | environment
    # -S: without the editable install, whose hook would find the source tree before the copy of a test
    done = subprocess.run([sys.executable, "-S", "-P", "-c", script], env=environ, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_new_process_compiles_nothing() -> None:
    subprocess.run([sys.executable, "-P", "-m", "engine.imaging.warmup"], check=True)
    where = f"{ROOT}{os.pathsep}{ROOT / 'tests'}{os.pathsep}{sysconfig.get_path('platlib')}"
    environ = {"NUMBA_CACHE_DIR": os.environ["NUMBA_CACHE_DIR"]} if "NUMBA_CACHE_DIR" in os.environ else {}
    assert run(PICTURES, PYTHONPATH=where, **environ) == "[] True"


@pytest.fixture
def package(tmp_path: Path) -> dict[str, str]:
    """A copy of what kernels need, with nothing compiled: the environment of a process that imports it."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "engine" / "imaging" / "kernels", tmp_path / "site/engine/imaging/kernels", ignore=ignore)
    for name in ("__init__.py", "imaging/__init__.py", "imaging/warmup.py"):
        shutil.copyfile(ROOT / "engine" / name, tmp_path / "site/engine" / name)
    path = f"{tmp_path / 'site'}{os.pathsep}{sysconfig.get_path('platlib')}"
    return {"PYTHONPATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path / "home")}


def test_kernels_are_kept_beside_their_source(package: dict[str, str], tmp_path: Path) -> None:
    beside = tmp_path / "site/engine/imaging/kernels/__pycache__"
    assert run(WARM_ONE, **package) == f"False True True {beside}"
    assert run(WARM_ONE, **package) == f"True False True {beside}"
    assert list(beside.glob("colour.*.nbc"))


def test_a_package_that_nobody_may_write_to_has_its_kernels_with_the_user(
    package: dict[str, str], tmp_path: Path
) -> None:
    # root may write to any folder, but not below what is none
    (tmp_path / "site/engine/imaging/kernels/__pycache__").write_text("")
    folder = tmp_path / "cache/numba"
    assert run(WARM_ONE, **package) == f"False True True {folder}"
    assert run(WARM_ONE, **package) == f"True False True {folder}"
    assert list(folder.glob("kernels_*/colour.*.nbc"))


def test_where_nothing_can_be_written_every_process_compiles(package: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "site/engine/imaging/kernels/__pycache__").write_text("")
    (tmp_path / "cache").write_text("")
    for _ in range(2):
        assert run(WARM_ONE, **package) == "False True False None"


def test_what_an_installer_compiled_is_copied_to_where_numba_looks(package: dict[str, str], tmp_path: Path) -> None:
    run(WARM_ONE, **package)
    own = tmp_path / "own"
    assert run(WARM_ONE, **package, NUMBA_CACHE_DIR=str(own)) == f"False False True {own}"
    assert list(own.glob("kernels_*/colour.*.nbc"))


def test_another_processor_numba_or_source_is_not_warm(package: dict[str, str], tmp_path: Path) -> None:
    run(WARM_ONE, **package)
    changed = tmp_path / "site/engine/imaging/kernels/gray.py"
    changed.write_text(changed.read_text() + "\n")
    assert run("from engine.imaging.warmup import is_warm; print(is_warm())", **package) == "False"
    run(WARM_ONE, **package)
    script = "from engine.imaging import warmup; warmup._processor = lambda: 'another'; print(warmup.is_warm())"
    assert run(script, **package) == "False"


KERNEL = """
import sys
import numpy as np
from numba import void
from engine.imaging.kernels.typed import kernel, taken, given

@kernel(lambda kind: void(taken(kind, 1), given(kind, 1)))
def doubled(values, out):
    for i in range(values.size):
        out[i] = 2 * values[i]

found = []
for kind in ("u1", "u2"):
    out = np.empty(3, kind)
    doubled(np.arange(3, dtype=kind), out)
    found.append(out.tolist())
print(found, doubled.compiled, doubled.loaded)
"""


def test_a_cache_that_was_mixed_up_gives_no_wrong_pixels(package: dict[str, str], tmp_path: Path) -> None:
    """As two processes could leave it, on a file system without locks."""
    (tmp_path / "site/doubled.py").write_text(KERNEL)
    results = "[[0, 2, 4], [0, 2, 4]]"
    assert run("import doubled", **package) == f"{results} 2 0"
    assert run("import doubled", **package) == f"{results} 0 2"
    first, second = sorted((tmp_path / "site/__pycache__").glob("*.nbc"))
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    assert run("import doubled", **package) == f"{results} 2 0"


def test_two_processes_at_once_compile_each_form_once(package: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "site/doubled.py").write_text(KERNEL)
    command = [sys.executable, "-S", "-P", "-c", "import doubled"]
    environ = os.environ | package
    started = [subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    ends = [process.communicate(timeout=120)[0].split() for process in started]
    assert sum(int(said[-2]) for said in ends) == 2
    assert sum(int(said[-1]) for said in ends) == 4
