"""``multipart/related`` out, and in piece by piece (RFC 2046 5.1, RFC 2387, PS3.18 8.6.1.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.errors import InvalidParameter, MalformedDataSet
from engine.types import Buffer

_HEADERS_BYTES_MAX = 16 * 1024


def boundary_for(*identity: object) -> str:
    """The same boundary for the same content every time: a byte range counts over the whole body, boundaries included."""
    return hashlib.sha256("\0".join(map(str, identity)).encode("utf_8", "replace")).hexdigest()[:32]


def content_type(media_type: str, boundary: str) -> str:
    return f'multipart/related; type="{media_type}"; boundary={boundary}'


def part_head(boundary: str, part_type: str, location: str = "") -> bytes:
    """What stands in front of a part; the body begins with the boundary line, as clients in use demand."""
    where = f"Content-Location: {location}\r\n" if location else ""
    return f"--{boundary}\r\nContent-Type: {part_type}\r\n{where}\r\n".encode()


def closing(boundary: str) -> bytes:
    return f"--{boundary}--\r\n".encode()


def join(boundary: str, part_type: str, bodies: Sequence[Buffer]) -> bytes:
    """A whole body of parts of one type."""
    pieces: list[Buffer] = []
    for body in bodies:
        pieces += (part_head(boundary, part_type), body, b"\r\n")
    return b"".join((*pieces, closing(boundary)))


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part begins; `headers` by lower-case name."""

    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is complete: its boundary was seen."""


Event = PartBegin | PartEnd | bytes


class MultipartParser:
    """Bytes in any slices → the parts' heads, data and ends; holds no more than one boundary or one part's headers.

    What stands before the first boundary and behind the last is passed over.
    """

    def __init__(self, boundary: str) -> None:
        if not 0 < len(boundary) <= 200:
            raise InvalidParameter("boundary", boundary[:80], "1 to 70 characters")
        self._mark = b"\r\n--" + boundary.encode("latin_1", "replace")
        self._rest = b"\r\n"  # the first boundary may stand at the very start
        self._state = self._preamble
        self.is_complete = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Events of this slice, in order; raises MalformedDataSet."""
        self._rest += chunk
        while (events := self._state()) is not None:
            yield from events

    def _preamble(self) -> list[Event] | None:
        at = self._rest.find(self._mark)
        if at < 0:
            self._rest = self._rest[-len(self._mark) + 1 :]
            return None
        self._rest = self._rest[at + len(self._mark) :]
        self._state = self._behind_boundary
        return []

    def _behind_boundary(self) -> list[Event] | None:
        """``--`` ends it all; otherwise the line ends and headers follow."""
        if len(self._rest) < 2:
            return None
        if self._rest.startswith(b"--"):
            self.is_complete = True
            self._rest = b""
            self._state = self._epilogue
            return []
        end = self._rest.find(b"\r\n")
        if end < 0:
            self._bound()
            return None
        if self._rest[:end].strip(b" \t"):
            raise MalformedDataSet("a multipart boundary is followed by something else than a line end")
        self._rest = self._rest[end:]
        self._state = self._headers
        return []

    def _headers(self) -> list[Event] | None:
        # The line end behind the boundary is still there, so no headers at all look like any others.
        end = self._rest.find(b"\r\n\r\n")
        if end < 0:
            self._bound()
            return None
        headers: dict[str, str] = {}
        for line in self._rest[:end].decode("latin_1").split("\r\n"):
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
        self._rest = self._rest[end + 4 :]
        self._state = self._data
        return [PartBegin(headers)]

    def _data(self) -> list[Event] | None:
        at = self._rest.find(self._mark)
        if at < 0:
            sure = len(self._rest) - len(self._mark) + 1
            if sure <= 0:
                return None
            piece, self._rest = self._rest[:sure], self._rest[sure:]
            # Nothing more can come of this slice, but the generator must hand the piece out first.
            self._state = self._wait
            return [piece]
        piece, self._rest = self._rest[:at], self._rest[at + len(self._mark) :]
        self._state = self._behind_boundary
        return [piece, PartEnd()] if piece else [PartEnd()]

    def _wait(self) -> list[Event] | None:
        self._state = self._data
        return None

    def _epilogue(self) -> list[Event] | None:
        self._rest = b""
        return None

    def _bound(self) -> None:
        if len(self._rest) > _HEADERS_BYTES_MAX:
            raise MalformedDataSet("the headers of a multipart part do not end")
