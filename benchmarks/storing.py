"""Rows of what comes in: import of a folder, STOW-RS on one connection and on several, beside the disk's own limit.

Traps: the same instance sent twice is stored once, so every round has new UIDs (put in before the clock starts). Both servers sync
each instance's bytes; only voxcast also syncs its index before it says yes. The import's time is the whole command's, its
interpreter's start included; the disk's row is one program that appends and syncs, and nothing else.
"""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.client import BadAnswer
from benchmarks.data import renamed
from benchmarks.peers import DICOM_WEB, Orthanc, Voxcast
from benchmarks.stage import DICOM, Stage, multipart, must, voxcast_import

IMPORT_TARGET = 1000.0


def storing(stage: Stage) -> None:
    """Instances per second; servers and archives of their own, so that the others' indexes stay small."""
    folder = stage.folder / "storing"
    folder.mkdir()
    voxcast = Voxcast(folder / "archive", folder / "voxcast.log")
    orthanc = None
    try:
        if "orthanc" not in stage.absent:
            orthanc = Orthanc(folder / "orthanc")
        _import(stage, folder, orthanc)
        for name, connections, per_request in (
            ("one connection, 30 per request", 1, 30),
            ("one connection, 1 per request", 1, 1),
            ("8 connections, 1 per request", 8, 1),
        ):
            samples: dict[str, list[float]] = {}
            servers: list[Voxcast | Orthanc] = [voxcast] if orthanc is None else [voxcast, orthanc]
            for turn in range(_turns(stage)):
                for server in servers if turn % 2 == 0 else servers[::-1]:
                    batch = _batch(stage, f"stow {connections} {per_request} {turn}")
                    samples.setdefault(server.name, []).append(_stow(server, batch, connections, per_request))
            absent = {w: why for w, why in stage.absent.items() if w == "orthanc"}
            stage.report.add(f"STOW-RS, {name}", "instances/s", samples, subject="voxcast", missing=absent)
    finally:
        voxcast.stop()
        if orthanc is not None:
            orthanc.stop()
        shutil.rmtree(folder)


def _import(stage: Stage, folder: Path, orthanc: Orthanc | None) -> None:
    copies = 1 if stage.is_quick else 4
    source = folder / "source"
    count = 0
    for copy in range(copies):
        part = source / str(copy)
        part.mkdir(parents=True)
        for part10 in renamed(stage.raw, f"import {copy}"):
            (part / f"{count:06}.dcm").write_bytes(part10)
            count += 1
    samples: dict[str, list[float]] = {"voxcast": [], "orthanc": [], "disk": []}
    for turn in range(_turns(stage)):
        archive = folder / f"import-{turn}"
        samples["voxcast"].append(count / voxcast_import(archive, source))
        shutil.rmtree(archive)
        batch = _batch(stage, f"post {turn}")
        if orthanc is not None:
            with orthanc.connect() as connection:
                start = time.perf_counter()
                for part10 in batch:
                    must(connection.post("/instances", part10, DICOM))
                samples["orthanc"].append(len(batch) / (time.perf_counter() - start))
        samples["disk"].append(_disk(folder / "disk", batch))
    stage.report.add(
        f"import of a folder of {count} files (Orthanc: POST /instances on one connection)",
        "instances/s",
        samples,
        subject="voxcast",
        missing={w: why for w, why in stage.absent.items() if w == "orthanc"},
        limit=IMPORT_TARGET,
        note="disk: the same bytes appended to one preallocated file, fdatasync after every 32",
        instance_bytes=stage.raw.files[0].stat().st_size,
    )


def _turns(stage: Stage) -> int:
    return 2 if stage.is_quick else 5


def _batch(stage: Stage, name: str) -> list[bytes]:
    return list(renamed(stage.raw, name))[: 100 if stage.is_quick else None]


def _stow(server: Voxcast | Orthanc, batch: list[bytes], connections: int, per_request: int) -> float:
    """Send all, each connection its share; instances per second. Bodies are put together before the clock starts."""
    requests = [multipart(batch[at : at + per_request]) for at in range(0, len(batch), per_request)]
    opened = [server.connect() for _ in range(connections)]

    def share(first: int) -> None:
        for headers, body in requests[first::connections]:
            must(opened[first].post(f"{DICOM_WEB}/studies", body, headers))

    try:
        with ThreadPoolExecutor(connections) as pool:
            start = time.perf_counter()
            for _ in pool.map(share, range(connections)):
                pass
            return len(batch) / (time.perf_counter() - start)
    finally:
        for connection in opened:
            connection.close()


def _disk(path: Path, batch: list[bytes]) -> float:
    """What the disk gives to a program that does nothing but append and sync."""
    fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    try:
        os.posix_fallocate(fd, 0, sum(map(len, batch)))
        os.fsync(fd)
        start = time.perf_counter()
        for number, part10 in enumerate(batch, 1):
            if os.write(fd, part10) != len(part10):
                raise BadAnswer("the disk took a part of a file only")
            if number % 32 == 0 or number == len(batch):
                os.fdatasync(fd)
        return len(batch) / (time.perf_counter() - start)
    finally:
        os.close(fd)
        path.unlink()
