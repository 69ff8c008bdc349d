"""Memory of an import: neither the size of one instance nor the number of all shows in it (memory is work, not time)."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from data import make_instance

from engine.archive.archive import Archive
from engine.ingest.accept import Acceptor
from engine.ingest.importer import import_paths
from engine.limits import GIB, MIB, Limits

ABOVE_IDLE_MAX = 64 * MIB
GROWTH_MAX = 12 * MIB  # 2 500 more instances; most of it is pages of the index that the kernel maps


def measure(archive: Path, folder: Path) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, __file__, str(archive), str(folder)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE, timeout=280, check=True,
    )  # fmt: skip
    found: dict[str, int] = json.loads(done.stdout)
    return found


def test_two_gigabytes_in_one_instance(tmp_path: Path) -> None:
    if os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize < 3 * GIB:
        pytest.skip("needs 3 GiB of free disk")
    folder = tmp_path / "in"
    folder.mkdir()
    rows = columns = 1024
    frames = 2 * GIB // (rows * columns * 2)
    header = make_instance(rows=rows, columns=columns, frames=frames, pixels=b"")[:-4]
    size = frames * rows * columns * 2
    assert size == 2 * GIB
    with (folder / "large.dcm").open("wb") as file:  # sparse: only the header takes space
        file.write(header + size.to_bytes(4, "little"))
        file.truncate(file.tell() + size)
    found = measure(tmp_path / "archive", folder)
    assert found["accepted"] == 1
    assert found["peak"] - found["idle"] < ABOVE_IDLE_MAX
    archive = Archive.open(tmp_path / "archive", mode="read")
    record = archive.instance("1.2.3.4.1")
    assert record.frame_table is not None and len(record.frame_table) == frames
    digest = hashlib.sha256()
    with (folder / "large.dcm").open("rb") as file:
        file.seek(record.data_set_offset)
        while piece := file.read(4 * MIB):
            digest.update(piece)
    assert record.data_set_sha256 == digest.digest()
    assert archive.frame_bytes(record, frames - 1) == bytes(rows * columns * 2)
    archive.close()


def test_memory_does_not_grow_with_the_number(tmp_path: Path) -> None:
    peaks = {}
    for count in (500, 3000):
        folder = tmp_path / f"in{count}"
        folder.mkdir()
        for i in range(count):
            uid = f"1.2.{count}.{i}"
            (folder / f"{i}").write_bytes(make_instance(uid, number=i, rows=64, columns=64))
        found = measure(tmp_path / f"archive{count}", folder)
        assert found["accepted"] == count
        peaks[count] = found["peak"] - found["idle"]
    assert peaks[500] < ABOVE_IDLE_MAX
    assert peaks[3000] - peaks[500] < GROWTH_MAX


def _resident(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field + ":"))) * 1024


def _measure(path: Path, folder: Path) -> None:
    limits = Limits(disk_reserve_bytes=0)
    archive = Archive.open(path, limits)
    acceptor = Acceptor(archive, limits)
    warm = path.parent / f"{path.name}.warm"
    warm.write_bytes(make_instance("9.9.9", study="9.9", series="9.9.1"))
    list(import_paths([warm], acceptor, limits))
    idle = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    accepted = sum(e.accepted is not None for e in import_paths([folder], acceptor, limits))
    peak = _resident("VmHWM")
    acceptor.close()
    archive.close()
    print(json.dumps({"idle": idle, "peak": peak, "accepted": accepted}))


if __name__ == "__main__":
    _measure(Path(sys.argv[1]), Path(sys.argv[2]))
