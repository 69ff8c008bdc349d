"""Many clients of all kinds at once for a long time: do errors, memory or the slowest answers grow?

    python -m benchmarks.mixed [--clients 64] [--seconds 600] [--quick]

Every client is a keep-alive connection with a trade of its own for each request, drawn with a fixed seed: a stored frame (60 %), a
search (20 %), a series' metadata, gzipped (10 %), a small instance with new UIDs by STOW-RS (10 %), and it thinks for 50 ms on
average in between. What counts: no answer is an error; memory of all processes in the last quarter beside the second; p99 within
ten times p50 of each kind; and at the end every instance that was answered with 200 is there, byte for byte. Memory is what is no
file's: pages of the mapped index, which grows with every instance stored, are none of it.

Traps: the clients are one Python process on the same cores, which takes as much of them as the server; without time to think this
measures nothing but its queue.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import hashlib
import io
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pydicom
import uvloop

from benchmarks.data import Series, phantom, small_studies
from benchmarks.measure import Report
from benchmarks.peers import Voxcast, voxcast_command

FRAME, SEARCH, METADATA, STORE = "frame", "search", "metadata", "store"
_SHARES = {FRAME: 60, SEARCH: 20, METADATA: 10, STORE: 10}
_THINKS_S = 0.05
_BOUNDARY = "mixed"
_STUDIES, _SLICES = 1000, 300


@dataclass
class Seen:
    """What all clients together have seen."""

    times_ms: dict[str, list[float]] = field(default_factory=lambda: collections.defaultdict(list))
    errors: list[str] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)  # address → SHA-256 of what was sent
    memory_mb: list[tuple[float, float]] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> int:
    """0: measured; 1: an answer was an error, or something stored was not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--quick", action="store_true", help="30 seconds")
    options = parser.parse_args(arguments)
    seconds = 30.0 if options.quick else options.seconds
    report = Report("mixed", f"{options.clients} clients for {seconds:.0f} s")
    with tempfile.TemporaryDirectory(prefix="voxcast-mixed-") as folder:
        series, small = _fill(Path(folder))
        server = Voxcast(Path(folder) / "archive", Path(folder) / "server.log")
        try:
            seen = uvloop.run(_load(server, series, small, options.clients, seconds))
        finally:
            server.stop()
    return _told(report, seen, seconds)


