"""C-GET and C-MOVE of one CT study beside DCMTK's dcmqrscp and Orthanc, over the same files.

    python -m benchmarks.retrieval [--rounds 5] [--slices 300] [--folder DIR]

DCMTK's getscu and movescu ask, each with ``TCP_NODELAY=1``; getscu throws away what it gets, and so does the storescp that is
the destination of C-MOVE. The clock is the whole command's. Servers take turns, and each was given the study by storescu.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import peers
from benchmarks.data import Series, phantom
from benchmarks.measure import Report
from benchmarks.process import Group, free_port

TARGET_DCMQRSCP, TARGET_ORTHANC = 1.0, 2.0
_ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}
_DESTINATION, _ASKER = "DEST", "ASKER"
_START_S = 30.0


class DcmQrScp:
    """DCMTK's archive of plain files."""

    name = "dcmqrscp"

    def __init__(self, folder: Path, destination: int) -> None:
        (folder / "db").mkdir(parents=True)
        self.dicom_port = free_port()
        config = folder / "dcmqrscp.cfg"
        config.write_text(
            f"NetworkTCPPort = {self.dicom_port}\nMaxPDUSize = 131072\nMaxAssociations = 16\n"
            f"HostTable BEGIN\ndest = ({_DESTINATION}, localhost, {destination})\nHostTable END\n"
            "VendorTable BEGIN\nVendorTable END\n"
            f"AETable BEGIN\nARCHIVE {folder / 'db'} RW (100, 10gb) ANY\nAETable END\n"
        )
        program = peers.find("dcmqrscp")
        self.group = Group([str(program), "-c", str(config)], folder / "log", environment=_ENVIRONMENT)

    def stop(self) -> None:
        self.group.stop()


Server = peers.Voxcast | peers.Orthanc | DcmQrScp


def main() -> int:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="voxcast-retrieval-", dir=options.folder))
    report = Report("retrieval", "C-GET and C-MOVE")
    destination = free_port()
    command = [str(peers.find("storescp")), "-aet", _DESTINATION, "--ignore", "--max-pdu", "131072", str(destination)]
    groups: list[Group | Server] = [Group(command, folder / "storescp.log", environment=_ENVIRONMENT)]
    try:
        series = phantom(folder / "files", options.slices)
        servers = _servers(folder, destination)
        groups += servers
        for server in servers:
            _send(server, folder / "files")
        _retrieve(report, servers, series, destination, options.rounds)
    finally:
        for group in groups:
            group.stop()
        shutil.rmtree(folder)
    report.finish()
    return 0


def _servers(folder: Path, destination: int) -> list[Server]:
    config = folder / "voxcast.toml"
    config.write_text(f'[peers.dest]\naet = "{_DESTINATION}"\nhost = "127.0.0.1"\nport = {destination}\n')
    options = ("--dicom", "127.0.0.1:0", "--aet", "ARCHIVE", "--config", str(config))
    servers: list[Server] = [peers.Voxcast(folder / "archive", folder / "voxcast.log", *options)]
    if peers.find("dcmqrscp"):
        servers.append(DcmQrScp(folder / "dcmqrscp", destination))
    if "orthanc" not in peers.missing():
        orthanc = peers.Orthanc(folder / "orthanc")
        _introduce(orthanc, _DESTINATION, destination)
        _introduce(orthanc, _ASKER, free_port())
        servers.append(orthanc)
    return servers


def _introduce(orthanc: peers.Orthanc, title: str, port: int) -> None:
    """Orthanc answers, and sends to, only those that it knows."""
    connection = http.client.HTTPConnection(orthanc.host, orthanc.port, timeout=_START_S)
    about = {"AET": title, "Host": "127.0.0.1", "Port": port, "AllowGet": True, "AllowMove": True, "AllowStore": True}
    connection.request("PUT", f"/modalities/{title.lower()}", json.dumps(about))
    status = connection.getresponse().status
    connection.close()
    if status != http.HTTPStatus.OK:
        raise SystemExit(f"Orthanc does not take a modality: {status}")


def _send(server: Server, files: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        command = [
            "storescu",
            "-aec",
            "ARCHIVE",
            "-aet",
            _ASKER,
            "127.0.0.1",
            str(server.dicom_port),
            "+sd",
            str(files),
        ]
        run = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, check=False)
        if run.returncode == 0 and "E:" not in run.stderr:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"{server.name} does not take the study: {run.stderr[-500:]}")
        time.sleep(0.2)


def _retrieve(report: Report, servers: list[Server], series: Series, destination: int, rounds: int) -> None:
    query = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={series.study_instance_uid}"]
    for name, command in {
        "C-GET": ["getscu", "-v", "-S", "--ignore", "--max-pdu", "131072"],
        "C-MOVE": ["movescu", "-v", "-S", "-aem", _DESTINATION],
    }.items():
        rates: dict[str, list[float]] = {}
        for turn in range(-1, rounds):  # the first is not kept: everything is started then
            for server in servers if turn % 2 == 0 else servers[::-1]:
                rate = len(series) / _run([*command, "-aet", _ASKER, "-aec", "ARCHIVE"], server, query)
                if turn >= 0:
                    rates.setdefault(server.name, []).append(rate)
        report.add(
            f"{name} of {len(series)} CT instances",
            "instances/s",
            rates,
            subject="voxcast",
            targets={"dcmqrscp": TARGET_DCMQRSCP, "orthanc": TARGET_ORTHANC},
        )


def _run(command: list[str], server: Server, query: list[str]) -> float:
    start = time.perf_counter()
    run = subprocess.run(
        [*command, "127.0.0.1", str(server.dicom_port), *query],
        env=_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if run.returncode or "Success" not in run.stdout + run.stderr:
        raise SystemExit(f"{command[0]} from {server.name} failed: {(run.stdout + run.stderr)[-500:]}")
    return seconds


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.retrieval", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
