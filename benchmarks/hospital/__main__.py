"""48 hours of a hospital replayed at speed while a reader scrolls: what does the reader notice, and is anything lost?

    python -m benchmarks.hospital [--hours 48] [--share 0.05] [--seconds 120] [--kill] [--folder DIR]

Forty modalities in four processes: each asks for its worklist, reports by MPPS, sends every instance of the examination, asks for
storage commitment, counts its study by C-FIND. What is acknowledged is forwarded to DCMTK's storescp by a rule. A reader scrolls
through a series of its own by HTTP, a frame every 33 ms, before (the idle server) and during the replay. With --kill the DICOM
process and a web worker are killed (kill -9) again and again. At the end every acknowledged instance is looked for in the archive
by its SHA-256, and all stored bytes are hashed again.

Traps: the senders run on the same cores and take more of them than the server; the disk takes what it takes, so the replay is
slower than asked for when the trace has more bytes than that (`--share` of each examination's instances; 1 is some 40 GB).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.associations import StoreScp
from benchmarks.client import BadAnswer, Connection
from benchmarks.data import Series, phantom
from benchmarks.hospital.gateway import gateway
from benchmarks.hospital.modality import Done
from benchmarks.hospital.trace import KINDS, Examination, trace
from benchmarks.measure import Report
from benchmarks.peers import Voxcast
from engine.archive.archive import Archive
from engine.errors import InstanceNotFound

_GATEWAYS = 4
_FRAME_EVERY_S, _IDLE_S = 1 / 30, 15.0
_RATIO_MAX = 2.0
_KILL_EVERY_S = 12, 25  # more often, and the supervisor begins to wait before it starts another
_SLICES = 200


def main(arguments: list[str] | None = None) -> int:
    """0: measured; 1: something was lost or wrong."""
    options = _options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="voxcast-hospital-", dir=options.folder))
    examinations = trace(options.hours, options.share)
    report = Report(
        "hospital",
        f"{options.hours:g} hours of {sum(kind.count for kind in KINDS)} modalities in {options.seconds:g} s",
    )
    archive = folder / "archive"
    series = phantom(folder / "series", _SLICES)
    subprocess.run([peers.voxcast_command(), "import", "--archive", str(archive), str(folder / "series")], check=True,
                   capture_output=True)  # fmt: skip
    receiver = StoreScp(folder / "storescp")
    server = Voxcast(
        archive, folder / "voxcast.log", "--dicom", "127.0.0.1:0", "--config", str(_config(folder, receiver))
    )
    try:
        idle = _Reader(server, series)
        idle.start()
        time.sleep(_IDLE_S)
        idle.stop()
        busy = _Reader(server, series)
        busy.start()
        began = time.monotonic()
        done = _replay(server, examinations, options, folder)
        took = time.monotonic() - began
        busy.stop()
        waiting = _wait_for_outbox(server)
    finally:
        server.stop()
        receiver.stop()
    lost = _lost(archive, done)
    verified = subprocess.run(
        [peers.voxcast_command(), "verify", "--archive", str(archive)], capture_output=True, text=True
    )
    _tell(report, done, idle, busy, took)
    report.finish()
    stored = sum(len(one.stored) for one in done)
    wrong = [line for one in done for line in one.wrong] + busy.wrong
    print(
        f"{len(examinations)} examinations, {stored} instances acknowledged in {took:.0f} s ({stored / took:.0f}/s), "
        f"{sum(one.committed for one in done)} committed, {sum(one.broken for one in done)} associations broken, "
        f"{waiting} still to be forwarded; lost: {len(lost)}; wrong: {wrong[:5]}; verify: {verified.stdout.strip()[-200:]}"
    )
    if options.keep:
        print(folder)
    else:
        shutil.rmtree(folder)
    return 1 if lost or wrong or verified.returncode else 0


def _config(folder: Path, receiver: StoreScp) -> Path:
    path = folder / "voxcast.toml"
    path.write_text(
        # All modalities call from one address here.
        "[limits]\nassociations_max = 100\ncaller_associations_max = 80\n\n"
        f'[peers.SECOND]\naet = "SECOND"\nhost = "127.0.0.1"\nport = {receiver.dicom_port}\n\n'
        '[[forward]]\nname = "all"\nto = ["SECOND"]\ndoors = ["c-store"]\n'
    )
    return path


class _Reader(threading.Thread):
    """Scrolls to and fro at a steady pace; a frame that comes late makes the next one no earlier."""

    def __init__(self, server: Voxcast, series: Series) -> None:
        super().__init__(daemon=True)
        self._server, self._series = server, series
        self._is_over = threading.Event()
        self.times_ms: list[float] = []
        self.wrong: list[str] = []

    def run(self) -> None:
        base = (
            f"/dicom-web/studies/{self._series.study_instance_uid}/series/{self._series.series_instance_uid}/instances"
        )
        order = [*self._series.sop_instance_uids, *reversed(self._series.sop_instance_uids)]
        headers = {"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'}
        connection: Connection | None = None
        at = 0
        while not self._is_over.is_set():
            start = time.perf_counter()
            try:
                connection = connection or self._server.connect()
                status = connection.get(f"{base}/{order[at % len(order)]}/frames/1", headers).status
                if status != 200:
                    self.wrong.append(f"frame: {status}")
                self.times_ms.append((time.perf_counter() - start) * 1e3)
            except (OSError, BadAnswer):  # the worker was killed: the reader tries again, and the wait counts
                connection = None
                continue
            at += 1
            time.sleep(max(0.0, _FRAME_EVERY_S - (time.perf_counter() - start)))

    def stop(self) -> None:
        self._is_over.set()
        self.join()


def _replay(server: Voxcast, examinations: list[Examination], options: argparse.Namespace, folder: Path) -> list[Done]:
    parts = [[one for one in examinations if hash_of(one.station) % _GATEWAYS == n] for n in range(_GATEWAYS)]
    context = multiprocessing.get_context("spawn")
    told: Any = context.Queue()
    speed = options.hours * 3600 / options.seconds
    gateways = [
        context.Process(target=gateway, args=(part, server.host, server.port, server.dicom_port, speed, told))
        for part in parts
    ]
    for process in gateways:
        process.start()
    killer = _Killer(server.group.process.pid) if options.kill else None
    done: list[Done] = []
    for _ in gateways:
        done += told.get()
    if killer is not None:
        killer.stop()
    for process in gateways:
        process.join()
    return done


def hash_of(station: str) -> int:
    return sum(station.encode())


class _Killer(threading.Thread):
    """Kills a web worker or the DICOM process every few seconds; the supervisor starts another."""

    def __init__(self, supervisor: int) -> None:
        super().__init__(daemon=True)
        self._supervisor, self._is_over = supervisor, threading.Event()
        self.killed = 0
        self.start()

    def run(self) -> None:
        chance = random.Random(2)
        while not self._is_over.wait(chance.uniform(*_KILL_EVERY_S)):
            children = subprocess.run(
                ["pgrep", "-P", str(self._supervisor)], capture_output=True, text=True
            ).stdout.split()
            doomed = [pid for pid in children if _is_killed(pid)]
            if doomed:
                os.kill(int(chance.choice(doomed)), signal.SIGKILL)
                self.killed += 1

    def stop(self) -> None:
        self._is_over.set()
        self.join()


def _is_killed(pid: str) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"dicom_acceptor" in command or b"web_worker" in command


def _wait_for_outbox(server: Voxcast, seconds_max: float = 120.0) -> int:
    """How much still waits to be forwarded after at most so long."""
    end = time.monotonic() + seconds_max
    while True:
        with server.connect() as connection:
            waiting = sum(int(peer["instances"]) for peer in json.loads(connection.get("/api/outbox").body)["peers"])
        if not waiting or time.monotonic() > end:
            return waiting
        time.sleep(1)


def _lost(archive: Path, done: list[Done]) -> list[str]:
    lost = []
    opened = Archive.open(archive, mode="read")
    for uid, sha256 in [one for each in done for one in each.stored]:
        try:
            if opened.instance(uid).data_set_sha256.hex() != sha256:
                lost.append(uid)
        except InstanceNotFound:
            lost.append(uid)
    opened.close()
    return lost


def _tell(report: Report, done: list[Done], idle: _Reader, busy: _Reader, took: float) -> None:
    kinds = sorted({kind for one in done for kind in one.times})
    for kind in kinds:
        report.add(kind, "ms", {"voxcast": [1e3 * t for one in done for t in one.times.get(kind, ())]})
    report.add("stored frames of the reader", "ms", {"during the replay": busy.times_ms, "idle server": idle.times_ms})
    p99 = [sorted(times)[int(0.99 * len(times))] for times in (idle.times_ms, busy.times_ms)]
    verdict = "met" if p99[1] <= _RATIO_MAX * p99[0] else "MISSED"
    print(
        f"p99 of frames: idle {p99[0]:.2f} ms, during the replay {p99[1]:.2f} ms: {p99[1] / p99[0]:.2f} (at most 2) {verdict}"
    )


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hospital", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument("--hours", type=float, default=48)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave the archive and the log where they are")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
