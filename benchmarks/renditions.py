"""Renditions: how quickly packs are made, what they take, and what is won by them.

    python -m benchmarks.renditions [--quick]

A CT of 300 slices of 512² (the shared real one, or the demo's phantom), stored natively and as JPEG 2000 lossless, each in an
archive on the disk. Making is one thread: reading, decoding, encoding, decoding again, comparing, writing, fdatasync; a row
has the slices a second of one pass, and what the pack takes beside what is stored. Traps: making from JPEG 2000 is bound by
OpenJPEG's decoder on one thread; pictures that are kept decoded would cost nothing, so every request asks for another
slice, and each from a service of its own, whose cache of decoded frames is empty; timings move with what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.data import Series, jpeg2000, phantom, real_ct
from benchmarks.measure import Report, interleave
from benchmarks.peers import Voxcast
from benchmarks.stage import AS_STORED, JSON, instance_paths, must
from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.archive.renditions.shelf import Shelf
from engine.codec.base import Array
from engine.codec.registry import decode_frame
from engine.codec.rendition import decode_rendition
from engine.executors import Executors
from engine.imaging.spec import RenderSpec
from engine.ingest.accept import Acceptor
from engine.limits import Limits
from engine.metrics import Metrics
from engine.stream.frames import JPEG, FrameService
from engine.stream.making import SeriesMaker
from engine.types import Source, Timings

LIMITS = Limits(rendition_reserve_bytes=1)
SLICES = 300
_BURST = 25  # requests from one look at the pack's state to the next
TARGET_PER_S = 250.0  # from native pixels, one core


def main(arguments: list[str] | None = None) -> int:
    """0: measured; a rendition that gives other pixels than the stored frame's ends it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="30 slices, a tenth of the rounds")
    quick = parser.parse_args(arguments).quick
    slices, rounds = (30, 20) if quick else (SLICES, 200)
    report = Report("renditions", f"{slices} CT slices of 512²: packs made, and what they save")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        native = real_ct() if not quick else None
        native = native or phantom(folder / "native", slices)
        for what, series in (("native", native), ("JPEG 2000", jpeg2000(native, folder / "j2k"))):
            archive = filled(folder / what, series)
            try:
                records = archive.members(series.study_instance_uid, series.series_instance_uid)
                make(report, what, archive, series)
                if what != "native":
                    use(report, what, archive, records, rounds)
            finally:
                archive.close()
            if what == "native":
                beside(report, folder, series, 2 if quick else 6)
    report.finish()
    return 0


def filled(path: Path, series: Series) -> Archive:
    """An archive that holds a series."""
    archive = Archive.open(path, LIMITS)
    acceptor = Acceptor(archive, LIMITS)
    waiting = [acceptor.submit(file.read_bytes(), Source("import", file.name)) for file in series.files]
    for one in waiting:
        one.result(60)
    acceptor.close()
    return archive


def make(report: Report, what: str, archive: Archive, series: Series) -> None:
    """The pack, three times."""
    shelf = Shelf(archive.path, LIMITS)
    rates: list[float] = []
    for _ in range(3):
        shelf.clear()
        maker = SeriesMaker(archive, shelf, LIMITS, Metrics())
        began = time.perf_counter()
        count = sum(step.is_made for step in maker.make(series.study_instance_uid, series.series_instance_uid, 1))
        rates.append(count / (time.perf_counter() - began))
    pack = shelf.find(series.study_instance_uid, series.series_instance_uid)
    assert pack is not None
    stored = archive.series(series.study_instance_uid, series.series_instance_uid).byte_count
    members = archive.members(series.study_instance_uid, series.series_instance_uid)
    native = sum(record.frame_descriptor.frame_bytes for record in members if record.frame_descriptor is not None)
    report.add(
        f"making from {what}", "/s", {"voxcast": rates}, limit=TARGET_PER_S if what == "native" else None,
        note="slices, one thread", pack_bytes=pack.size_bytes, stored_bytes=stored, coarse_bytes=len(pack.coarse),
        share_of_stored=round(pack.size_bytes / stored, 3), native_mb_per_s=round(max(rates) / count * native / 1e6, 1),
    )  # fmt: skip


