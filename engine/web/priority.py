"""How urgent a client says that an answer is: the header ``Priority`` (RFC 9218), or the query parameter of that name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiohttp import web

URGENCY = 3  # RFC 9218 4.1: without a word
_MEMBER = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)(?:=([^;,]*))?((?:;[^,]*)?)\s*")


@dataclass(frozen=True, slots=True)
class Priority:
    """RFC 9218 4: urgency 0 to 7, less is sooner; incremental: worth something before it is complete."""

    urgency: int = URGENCY
    is_incremental: bool = False


def priority_of(request: web.Request) -> Priority | None:
    """What the client says; the parameter, for clients that cannot set headers, stands above the header. None: nothing."""
    said = request.query.getall("priority", None) or request.headers.getall("Priority", None)
    return None if said is None else parse_priority(",".join(said))


def parse_priority(text: str) -> Priority:
    """A dictionary of structured fields (RFC 9651 3.2); what is unknown or out of range is passed over (RFC 9218 4)."""
    urgency, is_incremental = URGENCY, False
    for one in text.split(","):
        found = _MEMBER.fullmatch(one)
        if found is None:
            continue
        name, value = found[1], found[2]
        if name == "u" and value is not None and re.fullmatch("[0-7]", value):
            urgency = int(value)
        elif name == "i" and value in (None, "?1", "?0"):
            is_incremental = value != "?0"
    return Priority(urgency, is_incremental)
