"""The page of tests/clients, bundled with the libraries that .ci/clients.sh fetched, on an origin of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from viewing import LIBRARIES, ROOT

_PAGE = ROOT / "tests" / "clients"
_SCOPE = LIBRARIES / "@cornerstonejs"


def bundle(folder: Path) -> None:
    """Page, worker and codecs into `folder`; the loader asks for the codecs by the names that its packages export."""
    entries = [_PAGE / "page.js", _SCOPE / "dicom-image-loader" / "dist" / "esm" / "decodeImageFrameWorker.js"]
    options = ["--bundle", "--format=esm", "--entry-names=[name]", "--define:global=globalThis", "--log-level=warning"]
    # What the codecs load when they run in Node.
    options += [f"--external:{name}" for name in ("fs", "path", "module")] + [f"--alias:url={_PAGE / 'node_url.js'}"]
    subprocess.run(
        ["node", LIBRARIES / "esbuild" / "bin" / "esbuild", *entries, *options, f"--outdir={folder}"],
        env={**os.environ, "NODE_PATH": str(LIBRARIES)},
        check=True,
        timeout=120,
    )
    shutil.copy(_PAGE / "index.html", folder)
    for package in _SCOPE.glob("codec-*"):
        exports = json.loads((package / "package.json").read_text("utf_8"))["exports"]
        for name in ("./wasm", "./decodewasm"):
            if name in exports:
                to = folder / "@cornerstonejs" / package.name / name[2:]
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(package / exports[name], to)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: tests fail by what the page does."""

    def guess_type(self, path: str | os.PathLike[str]) -> str:
        return "application/wasm" if str(path).endswith("wasm") else super().guess_type(path)


class OwnOrigin:
    """``with OwnOrigin(folder) as url``: the folder's files at a port of their own."""

    def __init__(self, folder: Path) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
