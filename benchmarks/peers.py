"""The servers that are measured: voxcast by its public command, Debian's Orthanc with DICOMweb, nginx for plain bytes.

Fair settings, the same for every row:
- all listen on loopback, without TLS and authentication, with keep-alive and TCP_NODELAY, and write no access log;
- Orthanc 1.10 as Debian ships it: default threads (50 HTTP) and storage cache (128 MB), StorageCompression off (its default,
  so stored bytes need no inflating), its SQLite index in the same temporary folder, DICOM port off, the plugins DICOMweb and GDCM
  (without which it cannot decode JPEG 2000; where `orthanc-gdcm` is missing those rows say so);
- nginx: one worker, sendfile on, no open-file cache, so it opens the file for every request as it would with many files;
- voxcast: ``voxcast serve`` with no option but addresses and the archive.
All three read from the page cache: the files were just written. What they promise differs: voxcast says yes when bytes and index
are on stable storage; Orthanc (SyncStorageArea on, its default) fsyncs each file but not its folder, and commits its index with
SQLite's synchronous=NORMAL, which a power cut can take back.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.client import Connection
from benchmarks.process import Group, free_port

NOT_INSTALLED = "peer not installed"
DICOM_WEB = "/dicom-web"


class Voxcast:
    """`voxcast serve` on an archive folder."""

    name = "voxcast"

    def __init__(self, archive: Path, log: Path, *options: str) -> None:
        command = [voxcast_command(), "serve", "--archive", str(archive), "--http", "127.0.0.1:0", "--dicom", "off"]
        start = time.perf_counter()
        self.group = Group([*command, *options], log, stdout=subprocess.PIPE)
        assert self.group.process.stdout is not None
        line = self.group.process.stdout.readline().decode()
        self.ready_seconds = time.perf_counter() - start
        try:
            self.host, self.port = parse_ready(line)
            self.dicom_port = parse_dicom_port(line)
        except ValueError:
            failed = self.group.failed("printed no ready line")
            self.group.stop()
            raise failed from None

    def stop(self) -> None:
        self.group.stop()

    def connect(self) -> Connection:
        return Connection(self.host, self.port)

    def counter(self, name: str) -> float:
        """One of its own counters, from ``/metrics``."""
        with self.connect() as connection:
            return parse_counter(connection.get("/metrics").body.decode(), f"voxcast_{name}_total")


class Orthanc:
    """Debian's Orthanc on a folder of its own."""

    name = "orthanc"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.host, self.port = "127.0.0.1", free_port()
        self.dicom_port = free_port()
        config = folder / "orthanc.json"
        config.write_text(json.dumps(orthanc_config(folder, self.port, self.dicom_port)))
        start = time.perf_counter()
        self.group = Group([str(find("Orthanc")), str(config)], folder / "orthanc.log")
        try:
            self.group.wait_until(self._answers)
        except Exception:
            self.group.stop()
            raise
        self.ready_seconds = time.perf_counter() - start
        with self.connect() as connection:
            self.version = str(json.loads(connection.get("/system").body)["Version"])
            self.plugins = {
                f"orthanc {name}": str(json.loads(connection.get(f"/plugins/{name}").body)["Version"])
                for name in json.loads(connection.get("/plugins").body)
                if name in ("dicom-web", "gdcm")
            }

    def _answers(self) -> bool:
        try:
            with self.connect() as connection:
                return connection.get(f"{DICOM_WEB}/studies?limit=1").status == 200
        except OSError:
            return False

    def stop(self) -> None:
        self.group.stop()

    def connect(self) -> Connection:
        return Connection(self.host, self.port)


class FileServer:
    """A process that gives files under their names, waited for."""

    def __init__(self, command: list[str], log: Path, port: int) -> None:
        self.host, self.port = "127.0.0.1", port
        self.group = Group(command, log)
        try:
            self.ready_seconds = self.group.wait_until(self._answers)
        except Exception:
            self.group.stop()
            raise

    def _answers(self) -> bool:
        try:
            with self.connect() as connection:
                return connection.get("/").status > 0
        except OSError:
            return False

    def stop(self) -> None:
        self.group.stop()

    def connect(self) -> Connection:
        return Connection(self.host, self.port)


