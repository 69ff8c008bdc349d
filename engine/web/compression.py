"""Texts are sent compressed to who takes that (RFC 9110 8.4, 12.5.3); pictures, frames and instances never are.

What is compressed already (the metadata document of a series, OHIF's files) is sent as it is kept; the rest here. gzip alone:
every client knows it, and brotli at the speed of an answer gains a tenth.
"""

from __future__ import annotations

import gzip
from functools import lru_cache, partial

from aiohttp import web

from engine.limits import KIB
from engine.web.negotiate import DATA_SETS
from engine.web.services import on, services

_TYPES = frozenset(
    (*DATA_SETS, "application/json", "text/plain", "text/html", "text/css", "text/javascript", "image/svg+xml")
)
_BYTES_MIN = 1 * KIB  # below, the headers weigh more than what is saved
_ON_LOOP_BYTES_MAX = 16 * KIB  # a tenth of a millisecond; more goes to a thread
_LEVEL = 4  # 300 rows of a search: 0.3 MB become 13 KB in 3 ms; level 9 saves a tenth and costs four times that


def takes_gzip(request: web.Request) -> bool:
    """Whether the client says that it takes gzip; a client that says nothing gets plain text."""
    return _takes_gzip(",".join(request.headers.getall("Accept-Encoding", ())))


@lru_cache(maxsize=256)
def _takes_gzip(text: str) -> bool:
    """``x-gzip`` is gzip's old name; ``*`` is what is not named; a quality of 0 is a no."""
    said: dict[str, float] = {}
    for one in text.lower().split(","):
        coding, _, parameters = one.partition(";")
        name, _, value = parameters.partition("=")
        try:
            said[coding.strip()] = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            said[coding.strip()] = 0.0
    return next((said[coding] > 0 for coding in ("gzip", "x-gzip", "*") if coding in said), False)


async def compressed(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """The same answer, its body compressed where that helps and the client takes it."""
    if not isinstance(response, web.Response) or response.prepared:
        return response
    # Not aiohttp's `content_type`: of a multipart answer, whose boundary is another each time, it takes a third of the long way.
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() not in _TYPES:
        return response
    body = response.body
    if response.status != 200 or not isinstance(body, bytes) or len(body) < _BYTES_MIN:
        return response
    if "Content-Encoding" in response.headers:
        return response
    response.headers.add("Vary", "Accept-Encoding")
    if takes_gzip(request):
        squeeze = partial(gzip.compress, body, _LEVEL, mtime=0)
        is_short = len(body) <= _ON_LOOP_BYTES_MAX
        response.body = (
            squeeze() if is_short else await on(request, services(request).executors.index, "encode", squeeze)
        )
        response.headers["Content-Encoding"] = "gzip"
    return response