def beside(report: Report, folder: Path, series: Series, turns: int) -> None:
    """Frames asked for on one connection while the server makes the series' pack, and as many while it does not, in turn.

    The pack is dropped and asked for again every time; p99 is over all turns.
    """
    address = f"/api/renditions/studies/{series.study_instance_uid}/series/{series.series_instance_uid}"
    times: dict[str, list[float]] = {"while a pack is made": [], "otherwise": []}
    server = Voxcast(folder / "native", folder / "serve.log", "--workers", "1")
    try:
        with server.connect() as reader, server.connect() as operator:
            asks = [reader.prepare(path, AS_STORED) for path in instance_paths(series, "/frames/1")]

            def is_made() -> bool:
                return bool(json.loads(operator.get(address, JSON).body)["isComplete"])

            def ask(count: int) -> list[float]:
                found = []
                for i in range(count):
                    began = time.perf_counter()
                    must(reader.send(asks[i % len(asks)]))
                    found.append((time.perf_counter() - began) * 1e3)
                return found

            wait_for(is_made)
            for _ in range(turns):
                must(operator.send(operator.prepare(address, method="DELETE")))
                operator.send(operator.prepare(address, method="POST"))
                made: list[float] = []
                while not is_made():
                    made += ask(_BURST)
                times["while a pack is made"] += made
                times["otherwise"] += ask(len(made))
    finally:
        server.stop()
    p99 = {name: float(np.percentile(values, 99)) for name, values in times.items()}
    report.add(
        "frame request", "ms", times, note="one connection, 512 KB as stored",
        p99_ratio=round(p99["while a pack is made"] / p99["otherwise"], 2), p99_ratio_max=1.5,
    )  # fmt: skip


def wait_for(is_done: Callable[[], bool], seconds_max: float = 120.0) -> None:
    """Poll; raises TimeoutError."""
    until = time.monotonic() + seconds_max
    while not is_done():
        if time.monotonic() > until:
            raise TimeoutError("the pack was not made")
        time.sleep(0.05)


def use(report: Report, what: str, archive: Archive, records: list[InstanceRecord], rounds: int) -> None:
    """A frame decoded, and a picture of it, from its rendition and from what is stored."""
    shelf = Shelf(archive.path, LIMITS)

    def through(i: int) -> Array:
        record = records[i % len(records)]
        found = shelf.frame_of(record, 0)
        assert found is not None
        assert record.frame_descriptor is not None
        pack, frame = found
        code, photometric = pack.code_stream(frame), frame.photometric_interpretation
        return decode_rendition(record.frame_descriptor, code, photometric, frame.bits, LIMITS).stored_values

    def stored(i: int) -> Array:
        record = records[i % len(records)]
        body = archive.frame_bytes(record, 0)
        assert body is not None
        assert record.frame_descriptor is not None
        return decode_frame(record.frame_descriptor, body, LIMITS).stored_values

    for i in range(3):
        if not np.array_equal(through(i), stored(i)):
            raise AssertionError(f"slice {i}: other pixels than the stored frame's")
    times = interleave({"rendition": through, "stored frame": stored}, rounds, seconds_max=30)
    report.add(f"decode, stored as {what}", "ms", times, note="a slice")
    times = asyncio.run(pictures(archive, records, rounds))
    report.add(
        f"rendered JPEG, stored as {what}", "ms", times, note="a slice, in the server", targets={"stored frame": 2.0}
    )


async def pictures(archive: Archive, records: list[InstanceRecord], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each, in turn."""
    executors = Executors(1)
    times: dict[str, list[float]] = {"rendition": [], "stored frame": []}
    try:
        for i in range(-1, rounds):  # the first loads what draws pictures
            for who in times:
                service = FrameService(archive, executors, LIMITS, Metrics())
                if who == "stored frame":
                    service.decoded.shelf = Shelf(None, LIMITS)
                began = time.perf_counter()
                await service.rendered(records[i % len(records)], 0, RenderSpec(), JPEG, 90, Timings())
                if i >= 0:
                    times[who].append((time.perf_counter() - began) * 1e3)
    finally:
        executors.close()
    return times


if __name__ == "__main__":
    sys.exit(main())
