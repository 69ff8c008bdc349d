"""The page: files of the viewer package, read once, under a policy that lets nothing foreign run.

`/` is what was built from `engine/viewer/src` (`make viewer`; a wheel carries it), and where no build is there the plain page of
`engine/viewer/plain`, which needs none and is always at `/plain/`.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from aiohttp import web

from engine.web.compression import takes_gzip
from engine.web.sending import is_known
from engine.web.services import services

_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
# wasm-unsafe-eval: decoders are compiled from WebAssembly; it allows no script. A document (PDF) or a video of the archive is shown
# in a frame or video element of the page, from this server. Trusted Types: no text becomes markup or a script, and workers are
# made of the page's own files alone (engine/viewer/src/trusted.ts).
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "worker-src 'self'; media-src 'self' blob:; frame-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types default"
)
_FOR_EVER = "public, max-age=31536000, immutable"  # a built file with other content has another name
BUILT, PLAIN = "dist", "plain"
_INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it is sent; `gzipped` is empty where that does not help."""

    body: bytes
    gzipped: bytes
    media_type: str
    etag: str


@lru_cache(maxsize=256)
def _file(folder: str, name: str) -> _File | None:
    """None for what is not one of the page's files (a name, never a path)."""
    suffix = name[name.rfind(".") :]
    if suffix not in _TYPES or "/" in name or "\\" in name or name.startswith("."):
        return None
    file = files("engine.viewer").joinpath(folder, name)
    if not file.is_file():
        return None
    body = file.read_bytes()
    gzipped = gzip.compress(body, 9, mtime=0) if len(body) > 1024 else b""
    return _File(body, gzipped, _TYPES[suffix], f'"{hashlib.sha256(body).hexdigest()[:16]}"')


def is_built() -> bool:
    """Whether this installation has the built page."""
    return _file(BUILT, _INDEX) is not None


async def index(request: web.Request) -> web.StreamResponse:
    """The study list and the viewer; whoever looks at it will want pictures, so kernels load meanwhile."""
    services(request).frames.warm()
    return _answer(request, BUILT if is_built() else PLAIN, _INDEX)


async def static(request: web.Request) -> web.StreamResponse:
    """A script, style or picture of the built page."""
    return _answer(request, BUILT, request.match_info["name"])


async def plain_index(request: web.Request) -> web.StreamResponse:
    """The plain page: studies, series, one image that scrolls; nothing to build and little to load."""
    services(request).frames.warm()
    return _answer(request, PLAIN, _INDEX)


async def plain_static(request: web.Request) -> web.StreamResponse:
    """A script, style or picture of the plain page."""
    return _answer(request, PLAIN, request.match_info["name"])


def _answer(request: web.Request, folder: str, name: str) -> web.StreamResponse:
    found = _file(folder, name)
    if found is None:
        raise web.HTTPNotFound(text="the page has no such file")
    is_named_by_content = folder == BUILT and name != _INDEX and "-" in name
    headers = {
        "ETag": found.etag,
        "Cache-Control": _FOR_EVER if is_named_by_content else "no-cache",
        "Content-Security-Policy": _POLICY,
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept-Encoding",
    }
    if is_known(request, found.etag):
        return web.Response(status=304, headers=headers)
    charset = None if found.media_type == "application/wasm" else "utf-8"
    if found.gzipped and takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=found.gzipped, content_type=found.media_type, charset=charset, headers=headers)
    return web.Response(body=found.body, content_type=found.media_type, charset=charset, headers=headers)
