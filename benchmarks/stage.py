"""What the rows share: the servers with the same files in them, the report, and the way to ask them in turn."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import data
from benchmarks.client import BadAnswer, Connection, Response
from benchmarks.data import Series
from benchmarks.measure import Report, Row, interleave
from benchmarks.peers import DICOM_WEB, NOT_INSTALLED, Nginx, Orthanc, Voxcast, missing, voxcast_command
from benchmarks.plain import Plain

JPEG = {"Accept": "image/jpeg"}
JSON = {"Accept": "application/dicom+json"}
AS_STORED = {"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'}
NATIVE = {"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1'}
DICOM = {"Content-Type": "application/dicom"}
BURST = 5
Server = Voxcast | Orthanc | Nginx | Plain


@dataclass(frozen=True, slots=True)
class Ask:
    """One kind of request: what to send in turn, and what the answer must be."""

    paths: Sequence[str]
    headers: Mapping[str, str]
    check: Callable[[Response], object] = lambda response: None
    status: int = 200


@dataclass
class Stage:
    """One run's folder, files, servers and report."""

    folder: Path
    report: Report
    is_quick: bool
    slices: int
    raw: Series = field(init=False)
    j2k: Series = field(init=False)
    real: Series | None = field(init=False, default=None)
    real_j2k: Series | None = field(init=False, default=None)
    static: dict[str, list[str]] = field(init=False, default_factory=dict)
    absent: dict[str, str] = field(init=False, default_factory=missing)
    _open: ExitStack = field(init=False, default_factory=ExitStack)
    voxcast: Voxcast = field(init=False)
    orthanc: Orthanc | None = field(init=False, default=None)
    nginx: Nginx | None = field(init=False, default=None)
    plain: Plain = field(init=False)

    def make_files(self) -> None:
        """Generate, transcode, cut out frames."""
        self.raw = data.phantom(self.folder / "raw", self.slices)
        self.j2k = data.jpeg2000(self.raw, self.folder / "j2k")
        self.real = data.real_ct()
        if self.real is not None:
            self.real_j2k = data.jpeg2000(self.real, self.folder / "real-j2k")
        www = self.folder / "www"
        for name, series in (("raw", self.raw), ("j2k", self.j2k)):
            self.static[name] = data.frame_files(series, www / name)
        (www / "small").write_bytes(bytes(1000))

    def start(self) -> None:
        """Start every server and put the files in. The archive is filled by the public command before voxcast starts."""
        series = [s for s in (self.raw, self.j2k, self.real, self.real_j2k) if s is not None]
        voxcast_import(self.archive, *{path.parent for s in series for path in s.files})
        self.voxcast = self.keep(Voxcast(self.archive, self.folder / "voxcast.log"))
        if not self.voxcast.group.settle():  # renditions of what was imported are no part of what a request costs
            raise BadAnswer("voxcast is still at work by itself")
        if "orthanc" not in self.absent:
            self.orthanc = self.keep(Orthanc(self.orthanc_folder))
            self.report.versions |= {"orthanc": self.orthanc.version, **self.orthanc.plugins}
            with self.orthanc.connect() as connection:
                for path in (path for s in series for path in s.files):
                    must(connection.post("/instances", path.read_bytes(), DICOM))
        if "nginx" not in self.absent:
            self.nginx = self.keep(Nginx(self.folder / "nginx", self.folder / "www"))
            self.report.versions["nginx"] = self.nginx.version
        self.plain = self.keep(Plain(self.folder / "www", self.folder / "plain.log"))
        self.report.versions["aiohttp"] = self.plain.version

    @property
    def no_jpeg2000(self) -> dict[str, str]:
        """Which peers cannot decode JPEG 2000 here."""
        has_decoder = self.orthanc is None or "orthanc gdcm" in self.orthanc.plugins
        return {} if has_decoder else {"orthanc": f"{NOT_INSTALLED} (orthanc-gdcm)"}

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    @property
    def orthanc_folder(self) -> Path:
        return self.folder / "orthanc"

    def keep(self, server: Server) -> Server:  # type: ignore[type-var]
        """End it with the run."""
        self._open.callback(server.stop)
        return server

    def close(self) -> None:
        self._open.close()

    def servers(self) -> list[Server]:
        return [s for s in (self.voxcast, self.orthanc, self.nginx, self.plain) if s is not None]

    def archives(self) -> list[Voxcast | Orthanc]:
        """Those that keep what they are given."""
        return [s for s in (self.voxcast, self.orthanc) if s is not None]

    def latency(
        self, name: str, asks: Mapping[str, Ask], rounds: int, *, absent: Mapping[str, str] | None = None, **row: object
    ) -> Row:
        """A row of milliseconds: each server on one connection, some requests at a time in turn, each with the next path.

        `rounds` is the number of requests to each; one of every `BURST` is not kept.
        """
        connections: list[Connection] = []
        work = {}
        absent = {who: why for who, why in {**self.absent, **(absent or {})}.items() if who in asks}
        try:
            for server in self.servers():
                if server.name in asks and server.name not in absent:
                    connections.append(server.connect())
                    work[server.name] = caller(connections[-1], asks[server.name])
            samples = interleave(
                work, max(1, rounds // BURST), burst=BURST, seconds_max=20.0 if self.is_quick else 60.0
            )
        finally:
            for connection in connections:
                connection.close()
        return self.report.add(name, "ms", samples, subject="voxcast", missing=absent, **row)  # type: ignore[arg-type]


def caller(connection: Connection, ask: Ask) -> Callable[[int], None]:
    """Check one answer in full, then give the function that is timed (it checks the status only)."""
    heads = [connection.prepare(path, dict(ask.headers)) for path in ask.paths]
    # The third from the end: the warm-up takes the last two, the timed rounds begin at the front.
    ask.check(must(connection.send(heads[-3 % len(heads)]), ask.status))

    def call(i: int) -> None:
        response = connection.send(heads[i % len(heads)])
        if response.status != ask.status:
            must(response, ask.status)

    return call


def must(response: Response, status: int = 200) -> Response:
    """The response, if it is the wanted one."""
    if response.status != status:
        raise BadAnswer(f"status {response.status} instead of {status}: {response.body[:500]!r}")
    return response


def voxcast_import(archive: Path, *paths: Path) -> float:
    """Run the public command and return its seconds, start of the interpreter included."""
    start = time.perf_counter()
    command = [voxcast_command(), "import", *map(str, sorted(paths)), "--archive", str(archive), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BadAnswer(f"voxcast import ended with {done.returncode}: {done.stderr.strip()[-1000:]}")
    return time.perf_counter() - start


def series_path(series: Series) -> str:
    return f"{DICOM_WEB}/studies/{series.study_instance_uid}/series/{series.series_instance_uid}"


def instance_paths(series: Series, suffix: str) -> list[str]:
    """The address of every instance, with something behind it."""
    return [f"{series_path(series)}/instances/{uid}{suffix}" for uid in series.sop_instance_uids]


def multipart(instances: list[bytes]) -> tuple[dict[str, str], bytes]:
    """Headers and body of a STOW-RS request (PS3.18 10.5)."""
    boundary = uuid.uuid4().hex
    parts = [b"--%s\r\nContent-Type: application/dicom\r\n\r\n%s\r\n" % (boundary.encode(), one) for one in instances]
    headers = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        "Accept": "application/dicom+json",
    }
    return headers, b"".join(parts) + b"--%s--\r\n" % boundary.encode()
