"""The character set of answers with text: UTF-8; whoever cannot take that is told (PS3.18 8.3.3.2, 8.8)."""

from __future__ import annotations

import re

from aiohttp import web

from engine.errors import InvalidParameter, NotAcceptable
from engine.web.negotiate import DATA_SETS, UTF_8_NAMES, choose

_ONE = re.compile(
    r'\s*(?:"([^"]{1,40})"|([A-Za-z0-9_.:*+-][A-Za-z0-9_.:+ -]{0,40}?))\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?'
)


def choose_data_sets(request: web.Request) -> str:
    """DICOM JSON or XML, whichever the client likes better.

    Both are UTF-8: JSON is nothing else (PS3.18 F.2), and every text that DICOM can hold is in it, so nothing is transcoded.

    Raises
    ------
    InvalidParameter, NotAcceptable
    """
    check_utf_8(request)
    return choose(request, DATA_SETS)


def check_utf_8(request: web.Request) -> None:
    """Whether the answer may be UTF-8.

    Character sets that are not known here are ignored (8.8.4), and where nothing is left UTF-8 is selected (8.8.5, 5); only
    who says that it must not be gets 406. The query parameter is stricter: it must name one that is supported (8.3.3.2).

    Raises
    ------
    InvalidParameter, NotAcceptable
    """
    asked = request.query.getall("charset", None)
    if asked is not None and not _quality(",".join(asked)):
        raise InvalidParameter("charset", ",".join(asked)[:80], "utf-8 among the names of character sets")
    said = request.headers.getall("Accept-Charset", None)
    if said and _quality(",".join(said)) == 0:
        raise NotAcceptable(",".join(said)[:80], ("utf-8",))


def _quality(text: str) -> float | None:
    """Of UTF-8, by its name or else by ``*``; None where neither is there, or what is there is no list of names."""
    found: dict[str, float] = {}
    for one in text.split(","):
        match = _ONE.fullmatch(one)
        if match is None:
            return None
        found[(match[1] or match[2]).strip().lower()] = float(match[3] or 1)
    qualities = [found[name] for name in UTF_8_NAMES if name in found]
    return max(qualities) if qualities else found.get("*")
