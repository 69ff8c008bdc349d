"""Searches over an index of a million instances: how long in the server's process, and whether that grows with the archive.

    python -m benchmarks.searching [--quick]

The index alone is generated, by the program's own `Indexer`: no instance is stored, and nothing is fetched over a socket, but for
C-FIND, which a process of its own answers over one association. Traps: one patient searched again and again flatters a cache, so
every call asks for the next one; pages of an index that was just written are in memory, as they are in a server that has run for a
while. The same searches on a hundredth of the archive are the peer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import random
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.asking import Asker
from benchmarks.measure import Report, interleave
from engine.archive.archive import Archive
from engine.archive.index import TABLES, Indexer, check_schema
from engine.archive.lmdb_engine import LmdbEngine
from engine.archive.records import InstanceRecord
from engine.archive.search import search
from engine.dicom.query import Findings, Level, Match, Query
from engine.dicom.scanned import ScannedInstance
from engine.limits import Limits
from engine.types import Location, Source

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

LIMITS = Limits()
CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
FAMILY = (
    "Adams", "Baker", "Chandra", "Dubois", "Eriksen", "Ferrari", "Gupta", "Hansen", "Ivanov", "Jansen", "Kowalski", "Lopez",
    "Meier", "Nguyen", "Olsen",
)  # fmt: skip
GIVEN = [
    "Ann",
    "Ben",
    "Clara",
    "David",
    "Eva",
    "Finn",
    "Gina",
    "Hans",
    "Ida",
    "Jon",
    "Kim",
    "Lea",
    "Max",
    "Nora",
    "Omar",
]
QUICK_MS, CONTAINS_MS, FIND_MS = 0.5, 50.0, 2.0


def dump(**values: tuple[str, object]) -> bytes:
    return json.dumps({f"{key[1:]}": {"vr": vr, "Value": [value]} for key, (vr, value) in values.items()}).encode()


def instances(studies: int, each: int) -> Iterator[tuple[InstanceRecord, ScannedInstance]]:
    """CT of ten years, one series a study, two studies a patient."""
    dice = random.Random(1)
    for i in range(studies):
        patient, study = i // 2, f"1.2.826.0.1.3680043.10.1.{i}"
        year, day = 2015 + i * 10 // studies, dice.randrange(365)
        date = f"{year}{day // 31 + 1:02}{day % 28 + 1:02}"
        name = f"{FAMILY[patient % 15]}{patient // 225}^{GIVEN[patient // 15 % 15]}"
        levels = {
            "patient_json": dump(_00100010=("PN", {"Alphabetic": name}), _00100020=("LO", f"P{patient:07}")),
            "study_json": dump(
                _00080020=("DA", date), _00080030=("TM", f"{i % 24:02}1500"), _00080050=("SH", f"A{i:08}"),
                _00081030=("LO", "CT thorax"), _0020000D=("UI", study),
            ),
            "series_json": dump(_00080060=("CS", "CT"), _0020000E=("UI", f"{study}.1"), _00200011=("IS", 1)),
        }  # fmt: skip
        for k in range(each):
            sop = f"{study}.1.{k}"
            row = dump(_00080016=("UI", CT), _00080018=("UI", sop), _00200013=("IS", k))
            sha, key = hashlib.sha256(sop.encode()).digest(), k.to_bytes(4, "big")
            common = {
                "sop_class_uid": CT,
                "sop_instance_uid": sop,
                "study_instance_uid": study,
                "transfer_syntax_uid": EXPLICIT,
            }
            common |= {"series_instance_uid": f"{study}.1", "data_set_offset": 400, "header_length": 2000}
            common |= {"instance_json": row, "slice_key": key}
            record = InstanceRecord(
                **common, location=Location(1, i * each + k, 1), data_set_sha256=sha, received_ns=i * each + k,
                source=Source("import"), frame_descriptor=None, frame_table=None, defects=(),
            )  # type: ignore[arg-type]  # fmt: skip
            yield record, ScannedInstance(**common, **levels)  # type: ignore[arg-type]


def no_rescan(_: InstanceRecord) -> ScannedInstance:
    raise AssertionError("nothing is deleted here")


def build(folder: Path, studies: int, each: int) -> LmdbEngine:
    """The index of an archive of so many studies, committed in groups."""
    (folder / "segments").mkdir(parents=True)
    (folder / "index.lmdb").mkdir()
    engine = LmdbEngine(folder / "index.lmdb", TABLES, is_writable=True)
    pending = instances(studies, each)
    is_first = True
    while True:
        group = [item for item, _ in zip(pending, range(5000), strict=False)]
        if not group:
            return engine
        with engine.write() as txn:
            if is_first:
                check_schema(txn)
                is_first = False
            indexer = Indexer(txn, no_rescan)
            for record, scanned in group:
                indexer.add(record, scanned)
            indexer.finish()


def searches(studies: int) -> dict[str, tuple[Callable[[int], Query], float | None]]:
    """Each search by its round's number, and how many ms it may take in the median."""

    def at(i: int) -> int:
        return (i * 7919 + 13) % studies

    def study(*keys: Match, **more: object) -> Query:
        return Query(level=Level.STUDY, matches=keys, **{"limit": 100, **more})  # type: ignore[arg-type]

    def week(i: int) -> str:
        year, month, day = 2015 + i % 10, i % 12 + 1, i % 21 + 1
        return f"{year}{month:02}{day:02}-{year}{month:02}{day + 6:02}"

    return {
        "PatientID": (lambda i: study(Match(0x00100020, "LO", f"P{at(i) // 2:07}")), QUICK_MS),
        "StudyInstanceUID": (lambda i: study(Match(0x0020000D, "UI", f"1.2.826.0.1.3680043.10.1.{at(i)}")), QUICK_MS),
        "series of a study": (
            lambda i: Query(level=Level.SERIES, study_instance_uid=f"1.2.826.0.1.3680043.10.1.{at(i)}"),
            QUICK_MS,
        ),
        "a week, 100 rows": (lambda i: study(Match(0x00080020, "DA", week(i))), QUICK_MS),
        "name prefix": (
            lambda i: study(Match(0x00100010, "PN", f"{FAMILY[at(i) // 2 % 15]}{at(i) // 450}^{GIVEN[at(i) // 30 % 15][:2]}*")),
            QUICK_MS,
        ),
        "two words": (lambda i: study(text=f"{FAMILY[at(i) // 2 % 15]}{at(i) // 450} {GIVEN[at(i) // 30 % 15]}"), None),
        "the newest 100": (lambda i: study(), QUICK_MS),
        "the newest 100 of CT": (lambda i: study(Match(0x00080060, "CS", "CT")), None),
        "name contains": (lambda i: study(Match(0x00100010, "PN", f"*ans{at(i) // 450}*"), limit=25), CONTAINS_MS),
        "by name, 100 rows": (lambda i: study(limit=100, order=()), None),
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """0: measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the archive, and of the rounds")
    options = parser.parse_args(arguments)
    shapes = [(10_000, 10)] if options.quick else [(100_000, 10), (2_000, 500)]
    report = Report("searching", "searches in the server's process, over an index alone")
    folder = Path(tempfile.mkdtemp(prefix="voxcast-searching-"))
    try:
        for studies, each in shapes:
            few = max(studies // 100, 20)
            sizes = {f"{n} studies": n for n in (studies, few)}
            engines = {name: build(folder / f"{n}-{each}", n, each) for name, n in sizes.items()}
            for what, (_, limit) in searches(studies).items():
                measure(
                    report, f"{what}: {studies} × {each}", what, sizes, engines, limit, 20 if options.quick else 200
                )
            for engine in engines.values():
                engine.close()
            find(report, f"C-FIND of one study by its UID: {studies} × {each} [ms]", folder, sizes, each)
    finally:
        shutil.rmtree(folder)
    report.finish()
    return 0


def measure(
    report: Report,
    name: str,
    what: str,
    sizes: dict[str, int],
    engines: dict[str, LmdbEngine],
    limit: float | None,
    rounds: int,
) -> None:
    """One search on both sizes."""

    def one(size: str) -> Callable[[int], Findings]:
        query = searches(sizes[size])[what][0]

        def run(i: int) -> Findings:
            with engines[size].read() as view:
                return search(view, query(i), LIMITS)

        return run

    runs = {size: one(size) for size in sizes}
    found = {size: [len(run(i).rows) for i in range(5)] for size, run in runs.items()}
    samples = interleave(runs, rounds, seconds_max=20.0)
    report.add(f"{name} [ms]", "ms", samples, limit=limit, rows_found=found)


def find(report: Report, name: str, folder: Path, sizes: dict[str, int], each: int) -> None:
    """From the first byte of a C-FIND request to the last of its final response."""

    def one(asker: Asker, studies: int) -> Callable[[int], None]:
        def run(i: int) -> None:
            asker.study_instance_uid = f"1.2.826.0.1.3680043.10.1.{(i * 7919 + 13) % studies}"
            asker.find(i)

        return run

    with ExitStack() as stack:
        ports = {size: stack.enter_context(front_end(folder / f"{n}-{each}")) for size, n in sizes.items()}
        runs = {size: one(Asker(ports[size]), n) for size, n in sizes.items()}
        report.add(name, "ms", interleave(runs, 200, burst=5, seconds_max=20.0), limit=FIND_MS)


@contextmanager
def front_end(archive: Path) -> Iterator[int]:
    """The port of a DICOM front end in a process of its own, which answers from this index."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=answer, args=(archive, theirs))
    process.start()
    try:
        yield int(ours.recv())
    finally:
        ours.send("end")
        process.join()


def answer(path: Path, control: Connection) -> None:
    """Say the port, and answer until something is said."""
    from engine.dimse.acceptor import DicomAcceptor
    from engine.ingest.accept import Acceptor
    from engine.metrics import Metrics
    from engine.settings import Settings

    archive = Archive.open(path, LIMITS, mode="read")
    acceptor = Acceptor(archive, LIMITS)
    listener = socket.create_server(("127.0.0.1", 0))
    server = DicomAcceptor(listener, Settings(limits=LIMITS), acceptor, archive, Metrics())
    control.send(listener.getsockname()[1])
    control.recv()
    server.close()
    acceptor.close()
    archive.close()


if __name__ == "__main__":
    raise SystemExit(main())