class Nginx(FileServer):
    """nginx with one worker over a folder of files."""

    name = "nginx"

    def __init__(self, folder: Path, files: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        config = folder / "nginx.conf"
        config.write_text(nginx_config(folder, files, port))
        program = str(find("nginx"))
        log = folder / "error.log"
        super().__init__([program, "-p", str(folder), "-c", str(config), "-e", str(folder / "early.log")], log, port)
        said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
        self.version = said.strip().rpartition("/")[2]


def find(program: str) -> Path | None:
    """Where a peer's program is; Debian puts servers in ``/usr/sbin``, which is not on everyone's path."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


def plugin(name: str) -> Path | None:
    """One of Debian's plugins of Orthanc: ``OrthancDicomWeb`` or ``OrthancGdcm``."""
    found = Path(f"/usr/share/orthanc/plugins/lib{name}.so")
    return found if found.exists() else None


def missing() -> dict[str, str]:
    """The peers that cannot run here, and why."""
    absent = {}
    if not find("Orthanc"):
        absent["orthanc"] = NOT_INSTALLED
    elif not plugin("OrthancDicomWeb"):
        absent["orthanc"] = f"{NOT_INSTALLED} (orthanc-dicomweb)"
    if not find("nginx"):
        absent["nginx"] = NOT_INSTALLED
    return absent


def voxcast_command() -> str:
    """The command beside the running Python, else on the path."""
    beside = Path(sys.executable).parent / "voxcast"
    return str(beside) if beside.exists() else "voxcast"


def parse_ready(line: str) -> tuple[str, int]:
    """Host and port of ``voxcast ready http=http://HOST:PORT dicom=…``."""
    words = line.split()
    if words[:2] != ["voxcast", "ready"]:
        raise ValueError(f"not a ready line: {line!r}")
    address = dict(word.split("=", 1) for word in words[2:])["http"].removeprefix("http://").rstrip("/")
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def parse_dicom_port(line: str) -> int:
    """Of ``dicom=AET@HOST:PORT`` in the ready line; 0 where it is off."""
    address = dict(word.split("=", 1) for word in line.split()[2:]).get("dicom", "")
    port = address.rpartition(":")[2]
    return int(port) if port.isdigit() else 0


def parse_counter(text: str, name: str) -> float:
    """The value of an unlabelled counter in Prometheus text; 0 when it is not there."""
    for line in text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    return 0.0


def orthanc_config(folder: Path, port: int, dicom_port: int = 0) -> dict[str, object]:
    """What differs from the defaults, and the defaults that matter, spelled out."""
    return {
        "Name": "bench",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "StorageCompression": False,
        "OverwriteInstances": False,
        "SyncStorageArea": True,
        "Plugins": [str(path) for path in map(plugin, ("OrthancDicomWeb", "OrthancGdcm")) if path],
        "HttpPort": port,
        "HttpServerEnabled": True,
        "OrthancExplorerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "SslEnabled": False,
        "KeepAlive": True,
        "TcpNoDelay": True,
        "HttpThreadsCount": 50,
        "MaximumStorageCacheSize": 128,
        "DicomServerEnabled": dicom_port > 0,
        "DicomPort": dicom_port or 4242,
        "DicomThreadsCount": 8,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "MaximumPduLength": 131072,
        "WebDavEnabled": False,
        "LimitFindResults": 0,
        "LimitFindInstances": 0,
        "DicomWeb": {"Enable": True, "Root": f"{DICOM_WEB}/", "EnableWado": True, "WadoRoot": "/wado", "Ssl": False},
    }


def nginx_config(folder: Path, files: Path, port: int, host: str = "127.0.0.1") -> str:
    """One worker, everything below `folder`."""
    temporary = "".join(
        f"  {kind}_temp_path {folder}/tmp-{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        ("user root;\n" if os.geteuid() == 0 else "")  # else its worker may not read a private temporary folder
        + f"daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log stderr warn;\n"
        + "events { worker_connections 1024; }\n"
        + f"http {{\n{temporary}  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  tcp_nodelay on;\n"
        + "  keepalive_timeout 600s;\n  keepalive_requests 100000000;\n  default_type application/octet-stream;\n"
        + f"  server {{ listen {host}:{port}; root {files}; }}\n}}\n"
    )
