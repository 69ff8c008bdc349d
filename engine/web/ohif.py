"""OHIF under ``/ohif/``: the build that the setting names, configured for this server, moved below the root of the host."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from engine.web.compression import takes_gzip
from engine.web.ohif_config import config_script
from engine.web.sending import is_known
from engine.web.services import on, services

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".jsonc": "application/json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".xml": "application/xml",
}
# Those that may name others by an address from the root; they are held compressed (17 MB of script are 3.4 MB).
_REWRITTEN = (".html", ".js", ".json", ".css", ".mjs")
_CONFIG = "app-config.js"
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
# A build for the root of a host says where its parts are: bundlers' public path, the page's own variable, its links.
_PUBLIC_PATH = re.compile(rb'(\.p ?= ?)"/"')
_PAGE_PATH = re.compile(rb"""(PUBLIC_URL ?= ?|(?:src|href|content) ?= ?)(["'])/(?=["'\w])""")
_FILE_PATH = re.compile(rb"""(["'])/(\w[\w./-]{2,200})\1""")
_STYLE_PATH = re.compile(rb"(url\(['\"]?)/(?=\w)")
_MANIFEST_PATH = re.compile(rb'("src": ?")/(?=\w)')


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file as it is sent: gzipped, under its entity tag; `policy` is what its scripts may do."""

    body: bytes
    etag: str
    policy: str


class OhifBuild:
    """The files of one build below `folder`, found once; any thread.

    Parameters
    ----------
    base : path that it is served under, with slashes at both ends: ``/ohif/``, or what a proxy puts in front of that too.
    """

    def __init__(self, folder: Path | None, base: str) -> None:
        self.folder, self.base = folder, base
        self._files = _files(folder)  # names that are served: nothing of a request ever becomes a path
        self._prepared: dict[str, Prepared] = {}

    def file(self, name: str) -> Path | None:
        """The file of this name; None where the build has none."""
        return self._files.get(name)

    def prepared(self, name: str) -> Prepared:
        """A text file in the form that it is sent in; made at its first use."""
        found = self._prepared.get(name)
        if found is None:
            found = self._prepared[name] = self._prepare(name)
        return found

    def _prepare(self, name: str) -> Prepared:
        is_config = name == _CONFIG
        body = config_script(self.base).encode() if is_config else self._moved(name, self._files[name].read_bytes())
        scripts = _INLINE.findall(body.decode("utf_8", "replace")) if name == "index.html" else []
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        return Prepared(gzip.compress(body, 6, mtime=0), etag, _policy(scripts))

    def _moved(self, name: str, body: bytes) -> bytes:
        base = self.base.encode()
        if name == "index.html":
            return _PAGE_PATH.sub(rb"\1\2" + base, body)
        if name == "manifest.json":
            return _MANIFEST_PATH.sub(rb"\1" + base, body)
        if name.endswith(".css"):
            return _STYLE_PATH.sub(rb"\1" + base, body)
        if not name.endswith("js"):
            return body

        def moved_file(found: re.Match[bytes]) -> bytes:
            # Only what is a file of this build: any other text that begins with a slash means something else.
            quote, path = found[1], found[2]
            return quote + base + path + quote if path.decode() in self._files else found[0]

        return _FILE_PATH.sub(moved_file, _PUBLIC_PATH.sub(rb'\1"' + base + rb'"', body))


BUILD: web.AppKey[OhifBuild] = web.AppKey("ohif", OhifBuild)


def ohif_build(folder: Path | None, public_url: str) -> OhifBuild:
    """What `BUILD` holds; `public_url` is the setting."""
    return OhifBuild(folder, urlsplit(public_url).path.rstrip("/") + "/ohif/")


async def redirect(request: web.Request) -> web.StreamResponse:
    """``/ohif`` without its slash."""
    query = f"?{request.query_string}" if request.query_string else ""
    return web.Response(status=302, headers={"Location": request.app[BUILD].base + query})


async def page(request: web.Request) -> web.StreamResponse:
    """A file of OHIF; the page itself for its own addresses (``/ohif/viewer?StudyInstanceUIDs=…``)."""
    build, name = request.app[BUILD], request.match_info["path"]
    if build.file("index.html") is None:
        raise web.HTTPNotFound(text=_missing(build.folder))
    if build.file(name) is None and name != _CONFIG:
        if "." in name.rpartition("/")[2]:
            raise web.HTTPNotFound(text="this build of OHIF has no such file")
        name = "index.html"
        services(request).frames.warm()
    if not name.endswith(_REWRITTEN):
        return _whole_file(build, name)
    prepared = await on(request, services(request).executors.read, "read", partial(build.prepared, name))
    headers = {**_headers(name, prepared.policy), "ETag": prepared.etag, "Vary": "Accept-Encoding"}
    if is_known(request, prepared.etag):
        return web.Response(status=304, headers=headers)
    if takes_gzip(request):
        return web.Response(body=prepared.body, headers={**headers, "Content-Encoding": "gzip"})
    plain = await on(request, services(request).executors.read, "read", partial(gzip.decompress, prepared.body))
    return web.Response(body=plain, headers=headers)


def _whole_file(build: OhifBuild, name: str) -> web.StreamResponse:
    path = build.file(name)
    assert path is not None
    return web.FileResponse(path, headers=_headers(name, _policy([])))


def _headers(name: str, policy: str) -> dict[str, str]:
    return {
        "Content-Type": _TYPES.get(name[name.rfind(".") :], "application/octet-stream"),
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        # SharedArrayBuffer, which OHIF's workers use where they may (HTML standard 7.1.3 and 7.1.4).
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
    }


def _policy(inline_scripts: list[str]) -> str:
    """Nothing foreign is loaded or spoken to, and of scripts in the page only those that the build has run.

    ``unsafe-eval`` because OHIF reads segmentations through the package ndarray, which makes its classes with ``new Function``.
    """
    hashes = "".join(
        f" 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in inline_scripts
    )
    return (
        f"default-src 'self'; script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval' blob:{hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self' data:; connect-src 'self' blob: data:; "
        "worker-src 'self' blob:; object-src 'self' blob:; frame-src 'self' blob:; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'self'"
    )


def _files(folder: Path | None) -> Mapping[str, Path]:
    if folder is None or not folder.is_dir():
        return {}
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def _missing(folder: Path | None) -> str:
    if folder is None:
        return "OHIF is not installed: the setting ohif names the folder of its build (docs/clients.md says where to get one)"
    return f"the setting ohif names {folder}, which holds no index.html: it must be the build's own folder (dist)"
