"""Importing many CT instances, durably: instances per second, the time of each group commit, and what the machine itself allows.

    python -m benchmarks.ingest [--count 10000] [--rounds 3] [--cold] [--folder DIR] [--threads N]

The instances are generated 512×512 slices of 16 bits with new UIDs: 0.5 MB each, so 10 000 are 5 GB.

Traps: the files have just been written, so they are read from the page cache unless `--cold` drops it (needs root): what is seen
then is the way in, not the disk they lie on. A virtual disk gives the first write to a new block another speed than a later one,
and may have a budget for bursts: the machine's limits are measured in the same round, right behind the import, on the same bytes,
and say what the disk gave at that moment. They are a plain sequential write with one fdatasync at the end and with one for each
group, and the SHA-256 on one core; an import has to do all of it, and read, scan and index besides.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Report
from engine.archive.archive import Archive
from engine.cli.phantom import PhantomSeries, generate
from engine.ingest.accept import Acceptor
from engine.ingest.importer import import_paths
from engine.limits import Limits

TARGET = 1000.0


def main() -> int:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="voxcast-ingest-", dir=options.folder))
    report = Report("ingest", "import of generated CT instances, durable")
    try:
        source = folder / "source"
        size = make_source(source, options.count)
        rates: list[float] = []
        groups: list[float] = []
        limits: dict[str, list[float]] = {}
        work: dict[str, object] = {}
        for turn in range(options.rounds):
            if options.cold:
                os.sync()
                Path("/proc/sys/vm/drop_caches").write_text("1")
            seconds, times, work = run_import(folder / "archive", source, options.threads)
            rates.append(options.count / seconds)
            groups += times
            shutil.rmtree(folder / "archive")
            for name, took in physical(folder / "plain", source, float(work["group_bytes"])).items():  # type: ignore[arg-type]
                limits.setdefault(name, []).append(size / took / 1e6)
            print(f"round {turn + 1}: {rates[-1]:.0f} instances/s, {work}", file=sys.stderr)
        each = size / options.count
        report.add("import, durable", "instances/s", {"voxcast": rates}, limit=TARGET, note="source in the page cache"
                   if not options.cold else "source read from the disk", **work)  # fmt: skip
        report.add("import, durable", "MB/s", {"voxcast": [r * each / 1e6 for r in rates], **limits})
        report.add("one group commit", "ms", {"voxcast": groups})
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report.finish()
    return 0


def make_source(folder: Path, count: int) -> int:
    """Write the files; returns their bytes."""
    folder.mkdir()
    total = 0
    slices = [_Slice(content) for content in generate(PhantomSeries(slices=16))]
    for i in range(count):
        if i % 1000 == 0:
            (folder / f"{i // 1000:03}").mkdir()
        content = slices[i % len(slices)].stamped(i)
        (folder / f"{i // 1000:03}" / f"{i:06}.dcm").write_bytes(content)
        total += len(content)
    os.sync()
    return total


class _Slice:
    """One generated slice whose SOP, Series and Study UIDs are changed in place: series of 500, two to a study."""

    def __init__(self, content: bytes) -> None:
        from pydicom import dcmread
        from pydicom.filebase import DicomBytesIO

        ds = dcmread(DicomBytesIO(content), stop_before_pixels=True)
        self._content = content
        self._places = [
            _places(content, uid.encode()) for uid in (ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID)
        ]

    def stamped(self, i: int) -> bytes:
        made = bytearray(self._content)
        for places, number in zip(self._places, (i, i // 500, i // 1000), strict=True):
            for end in places:  # the last eight digits of the UID
                made[end - 8 : end] = b"%08d" % number
        return bytes(made)


def _places(content: bytes, uid: bytes) -> list[int]:
    """Where each of its occurrences ends."""
    return [match.end() for match in re.finditer(re.escape(uid), content)]


def run_import(path: Path, source: Path, threads: int | None) -> tuple[float, list[float], dict[str, object]]:
    """Seconds, milliseconds of each group commit, and the work that was done."""
    limits = Limits()
    archive = Archive.open(path, limits, is_bulk=True)
    times: list[float] = []
    sizes: list[int] = []
    store = archive.store

    def timed(batch):  # type: ignore[no-untyped-def]
        start = time.perf_counter()
        outcomes = store(batch)
        times.append((time.perf_counter() - start) * 1e3)
        sizes.append(len(batch))
        return outcomes

    archive.store = timed  # type: ignore[method-assign]
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    start = time.perf_counter()
    acceptor = Acceptor(archive, limits)
    more = {} if threads is None else {"threads": threads}
    count = length = 0
    for event in import_paths([source], acceptor, limits, **more):
        if event.accepted is None:
            raise RuntimeError(f"{event.name}: {event.failure}")
        count, length = count + 1, length + event.accepted.length
    acceptor.close()
    seconds = time.perf_counter() - start
    work: dict[str, object] = {
        "instances": count,
        "group_commits": len(times),
        "instances_per_group": round(count / len(times), 1),
        "group_bytes": length / len(times),
        "fdatasyncs": archive.syncs,
        "index_commits": archive.commits,
        "memory_above_idle_mb": round((resident("VmHWM") - before) / 1e6, 1),
    }
    archive.close()
    return seconds, times, work


def physical(path: Path, source: Path, group_bytes: float) -> dict[str, float]:
    """Seconds that the same bytes take when nothing but one thing is done with them."""
    found: dict[str, float] = {}
    for name, every in (
        ("plain write, one fdatasync", float("inf")),
        ("plain write, one fdatasync a group", group_bytes),
    ):
        start, written = time.perf_counter(), 0.0
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        for content in contents(source):
            os.write(fd, content)
            written += len(content)
            if written >= every:
                os.fdatasync(fd)
                written = 0
        os.fdatasync(fd)
        found[name] = time.perf_counter() - start
        os.close(fd)
        path.unlink()
    start = time.perf_counter()
    for content in contents(source):
        hashlib.sha256(content).digest()
    found["SHA-256 on one core"] = time.perf_counter() - start
    return found


def contents(source: Path) -> Iterator[bytes]:
    for folder in sorted(source.iterdir()):
        for path in sorted(folder.iterdir()):
            yield path.read_bytes()


def resident(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field + ":"))) * 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="reading threads; the importer's own number unless told")
    parser.add_argument("--cold", action="store_true", help="drop the page cache before each round (root)")
    parser.add_argument("--folder", type=Path, help="where to work; twice the bytes must fit")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
