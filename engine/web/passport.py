"""What a connection has learnt of the headers that it sends every time: whoever holds it need not be asked again for a moment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from aiohttp import web

from engine.web.client import client_of
from engine.web.cors import cors_headers
from engine.web.negotiate import MediaRange

PASSPORT_S = 2.0  # how long a permission that was taken away may still be used
# A lone request for one frame, or for one picture: nothing of the path is percent-encoded, nor of another version.
# Groups: target, study, series, instance, form and frame, kind of picture, query.
ADDRESS = re.compile(
    rb"GET (/dicom-web/studies/([0-9.]{1,64})/series/([0-9.]{1,64})/instances/([0-9.]{1,64})"
    rb"(?:/(frames|htj2k|htj2kThumbnail)/([1-9][0-9]{0,8}))?"
    rb"(?:/(rendered|thumbnail)(?:\?([!\"$-~]{1,1000}))?)?) HTTP/1\.1\r\n"
)
# Headers that say nothing of one request alone. With any other one the connection gets no passport.
_SAME = re.compile(
    "accept(-encoding|-language)?|authorization|cache-control|connection|cookie|dnt|host|origin|pragma|referer|sec-.*|user-agent",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Passport:
    """What a handler has decided for one header block: that it may read, and what it accepts.

    Attributes
    ----------
    block : everything behind the request line, as it came.
    ranges : of the header ``Accept``.
    extra : header lines of the answer that the block causes.
    client : whom its requests are counted for.
    until : of the loop's clock.
    """

    block: bytes
    ranges: tuple[MediaRange, ...]
    extra: str
    client: str
    until: float


@runtime_checkable
class Learner(Protocol):
    """A connection that can hold a passport."""

    def learn(self, request: web.Request, ranges: tuple[MediaRange, ...]) -> None:
        """The handler answers `request`, which reads one frame or picture, and would answer its like."""


def passport_for(asked: bytes, request: web.Request, ranges: tuple[MediaRange, ...], now: float) -> Passport | None:
    """A passport for more requests like `request`, which came alone as `asked`; None for what means that one request only."""
    found = ADDRESS.match(asked)
    if found is None or found[1] != request.raw_path.encode() or not request.keep_alive or "accept" in request.query:
        return None
    if not all(_SAME.fullmatch(name) for name in request.headers):
        return None
    cors = cors_headers(request) if "Origin" in request.headers else {}
    extra = "".join(f"{name}: {value}\r\n" for name, value in cors.items())
    return Passport(asked[found.end() :], ranges, extra, client_of(request), now + PASSPORT_S)


def learn(request: web.Request, ranges: tuple[MediaRange, ...]) -> None:
    """Give the request's connection a passport for more of the same, if it can hold one."""
    if isinstance(request.protocol, Learner):
        request.protocol.learn(request, ranges)
