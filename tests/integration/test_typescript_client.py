"""The TypeScript client (clients/ts): its types, its own tests, and a program of Node.js that reads from a real server with it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from code_streams import slice_values
from pictures import image, part10
from serving import Serving

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "clients" / "ts"
STUDY, SERIES, COUNT, SIDE = "1.2.60", "1.2.60.1", 12, 256

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed"),
    pytest.mark.skipif(
        not (CLIENT / "node_modules").is_dir(), reason="its test tools are not there (.ci/clients.sh fetches them)"
    ),
]


def node(*command: str | Path) -> str:
    run = subprocess.run(["node", *command], cwd=CLIENT, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def built() -> None:
    node("node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive"), "--workers", "1") as serving:
        yield serving


@pytest.fixture(scope="module")
def slices(server: Serving) -> list[bytes]:
    """Stored frames; a rendition of all of them is there when this returns."""
    made = []
    for number in range(COUNT):
        values = np.roll(slice_values(SIDE, SIDE), 5 * number, axis=1).astype(np.uint16)
        ds = image(values, "CT", BitsStored=12)
        ds.StudyInstanceUID, ds.SeriesInstanceUID = STUDY, SERIES
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{SERIES}.{number + 1}"
        ds.InstanceNumber = number + 1
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
        assert server.store(part10(ds)).status_code == 200
        made.append(values.tobytes())
    path = f"{server.url}/api/renditions/studies/{STUDY}/series/{SERIES}"
    assert server.session.post(path, timeout=10).status_code in (200, 202)
    for _ in range(400):
        found = server.get(path.removeprefix(server.url))
        if found.status_code == 200 and found.json()["isComplete"]:
            return made
        time.sleep(0.05)
    raise AssertionError(f"no rendition was made: {found.text}")


def read(server: Serving, position: int, *, cut: bool = False, memory: int = 0) -> dict[str, Any]:
    url = server.url.replace("http", "ws") + "/stream"
    options = [url, STUDY, SERIES, str(position), "cut" if cut else "-", str(memory)]
    found: dict[str, Any] = json.loads(node("test/reading.mjs", *options))
    return found


def stored_hashes(server: Serving) -> list[str]:
    """Of each frame's code stream as plain HTTP gives it."""
    syntax = "1.2.840.10008.1.2.4.202"
    hashes = []
    for number in range(COUNT):
        path = f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.{number + 1}/frames/1"
        answer = server.get(path, accept=f"image/jphc; transfer-syntax={syntax}")
        assert answer.status_code == 200, answer.text
        hashes.append(hashlib.sha256(answer.content).hexdigest())
    return hashes


def test_types_and_its_own_tests() -> None:
    node("node_modules/typescript/bin/tsc", "-p", "tsconfig.json")
    assert " passed" in node("node_modules/vitest/vitest.mjs", "run")


def test_a_series_comes_whole_and_coarse_before_fine(built: None, server: Serving, slices: list[bytes]) -> None:
    found = read(server, 7)
    assert found["states"] == ["open", "over"]
    assert found["uids"] == [f"{SERIES}.{n + 1}" for n in range(COUNT)]
    assert found["syntax"] == "1.2.840.10008.1.2.4.202"
    assert found["order"][0] == 7
    for steps in found["steps"]:
        assert steps == sorted(set(steps), reverse=True)
        assert steps[-1] == 0
    assert len(found["steps"][0]) > 1, "coarse came first"
    assert found["hashes"] == stored_hashes(server)


def test_a_lost_connection_costs_nothing_twice(built: None, server: Serving, slices: list[bytes]) -> None:
    """It is cut when the first frame is whole: every step of every frame comes once all the same."""
    found = read(server, 3, cut=True)
    assert found["states"] == ["open", "interrupted", "open", "over"]
    for steps in found["steps"]:
        assert steps == sorted(set(steps), reverse=True)
    assert found["hashes"] == stored_hashes(server)


def test_a_memory_that_is_too_small_is_kept(built: None, server: Serving, tmp_path: Path) -> None:
    """Twice as much as there is room for, of noise that nothing compresses: the nearest frames are whole, far ones coarse."""
    room, random = 1 << 20, np.random.default_rng(1)
    study = "1.2.61"
    for number in range(16):
        ds = image(random.integers(0, 4096, (SIDE, SIDE), dtype=np.uint16), "CT", BitsStored=12)
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.1"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.{number + 1}"
        ds.InstanceNumber = number + 1
        assert server.store(part10(ds)).status_code == 200
    url = server.url.replace("http", "ws") + "/stream"
    found = json.loads(node("test/reading.mjs", url, study, f"{study}.1", "0", "-", str(room)))
    assert found["byteCount"] <= room
    assert found["steps"][0][-1] == 0
    assert found["byteCount"] > room / 2


def test_a_series_that_there_is_not(built: None, server: Serving, slices: list[bytes]) -> None:
    url = server.url.replace("http", "ws") + "/stream"
    run = subprocess.run(
        ["node", "test/reading.mjs", url, STUDY, "9.9.9", "0", "-", "0"],
        cwd=CLIENT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode != 0
    assert "SeriesNotFound" in run.stderr
