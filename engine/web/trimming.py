"""Metadata with only the attributes that a client names: ``includefield`` (PS3.18 8.3.4.3) where the standard has all of them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from engine.archive.including import Attributes, take
from engine.archive.rows import dump
from engine.errors import InvalidParameter
from engine.web.errors import warning
from engine.web.query_parameters import like, path_of

_FIELDS_MAX = 1000
# SOP Class, Instance, Study and Series: without them nobody knows whose the others are.
_ALWAYS = ((0x00080016,), (0x00080018,), (0x0020000D,), (0x0020000E,))


@dataclass(frozen=True, slots=True)
class Trimming:
    """What is left of each instance's document.

    Attributes
    ----------
    paths : tags down to each attribute, shorter ones first.
    unknown : names that are none of an attribute, and what they may have been meant to be.
    """

    paths: tuple[tuple[int, ...], ...]
    unknown: tuple[str, ...] = ()

    def etag(self, whole: str) -> str:
        """Of the trimmed document, by that of the whole one."""
        mark = hashlib.sha256(repr(self.paths).encode()).hexdigest()[:16]
        return f'{whole[:-1]}-{mark}"'

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says beside its own headers."""
        return {"Warning": warning(f"no known attribute: {', '.join(self.unknown)}")} if self.unknown else {}

    def trimmed(self, body: bytes) -> bytes:
        """A JSON array of instances with only these attributes; milliseconds for a series, so on a thread."""
        return b"[" + b",".join(dump(self._one(document)) for document in json.loads(body)) + b"]"

    def trimmed_gzip(self, body_gzip: bytes) -> bytes:
        """As `trimmed`, of a document that is packed."""
        return gzip.compress(self.trimmed(gzip.decompress(body_gzip)), 1, mtime=0)

    def _one(self, document: Attributes) -> Attributes:
        found: Attributes = {}
        for path in self.paths:
            take(document, found, path)
        return dict(sorted(found.items()))


def trimming_of(request: web.Request) -> Trimming | None:
    """What ``includefield`` and ``includefields`` name, keywords or tags, in lists or one by one; None for everything.

    Raises
    ------
    InvalidParameter : a name that can be none of an attribute.
    """
    said = [*request.query.getall("includefield", []), *request.query.getall("includefields", [])]
    fields = [field.strip() for field in ",".join(said).split(",") if field.strip()]
    if not fields or any(field.lower() == "all" for field in fields):
        return None
    if len(fields) > _FIELDS_MAX:
        raise InvalidParameter("includefield", ",".join(fields)[:80], f"{_FIELDS_MAX} attributes at most")
    paths: list[tuple[int, ...]] = list(_ALWAYS)
    unknown: list[str] = []
    for field in fields:
        path = path_of(field)
        if path is None:
            unknown.append(field[:80] + like(field))
        else:
            paths += *_creators(path), tuple(path)
    return Trimming(tuple(sorted(dict.fromkeys(paths), key=len)), tuple(unknown[:20]))


def _creators(path: Sequence[int]) -> list[tuple[int, ...]]:
    """The private creators that give private attributes on the path their meaning (PS3.5 7.8.1)."""
    return [
        (*path[:depth], tag & 0xFFFF0000 | tag >> 8 & 0xFF)
        for depth, tag in enumerate(path)
        if tag >> 16 & 1 and tag & 0xFFFF >= 0x1000
    ]
