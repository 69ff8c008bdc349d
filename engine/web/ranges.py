"""Byte ranges: which part of an answer a client wants, and what lies in it (RFC 9110 14, PS3.18 8.4).

Only answers whose every byte and length are known beforehand take part, with an `ETag` that is strong: the same bytes every
time. One range is answered by it alone (206); several at once, and what cannot be understood, by the whole (200), as RFC 9110
14.2 allows: no client of images has been seen to ask for several, and ``multipart/byteranges`` would be a multipart in another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aiohttp import web

from engine.errors import UnsatisfiableRange

ACCEPTED = {"Accept-Ranges": "bytes"}
# 18 digits: longer ones are no place in any file, and int() of a whole header line of digits would be slow.
_ONE = re.compile(r"(?:(\d{1,18})-(\d{1,18})?|-(\d{1,18}))", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A part of an answer that is not empty: `length` bytes from `start` of `total`."""

    start: int
    length: int
    total: int

    @property
    def headers(self) -> dict[str, str]:
        """What a 206 answer says beside its own headers."""
        where = f"bytes {self.start}-{self.start + self.length - 1}/{self.total}"
        return {"Content-Range": where, "Content-Length": str(self.length)}


def wanted_range(request: web.Request, total: int, etag: str) -> ByteRange | None:
    """The part of a body of `total` bytes that the client wants; None for all of it.

    Ask `sending.is_known` first: ``If-None-Match`` stands above ``Range`` (RFC 9110 13.2.2). ``Range`` is for GET alone; the
    answer to HEAD is that of the whole. ``If-Range`` with anything but this strong `etag` gives the whole (RFC 9110 13.1.5);
    a date, too: answers have no ``Last-Modified``.

    Raises
    ------
    UnsatisfiableRange : it begins behind the end.
    """
    text = request.headers.get("Range")
    if text is None or request.method != "GET":
        return None
    condition = request.headers.get("If-Range")
    if condition is not None and (condition.strip() != etag or etag.startswith("W/")):
        return None
    return parse_range(text, total)


def parse_range(text: str, total: int) -> ByteRange | None:
    """The range that a ``Range`` header's value means; None for all of it.

    Raises
    ------
    UnsatisfiableRange
    """
    unit, _, listed = text.partition("=")
    asked = [one.strip() for one in listed.split(",") if one.strip()]
    if unit.strip().lower() != "bytes" or len(asked) != 1:
        return None
    found = _ONE.fullmatch(asked[0])
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        length = min(int(suffix), total)
        if length == 0 < total:
            raise UnsatisfiableRange(text[:80], total)
        # Nothing has a last byte, but is whole (RFC 9110 14.1.2).
        return ByteRange(total - length, length, total) if total else None
    start, end = int(first), int(last) if last else total - 1
    if last and end < start:
        return None  # RFC 9110 14.1.1: not valid, so as if it were not there
    if start >= total:
        raise UnsatisfiableRange(text[:80], total)
    return ByteRange(start, min(end, total - 1) - start + 1, total)


def cut(lengths: Sequence[int], wanted: ByteRange) -> Iterator[tuple[int, int, int]]:
    """Which of several pieces that follow each other lie in a range: index, first byte inside the piece, bytes of it."""
    at, end = 0, wanted.start + wanted.length
    for index, length in enumerate(lengths):
        start, stop = max(wanted.start, at), min(end, at + length)
        if start < stop:
            yield index, start - at, stop - start
        at += length
