"""The fuzz targets build with g++ alone and their sanitizers find nothing in real and in mutated files.

This is the quick form of `make fuzz` and `make sanitize`: it needs no clang, and no Python under a sanitizer.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import pytest
from data import data_files, pydicom_files

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "native"
SANITIZED = ("-std=c++17", "-O1", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
TARGETS = tuple(sorted(p.stem for p in (NATIVE / "fuzz").glob("fuzz_*.cpp")))
SMALL = 256 * 1024
MUTATIONS = 10_000
SLOW = {"fuzz_ht": 1_000}  # codes and decodes images


def sanitizers_are_there(folder: Path) -> bool:
    """Whether g++ can link an empty program with both."""
    (folder / "empty.cpp").write_text("int main() { return 0; }\n")
    command = ["g++", *SANITIZED, "empty.cpp", "-o", "empty"]
    return shutil.which("g++") is not None and subprocess.run(command, cwd=folder, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def fuzzers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the standalone fuzzers; built anew when a source changed."""
    folder = tmp_path_factory.mktemp("fuzz")
    if not sanitizers_are_there(folder):
        pytest.skip("g++ cannot link with -fsanitize=address,undefined here (apt install g++, which brings libasan)")
    everything = sorted([*NATIVE.rglob("*.cpp"), *NATIVE.rglob("*.hpp"), *NATIVE.rglob("*.inc")])
    key = hashlib.sha256(b"\0".join(p.read_bytes() for p in everything)).hexdigest()[:16]
    done = ROOT / "build" / "fuzz" / f"standalone-{key}"
    if done.exists():
        return done
    fuzz = sorted((NATIVE / "fuzz").glob("*.cpp"))
    library = sorted((NATIVE / "src").glob("*.cpp"))

    def compiled(source: Path) -> str:
        out = folder / f"{source.stem}.o"
        flags = [*SANITIZED, "-Wall", "-Wextra", "-Werror", f"-I{NATIVE / 'src'}"]
        subprocess.run(["g++", *flags, "-c", str(source), "-o", str(out)], check=True)
        return str(out)

    with ThreadPoolExecutor(2) as pool:
        objects = dict(zip([*library, *fuzz], pool.map(compiled, [*library, *fuzz]), strict=True))
    done.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=done.parent) as beside:
        built = Path(beside) / done.name
        built.mkdir()
        common = [objects[p] for p in library] + [objects[NATIVE / "fuzz" / "standalone.cpp"]]
        for name in TARGETS:
            target = objects[NATIVE / "fuzz" / f"{name}.cpp"]
            subprocess.run(["g++", *SANITIZED, *common, target, "-o", str(built / name)], check=True)
        try:
            built.rename(done)
        except OSError:
            assert done.exists()  # another worker was first
    return done


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make fuzz` begins with."""
    folder = tmp_path_factory.mktemp("seeds")
    subprocess.run([sys.executable, NATIVE / "tools" / "make_seeds.py", folder], check=True)
    return folder


def seeds_of(name: str, seeds: Path) -> list[Path]:
    if name == "fuzz_scan":
        return [p for p in [*pydicom_files(), *data_files("")] if p.stat().st_size <= SMALL]
    return sorted((seeds / name.removeprefix("fuzz_")).iterdir())


def tried(name: str, fuzzers: Path, seeds: Path) -> None:
    files = seeds_of(name, seeds)
    mutations = SLOW.get(name, MUTATIONS)
    command = [fuzzers / name, f"-mutations={mutations}", *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, f"{name}: {done.stderr[-4000:]}"
    said = re.fullmatch(r"(\d+) files, (\d+) mutations\n", done.stdout)
    assert said is not None, name
    assert int(said[1]) == len(files) > (100 if name == "fuzz_scan" else 5), name
    assert int(said[2]) == mutations, name


def test_real_and_mutated_files_trip_no_sanitizer(fuzzers: Path, seeds: Path) -> None:
    """One test for all: each process that runs tests would build them all, or wait for the one that does."""
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(tried, TARGETS, repeat(fuzzers), repeat(seeds)):
            pass


def test_a_seed_decides_what_is_tried(fuzzers: Path, tmp_path: Path) -> None:
    """Twice the same; and a file that is not there is no pass."""
    fuzzer = fuzzers / "fuzz_scan"
    seed = tmp_path / "seed.dcm"
    seed.write_bytes(next(p for p in pydicom_files() if p.name == "UN_sequence.dcm").read_bytes())
    runs = [
        subprocess.run([fuzzer, "-mutations=50", f"-seed={n}", seed], capture_output=True, text=True) for n in (7, 7)
    ]
    assert [(r.returncode, r.stdout) for r in runs] == [(0, "1 files, 50 mutations\n")] * 2
    assert subprocess.run([fuzzer, tmp_path / "absent"], capture_output=True).returncode != 0


def test_every_source_is_in_the_build() -> None:
    listed = (NATIVE / "CMakeLists.txt").read_text()
    sources = [p.relative_to(NATIVE).as_posix() for p in NATIVE.rglob("*.cpp") if p.stem not in TARGETS]
    assert [s for s in sources if s not in listed] == []
    assert [name for name in TARGETS if not re.search(rf"\b{name}\b", listed)] == []


def test_the_library_knows_no_python() -> None:
    """`native/src` and the fuzz target can be built without Python (architecture: thin bindings)."""
    for path in [*(NATIVE / "src").iterdir(), *(NATIVE / "fuzz").iterdir()]:
        assert not re.search(r"#include\s*[<\"](Python\.h|nanobind|pybind)", path.read_text()), path.name
