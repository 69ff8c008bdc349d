"""A hand that comes to slices which lie on the disk: with what it comes to asked for ahead, and without.

    python -m benchmarks.cold [--slices 300] [--speed 60] [--rounds 5] [--forwards]

A pack of a generated CT whose pages are dropped from the page cache before each time (``posix_fadvise``), a session in a process of
its own without a network, a hand that moves from the last slice to the first (or forwards). Counted: reads that waited for the
disk, how long in all, and positions whose whole frame was there within 16.7 ms. Traps: the drive may have a cache of its own; a
virtual disk may answer from another machine's memory; where the kernel reads much ahead by itself (``read_ahead_kb``; 128 is usual,
8192 makes 48 slices of one miss), and forwards, nothing is left to be gained.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.measure import Report
from engine.archive.archive import Archive
from engine.archive.renditions.asking import Asking
from engine.archive.renditions.shelf import Shelf
from engine.cli.phantom import PhantomSeries, instance
from engine.executors import Executors
from engine.ingest.accept import Acceptor
from engine.limits import Limits
from engine.metrics import Metrics
from engine.stream.dispatch import Dispatcher
from engine.stream.frames import FrameService
from engine.stream.framing import HEAD, Record
from engine.stream.making import SeriesMaker
from engine.stream.opened import OpenedSeries, OpenSeries
from engine.stream.pictures import Pictures
from engine.stream.readiness import Readiness
from engine.stream.session import Session
from engine.stream.travel import Travel
from engine.types import Source

_LIMITS = Limits(rendition_reserve_bytes=1, disk_reserve_bytes=0)
_DEADLINE_S = 1 / 60


class Staying(Travel):
    """Nothing is asked for ahead: as it was."""

    def missed(self, *_: object) -> None:
        """Is not noted."""


class Timed(ThreadPoolExecutor):
    """Notes what waited for the disk."""

    def __init__(self) -> None:
        super().__init__(8)
        self.waits: list[float] = []

    def submit(self, work: Callable[..., Any], /, *args: Any, **more: Any) -> Any:
        """Of the reads of a session only."""
        if work.__name__ != "records_of":
            return super().submit(work, *args, **more)

        def timed() -> Any:
            start = time.perf_counter()
            try:
                return work(*args, **more)
            finally:
                self.waits.append(time.perf_counter() - start)

        return super().submit(timed)


class Wire:
    """Answers everything at once, and notes when a frame is whole."""

    def __init__(self, series: OpenSeries) -> None:
        self.whole_at: dict[int, float] = {}
        self.is_open = asyncio.Event()
        self._supply, self._got = series.supply, 0
        self.session: Session | None = None

    def has_room(self) -> bool:
        """Always."""
        return True

    def put(self, messages: Sequence[bytes]) -> None:
        """See `engine.stream.outgoing.Carrier`."""
        for message in messages:
            self._take(message)

    async def send(self, message: bytes | str) -> None:
        """See `engine.stream.outgoing.Carrier`."""
        if isinstance(message, bytes):
            self._take(message)

    def _take(self, message: bytes) -> None:
        at = 0
        while at < len(message):
            kind, _, _, _, _, position, detail, length = HEAD.unpack_from(message, at)
            at += HEAD.size + length
            if kind == Record.SERIES:
                self.is_open.set()
                continue
            self._got += length
            if kind == Record.CHUNK and detail + length == self._supply.size(position):
                self.whole_at[position] = time.perf_counter()
        if self._got:
            asyncio.get_running_loop().call_soon(self._answer, self._got)

    def _answer(self, got: int) -> None:
        assert self.session is not None
        self.session.heard(json.dumps({"type": "got", "bytes": got}))


async def played(archive: Archive, phantom: PhantomSeries, is_ahead: bool, speed: float) -> dict[str, float]:
    """The hand from one end to the other; a `speed` below 0: from the last slice to the first."""
    executors, pool = Executors(2), Timed()
    opened = OpenedSeries(archive, Shelf(archive.path, _LIMITS), Asking(None))
    uids = phantom.study_instance_uid, phantom.series_instance_uid
    wire = Wire(opened.open(*uids))
    readiness = Readiness(opened, executors.index)
    pictures = Pictures(archive, FrameService(archive, executors, _LIMITS, Metrics()))
    travel = (Travel if is_ahead else Staying)(pool)
    session = Session(wire, Dispatcher(), opened, readiness, pictures, travel, _LIMITS, pool, executors.index)
    wire.session = session
    writing = asyncio.create_task(session.write())
    session.heard('{"type":"hello"}')
    session.heard(json.dumps({"type": "open", "series": 1, "study": uids[0], "seriesInstanceUID": uids[1]}))
    await wire.is_open.wait()
    shown_at = []
    start = time.perf_counter()
    way = range(phantom.slices) if speed > 0 else range(phantom.slices)[::-1]
    for step, position in enumerate(way):
        await asyncio.sleep(max(0.0, start + step / abs(speed) - time.perf_counter()))
        shown_at.append((position, time.perf_counter()))
        look = {"viewport": 1, "series": 1, "position": position, "velocity": speed, "quality": "fitting", "reach": 2}
        session.heard(json.dumps({"type": "look", **look}))
    await asyncio.sleep(0.2)
    in_time = sum(wire.whole_at.get(position, 1e18) - at <= _DEADLINE_S for position, at in shown_at)
    writing.cancel()
    session.close()
    readiness.close()
    executors.close()
    pool.shutdown()
    return {"waits": len(pool.waits), "wait_ms": sum(pool.waits) * 1e3, "in_time": in_time / len(shown_at)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--speed", type=float, default=60.0, help="slices a second")
    parser.add_argument("--forwards", action="store_true", help="from the first slice to the last")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--play", nargs=2, metavar=("ARCHIVE", "WAY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    phantom, speed = PhantomSeries(slices=options.slices), options.speed if options.forwards else -options.speed
    if options.play:
        archive = Archive.open(Path(options.play[0]), _LIMITS)
        print(json.dumps(asyncio.run(played(archive, phantom, options.play[1] == "ahead", speed))))
        archive.close()
        return
    report = Report("cold", "a hand over a series that lies on the disk")
    with tempfile.TemporaryDirectory() as folder:
        pack = _made(Path(folder) / "archive", phantom)
        found: dict[str, dict[str, list[float]]] = {"waits": {}, "wait_ms": {}, "in_time": {}}
        for _ in range(options.rounds):
            for way in ("ahead", "not ahead"):
                _drop(pack)
                command = [sys.executable, "-m", "benchmarks.cold", "--slices", str(options.slices)]
                command += [
                    "--speed",
                    str(options.speed),
                    *(["--forwards"] if options.forwards else []),
                    "--play",
                    str(Path(folder) / "archive"),
                    way,
                ]
                said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
                for name, values in found.items():
                    values.setdefault(way, []).append(said[name])
    report.add("reads that waited", "reads", found["waits"], subject="ahead")
    report.add("waited in all", "ms", found["wait_ms"], subject="ahead")
    late = {way: [100 - 100 * one for one in values] for way, values in found["in_time"].items()}
    report.add("positions that were not whole within 16.7 ms", "%", late)
    report.finish()


def _made(path: Path, phantom: PhantomSeries) -> Path:
    archive = Archive.open(path, _LIMITS)
    acceptor = Acceptor(archive, _LIMITS)
    for index in range(phantom.slices):
        acceptor.submit(instance(phantom, index), Source("import", "phantom")).result(60)
    acceptor.close()
    maker = SeriesMaker(archive, Shelf(path, _LIMITS), _LIMITS, Metrics())
    for _ in maker.make(phantom.study_instance_uid, phantom.series_instance_uid, 1):
        pass
    archive.close()
    [pack] = (path / "renditions" / "packs").glob("*.pack")
    return pack


def _drop(pack: Path) -> None:
    file = os.open(pack, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


if __name__ == "__main__":
    main()
