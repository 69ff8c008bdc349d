"""A real server in its own process group, started by the public command, for tests that speak to it from outside."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import requests

_READY = re.compile(r"voxcast ready http=(\S+) dicom=(\S+)\n")
BOUNDARY = "test-boundary"


class Serving:
    """``with Serving(folder) as server: server.get("/dicom-web/studies")``; port 0, so servers of several tests get along."""

    def __init__(self, archive: Path, *options: str, dicom: str = "off") -> None:
        self.archive = archive
        command = [sys.executable, "-P", "-m", "engine.cli", "serve", "--archive", str(archive)]
        self._command = [*command, "--http", "127.0.0.1:0", "--dicom", dicom, *options]
        self.session = requests.Session()

    def start(self) -> Serving:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("VOXCAST_")}
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean, start_new_session=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        ready = _READY.fullmatch(line)
        if ready is None:
            self.kill()
            raise AssertionError(f"no ready line but {line!r}; {self.stderr()}")
        self.url, self.dicom = ready.groups()
        return self

    def __enter__(self) -> Serving:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> int:
        """SIGTERM, as an operator stops it; the exit code."""
        self.session.close()
        self.process.terminate()
        code = self.process.wait(20)
        self._close()
        return code

    def kill(self) -> None:
        """SIGKILL to the whole group, as a power cut ends it."""
        self.session.close()
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)

    def stderr(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def said(self) -> str:
        """What is in stderr by now and was not read yet."""
        assert self.process.stderr is not None
        ready, _, _ = select.select([self.process.stderr], [], [], 0)
        return os.read(self.process.stderr.fileno(), 1 << 20).decode() if ready else ""

    def _close(self) -> None:
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def get(self, path: str, accept: str = "", **headers: str) -> requests.Response:
        sent = {k.replace("_", "-"): v for k, v in headers.items()} | ({"Accept": accept} if accept else {})
        return self.session.get(self.url + path, headers=sent, timeout=60)

    def store(self, *instances: bytes, study: str = "") -> requests.Response:
        path = "/dicom-web/studies" + (f"/{study}" if study else "")
        return self.session.post(
            self.url + path,
            data=multipart(*instances),
            headers={"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'},
            timeout=120,
        )


def multipart(*parts: bytes, media_type: str = "application/dicom") -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: {media_type}\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def parts_of(response: requests.Response) -> list[tuple[str, bytes]]:
    """Content type and body of each part of a multipart answer; splits by the boundary, as a client does."""
    found = re.search(r"boundary=\"?([^\";]+)", response.headers["Content-Type"])
    assert found is not None, response.headers
    mark = b"--" + found[1].encode()
    assert response.content.startswith(mark + b"\r\n"), "the body must begin with the boundary line"
    assert response.content.endswith(mark + b"--\r\n")
    parts = []
    for piece in response.content[: -len(mark) - 4].split(mark + b"\r\n")[1:]:
        head, _, body = piece.partition(b"\r\n\r\n")
        assert head.startswith(b"Content-Type: ")
        parts.append((head.decode().split("\r\n")[0].removeprefix("Content-Type: "), body.removesuffix(b"\r\n")))
    return parts
