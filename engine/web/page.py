"""The first page: static files of the viewer package, read once, under a policy that lets nothing foreign run."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files

from aiohttp import web

from engine.web.sending import is_known
from engine.web.services import services

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@lru_cache(maxsize=64)
def _file(name: str) -> tuple[bytes, str, str] | None:
    """Bytes, media type, entity tag; None for what is not one of the page's files (a name, never a path)."""
    suffix = name[name.rfind(".") :]
    if suffix not in _TYPES or "/" in name or name.startswith("."):
        return None
    file = files("engine.viewer").joinpath(name)
    if not file.is_file():
        return None
    body = file.read_bytes()
    return body, _TYPES[suffix], f'"{hashlib.sha256(body).hexdigest()[:16]}"'


async def index(request: web.Request) -> web.StreamResponse:
    """The study list; whoever looks at it will want pictures, so kernels load meanwhile."""
    services(request).frames.warm()
    return _answer(request, "index.html")


async def static(request: web.Request) -> web.StreamResponse:
    """A script, style or picture of the page."""
    return _answer(request, request.match_info["name"])


def _answer(request: web.Request, name: str) -> web.StreamResponse:
    found = _file(name)
    if found is None:
        raise web.HTTPNotFound(text="the page has no such file")
    body, media_type, etag = found
    headers = {
        "ETag": etag,
        "Cache-Control": "no-cache",
        "Content-Security-Policy": _POLICY,
        "Referrer-Policy": "no-referrer",
    }
    if is_known(request, etag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=media_type, charset="utf-8", headers=headers)
