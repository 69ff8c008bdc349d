"""Which pages of other origins may use the server from a browser (CORS, Fetch standard 3.2); the setting names them."""

from __future__ import annotations

import re

from aiohttp import web

from engine.web.services import services

# What a viewer reads of an answer, beside what browsers let it read anyway.
_EXPOSED = (
    "Accept-Ranges, Content-Encoding, Content-Length, Content-Location, Content-Range, ETag, Retry-After, Server-Timing, Warning, "
    "X-Decode-Level, X-Request-Id, X-Total-Count"
)
_METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
_HEADER_NAMES = re.compile(r"[A-Za-z0-9, -]{0,1000}")
_KEPT_S = "600"


def is_welcome(request: web.Request) -> bool:
    """Whether the request's Origin is one that the setting names."""
    origin = request.headers.get("Origin", "")
    named = services(request).settings.cors_origins
    return bool(origin and named) and any(one.strip() in ("*", origin) for one in named.split(","))


def cors_headers(request: web.Request) -> dict[str, str]:
    """For any answer to a page of another origin; it varies by Origin even when that one is not welcome."""
    headers = {"Vary": "Origin"}
    if is_welcome(request):
        headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        headers["Access-Control-Expose-Headers"] = _EXPOSED
        headers["Timing-Allow-Origin"] = request.headers["Origin"]
    return headers


def preflight(request: web.Request) -> web.Response | None:
    """The answer to a browser's question whether a page may ask; None when it is none, or the page is not welcome."""
    asked = request.headers.get("Access-Control-Request-Method")
    if request.method != "OPTIONS" or asked is None or not is_welcome(request):
        return None
    names = request.headers.get("Access-Control-Request-Headers", "")
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": names if _HEADER_NAMES.fullmatch(names) else "",
            "Access-Control-Max-Age": _KEPT_S,
        },
    )