def _fill(folder: Path) -> tuple[Series, bytes]:
    series = phantom(folder / "phantom", _SLICES)
    studies = folder / "small"
    studies.mkdir()
    parts = list(small_studies(_STUDIES))
    for number, part10 in enumerate(parts):
        (studies / f"{number:05}.dcm").write_bytes(part10)
    command = [
        voxcast_command(),
        "import",
        str(series.files[0].parent),
        str(studies),
        "--archive",
        str(folder / "archive"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return series, _template(parts[0])


def _template(part10: bytes) -> bytes:
    """A small instance whose UIDs can be counted on in place."""
    ds = pydicom.dcmread(io.BytesIO(part10))
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = (_uid(kind, 0, 0) for kind in (1, 2, 3))
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    sink = io.BytesIO()
    ds.save_as(sink, enforce_file_format=True)
    return sink.getvalue()


def _uid(kind: int, client: int, count: int) -> str:
    """Of the same length for all."""
    return f"2.999.8.{kind}.{1000 + client}.{1_000_000 + count}"


async def _load(server: Voxcast, series: Series, small: bytes, clients: int, seconds: float) -> Seen:
    seen, end = Seen(), time.perf_counter() + seconds
    url = f"http://{server.host}:{server.port}/dicom-web"
    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        watching = asyncio.create_task(_watch(server, seen))
        work = (_Client(session, url, series, small, seen, number).run(end) for number in range(clients))
        await asyncio.gather(*work)
        watching.cancel()
        await _check(session, seen)
    return seen


class _Client:
    def __init__(
        self, session: aiohttp.ClientSession, url: str, series: Series, small: bytes, seen: Seen, number: int
    ) -> None:
        self._session, self._url, self._series, self._small, self._seen = session, url, series, small, seen
        self._number, self._count = number, 0
        self._random = random.Random(number)
        self._at = number * len(series) // 64

    async def run(self, end: float) -> None:
        kinds, weights = list(_SHARES), list(_SHARES.values())
        while time.perf_counter() < end:
            kind = self._random.choices(kinds, weights)[0]
            try:
                await getattr(self, "_" + kind)()
            except (aiohttp.ClientError, TimeoutError) as error:
                self._seen.errors.append(f"{kind}: {error!r}")
            await asyncio.sleep(self._random.expovariate(1 / _THINKS_S))

    async def _ask(self, kind: str, path: str, accept: str, statuses: tuple[int, ...] = (200,), **more: Any) -> bytes:
        begun = time.perf_counter()
        method = "POST" if "data" in more else "GET"
        headers = {"Accept": accept, **more.pop("headers", {})}
        async with self._session.request(method, self._url + path, headers=headers, **more) as answer:
            body = await answer.read()
        self._seen.times_ms[kind].append((time.perf_counter() - begun) * 1e3)
        if answer.status not in statuses:
            self._seen.errors.append(f"{kind}: {answer.status} {body[:200]!r}")
        return body

    async def _frame(self) -> None:
        self._at = (self._at + 1) % len(self._series)
        s = self._series
        path = (
            f"/studies/{s.study_instance_uid}/series/{s.series_instance_uid}/instances/{s.sop_instance_uids[self._at]}"
        )
        accept = "multipart/related; type=application/octet-stream; transfer-syntax=*"
        body = await self._ask(FRAME, path + "/frames/1", accept)
        if len(body) < 512 * 512 * 2:
            self._seen.errors.append(f"frame: {len(body)} bytes")

    async def _search(self) -> None:
        number = self._random.randrange(_STUDIES // 2)
        query = self._random.choice(
            (
                f"PatientID=SYN{number:05}",
                f"PatientName=SYNTHETIC^{number:05}",
                f"PatientName=*{number:05}*",
                "limit=50",
            )
        )
        await self._ask(SEARCH, f"/studies?{query}", "application/dicom+json")

    async def _metadata(self) -> None:
        s = self._series
        path = f"/studies/{s.study_instance_uid}/series/{s.series_instance_uid}/metadata"
        await self._ask(METADATA, path, "application/dicom+json", headers={"Accept-Encoding": "gzip"})

    async def _store(self) -> None:
        self._count += 1
        part10 = self._small
        study, series, sop = (_uid(kind, self._number, self._count) for kind in (1, 2, 3))
        for kind, uid in enumerate((study, series, sop), 1):
            part10 = part10.replace(_uid(kind, 0, 0).encode(), uid.encode())
        body = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + part10
        body += f"\r\n--{_BOUNDARY}--\r\n".encode()
        kind = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}'}
        errors = len(self._seen.errors)
        await self._ask(STORE, "/studies", "application/dicom+json", data=body, headers=kind)
        if len(self._seen.errors) == errors:
            address = f"{self._url}/studies/{study}/series/{series}/instances/{sop}"
            self._seen.stored[address] = hashlib.sha256(part10).digest()


async def _watch(server: Voxcast, seen: Seen) -> None:
    begun = time.perf_counter()
    while True:
        memory = await asyncio.to_thread(server.group.memory)
        seen.memory_mb.append((time.perf_counter() - begun, memory.anonymous_mb))
        await asyncio.sleep(2.0)


async def _check(session: aiohttp.ClientSession, seen: Seen) -> None:
    """What was answered with yes is there, byte for byte."""
    for address, digest in seen.stored.items():
        async with session.get(address, headers={"Accept": "application/dicom"}) as answer:
            if hashlib.sha256(await answer.read()).digest() != digest:
                seen.errors.append(f"lost: {address}: {answer.status}")


def _told(report: Report, seen: Seen, seconds: float) -> int:
    for kind, times in sorted(seen.times_ms.items()):
        row = report.add(f"{kind}, answer", "ms", {"voxcast": times}, per_second=len(times) / seconds)
        spread = row.results["voxcast"].p99 / row.results["voxcast"].median
        report.add(f"{kind}: p99 by p50", "times", {"voxcast": [spread]}, limit=10.0)
    quarter = seconds / 4
    early = [mb for at, mb in seen.memory_mb if quarter <= at < 2 * quarter]
    late = [mb for at, mb in seen.memory_mb if at >= 3 * quarter]
    report.add("memory of all processes, second quarter", "MB", {"voxcast": early})
    report.add("memory of all processes, last quarter", "MB", {"voxcast": late}, stored=len(seen.stored))
    growth = float(np.median(late) - np.median(early)) if early and late else float("nan")
    print(
        f"{len(seen.errors)} errors; {len(seen.stored)} instances stored and read back; memory grew by {growth:.1f} MB"
    )
    for error in seen.errors[:20]:
        print(error, file=sys.stderr)
    report.finish()
    return 1 if seen.errors else 0


if __name__ == "__main__":
    sys.exit(main())
