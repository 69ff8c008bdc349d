"""The wheel holds the whole program: it works from another folder, without the source tree (`pip install voxcast`)."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel as pip would lay it out; built in the tree's own build folder, so nothing is compiled twice."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    run = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder, ROOT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    (wheel,) = folder.glob("voxcast-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


def test_everything_is_in_it_and_nothing_else(unpacked: Path) -> None:
    inside = {str(p.relative_to(unpacked)) for p in unpacked.rglob("*") if p.is_file()}
    source = {
        str(p.relative_to(ROOT))
        for package in ("engine", "voxcast")
        for p in (ROOT / package).rglob("*")
        if p.is_file() and "__pycache__" not in p.parts and p.suffix != ".so" and "viewer" not in p.parts
    }
    assert source <= inside, sorted(source - inside)
    # Of the page what is served, not what it is made from.
    page = {name for name in inside if name.startswith("engine/viewer/")}
    assert {Path(name).parts[2] for name in page} <= {"__init__.py", "plain", "dist"}
    built = {str(p.relative_to(ROOT)) for p in (ROOT / "engine/viewer/dist").glob("*")}
    assert page >= built | {"engine/viewer/__init__.py", "engine/viewer/plain/index.html"}
    assert {Path(name).parts[0] for name in inside} <= {
        "engine",
        "voxcast",
        *(p.name for p in unpacked.glob("*.dist-info")),
    }


def test_it_works_from_another_folder(unpacked: Path, tmp_path: Path) -> None:
    script = (
        "import engine, engine._native, engine.web.app, voxcast.client\n"
        "from importlib.resources import files\n"
        "assert files('engine.viewer').joinpath('plain/index.html').is_file()\n"
        "print(engine.__file__, engine._native.__file__)\n"
    )
    # -S: the editable install's hook would answer for the source tree; libraries come by their path alone
    environ = {**os.environ, "PYTHONPATH": f"{unpacked}{os.pathsep}{sysconfig.get_path('platlib')}"}
    run = subprocess.run(
        [sys.executable, "-S", "-P", "-c", script],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert all(Path(place).is_relative_to(unpacked) for place in run.stdout.split())
    version = subprocess.run(
        [sys.executable, "-S", "-P", "-m", "engine.cli", "--version"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert version.stdout.startswith("voxcast ")
