"""A real server in its own process group, started by the public command, for tests that speak to it from outside."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import requests

_READY = re.compile(r"voxcast ready http=(\S+) dicom=(\S+)(?: dicom_tls=(\S+))?\n")
BOUNDARY = "test-boundary"
START_S = 90  # the server gives itself 60


class Serving:
    """``with Serving(folder) as server: server.get("/dicom-web/studies")``; port 0, so servers of several tests get along."""

    def __init__(
        self, archive: Path, *options: str, dicom: str = "off", environ: Mapping[str, str] | None = None
    ) -> None:
        self.archive = archive
        self._environ, self._log = dict(environ or {}), b""
        command = [sys.executable, "-P", "-m", "engine.cli", "serve", "--archive", str(archive)]
        self._command = [*command, "--http", "127.0.0.1:0", "--dicom", dicom, *options]
        self.session = requests.Session()

    def start(self) -> Serving:
        """Wait until it is ready; AssertionError with its log when it ends before, or takes longer than `START_S`."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("VOXCAST_")} | self._environ
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean, start_new_session=True
        )
        line = self._first_line(time.monotonic() + START_S)
        ready = _READY.fullmatch(line)
        if ready is None:
            self.kill()
            log = self.said()
            self._close()
            raise AssertionError(f"no ready line within {START_S} s but {line!r}; {log}")
        self.url, self.dicom, self.dicom_tls = ready.groups()
        return self

    def _first_line(self, deadline: float) -> str:
        """What stdout has up to its first line's end; stderr is read beside it, for a full pipe would stop who writes."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        line, pipes = b"", [self.process.stdout, self.process.stderr]
        while not line.endswith(b"\n") and self.process.stdout in pipes:
            ready, _, _ = select.select(pipes, [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                break
            for pipe in ready:
                # One by one: what follows the line is not ours to take.
                data = os.read(pipe.fileno(), 1 if pipe is self.process.stdout else 1 << 16)
                if not data:
                    pipes.remove(pipe)
                elif pipe is self.process.stdout:
                    line += data
                else:
                    self._log += data
        return line.decode()

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
        with contextlib.suppress(ProcessLookupError):  # all of it has ended
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)

    def stderr(self) -> str:
        """All of stderr that was not read yet, up to its end: of a server that has ended, or will."""
        assert self.process.stderr is not None
        log, self._log = self._log.decode(errors="replace"), b""
        return log + self.process.stderr.read()

    def said(self) -> str:
        """What is in stderr by now and was not read yet."""
        assert self.process.stderr is not None
        log, self._log = self._log, b""
        ready, _, _ = select.select([self.process.stderr], [], [], 0)
        return (log + (os.read(self.process.stderr.fileno(), 1 << 20) if ready else b"")).decode(errors="replace")

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
