"""C-STORE beside DCMTK's `storescp --ignore`, which writes nothing, and Orthanc; C-FIND and C-ECHO on an open association.

    python -m benchmarks.associations [--rounds 5] [--folder DIR]

DCMTK's storescu sends the CT of the shared data (140 slices of 0.5 MB), with new UIDs each round, for the same instance sent
twice is stored once. Both DCMTK programs have `TCP_NODELAY=1`, without which 40 ms of waiting for acknowledgements is all that
is measured. The clock is the whole command's: it starts, reads and sends. With four associations each sends a series of its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import peers
from benchmarks.asking import Asker
from benchmarks.data import phantom, real_ct, renamed
from benchmarks.measure import Report, interleave
from benchmarks.process import Group, free_port

TARGET_STORESCP, TARGET_ORTHANC = 1.0, 2.5
_ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}


class StoreScp:
    """DCMTK's acceptor that throws away what it gets, as soon as it has it."""

    name = "storescp --ignore"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.dicom_port = free_port()
        command = [str(peers.find("storescp")), "--ignore", "--max-pdu", "131072", str(self.dicom_port)]
        self.group = Group(command, folder / "log", environment=_ENVIRONMENT)

    def stop(self) -> None:
        self.group.stop()


def main() -> int:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="voxcast-associations-", dir=options.folder))
    report = Report("associations", "the DICOM front end")
    servers: list[peers.Voxcast | peers.Orthanc | StoreScp] = []
    try:
        servers.append(peers.Voxcast(folder / "archive", folder / "voxcast.log", "--dicom", "127.0.0.1:0"))
        servers.append(StoreScp(folder / "storescp"))
        if "orthanc" not in peers.missing():
            servers.append(peers.Orthanc(folder / "orthanc"))
        _store(report, folder, servers, options.rounds)
        _ask(report, servers)
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(folder)
    report.finish()
    return 0


def _store(report: Report, folder: Path, servers: list[peers.Voxcast | peers.Orthanc | StoreScp], rounds: int) -> None:
    series = real_ct() or phantom(folder / "phantom", 140)
    for associations in (1, 4):
        rates: dict[str, list[float]] = {}
        for turn in range(-1, rounds):  # the first is not kept: everything is started then
            for server in servers if turn % 2 == 0 else servers[::-1]:
                sources = [
                    _source(folder / f"source-{n}", renamed(series, f"store {associations} {turn} {n}"))
                    for n in range(associations)
                ]
                rate = len(series.files) * associations / _send(server.dicom_port, sources)
                if turn >= 0:
                    rates.setdefault(server.name, []).append(rate)
        report.add(
            f"C-STORE of {len(series.files)} CT instances, {associations} association{'s' * (associations > 1)}",
            "instances/s",
            rates,
            subject="voxcast",
            targets={"storescp --ignore": TARGET_STORESCP, "orthanc": TARGET_ORTHANC},
        )


def _source(folder: Path, instances: object) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, part10 in enumerate(instances):  # type: ignore[arg-type, var-annotated]
        (folder / f"{number:05}.dcm").write_bytes(part10)
    return folder


def _send(port: int, sources: list[Path]) -> float:
    start = time.perf_counter()
    senders = [
        subprocess.Popen(
            ["storescu", "--required", "+sd", "127.0.0.1", str(port), str(source)],
            env=_ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for source in sources
    ]
    for sender in senders:
        _, complaint = sender.communicate()
        if sender.returncode or b"E:" in complaint:
            raise SystemExit(f"storescu failed: {complaint.decode()[-500:]}")
    return time.perf_counter() - start


def _ask(report: Report, servers: list[peers.Voxcast | peers.Orthanc | StoreScp]) -> None:
    askers = {server.name: Asker(server.dicom_port) for server in servers if not isinstance(server, StoreScp)}
    echoes = interleave({name: asker.echo for name, asker in askers.items()}, 200, burst=5)
    report.add("C-ECHO on an open association", "ms", echoes, subject="voxcast")
    for asker in askers.values():
        asker.study_instance_uid = asker.any_study()
    finds = interleave({name: asker.find for name, asker in askers.items()}, 100, burst=5)
    report.add("C-FIND of one study by its UID", "ms", finds, subject="voxcast", limit=2.0)
    for asker in askers.values():
        asker.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.associations", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
