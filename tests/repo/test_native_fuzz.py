"""The fuzz target builds with g++ alone and its sanitizers find nothing in real and in mutated files."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from data import data_files, pydicom_files

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "native"
SANITIZED = ("-std=c++17", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
SMALL = 256 * 1024
MUTATIONS = 20_000
SECONDS = 15  # of mutating, on a machine that is slower than thought


def sanitizers_are_there(folder: Path) -> bool:
    """Whether g++ can link an empty program with both."""
    (folder / "empty.cpp").write_text("int main() { return 0; }\n")
    command = ["g++", *SANITIZED, "empty.cpp", "-o", "empty"]
    return shutil.which("g++") is not None and subprocess.run(command, cwd=folder, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The standalone fuzzer; built anew when a source changed."""
    folder = tmp_path_factory.mktemp("fuzz")
    if not sanitizers_are_there(folder):
        pytest.skip("g++ cannot link with -fsanitize=address,undefined here (apt install g++, which brings libasan)")
    everything = sorted([*NATIVE.rglob("*.cpp"), *NATIVE.rglob("*.hpp"), *NATIVE.rglob("*.inc")])
    key = hashlib.sha256(b"\0".join(p.read_bytes() for p in everything)).hexdigest()[:16]
    done = ROOT / "build" / "fuzz" / f"fuzz_scan-{key}"
    if done.exists():
        return done
    sources = [*sorted((NATIVE / "src").glob("*.cpp")), NATIVE / "fuzz" / "fuzz_scan.cpp"]

    def compiled(source: Path) -> str:
        out = folder / f"{source.stem}.o"
        flags = [*SANITIZED, "-Wall", "-Wextra", "-Werror", "-DVOXCAST_STANDALONE_FUZZ", f"-I{NATIVE / 'src'}"]
        subprocess.run(["g++", *flags, "-c", str(source), "-o", str(out)], check=True)
        return str(out)

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compiled, sources))
    done.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=done.parent) as beside:
        built = Path(beside) / "fuzz_scan"
        subprocess.run(["g++", *SANITIZED, *objects, "-o", str(built)], check=True)
        built.replace(done)  # another worker may be doing the same
    return done


@pytest.mark.timeout(240)
def test_real_and_mutated_files_trip_no_sanitizer(fuzzer: Path) -> None:
    files = [p for p in [*pydicom_files(), *data_files("")] if p.stat().st_size <= SMALL]
    command = [str(fuzzer), f"-mutations={MUTATIONS}", f"-seconds={SECONDS}", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-4000:]
    said = re.fullmatch(r"(\d+) files, (\d+) mutations\n", done.stdout)
    assert said is not None and int(said[1]) == len(files) > 100 and int(said[2]) > 1000


def test_a_seed_decides_what_is_tried(fuzzer: Path, tmp_path: Path) -> None:
    """Twice the same; and a file that is not there is no pass."""
    seed = tmp_path / "seed.dcm"
    seed.write_bytes(next(p for p in pydicom_files() if p.name == "UN_sequence.dcm").read_bytes())
    runs = [
        subprocess.run([fuzzer, "-mutations=50", f"-seed={n}", seed], capture_output=True, text=True) for n in (7, 7)
    ]
    assert [(r.returncode, r.stdout) for r in runs] == [(0, "1 files, 50 mutations\n")] * 2
    assert subprocess.run([fuzzer, tmp_path / "absent"], capture_output=True).returncode != 0


def test_every_source_is_in_the_build() -> None:
    listed = (NATIVE / "CMakeLists.txt").read_text()
    sources = [p.relative_to(NATIVE).as_posix() for p in NATIVE.rglob("*.cpp")]
    assert [s for s in sources if s not in listed] == []


def test_the_library_knows_no_python() -> None:
    """`native/src` and the fuzz target can be built without Python (architecture: thin bindings)."""
    for path in [*(NATIVE / "src").iterdir(), *(NATIVE / "fuzz").iterdir()]:
        assert not re.search(r"#include\s*[<\"](Python\.h|nanobind|pybind)", path.read_text()), path.name
