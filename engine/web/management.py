"""What the operator wants to know of the archive: sizes, conflicts, defects (JSON)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from aiohttp import web

from engine.dicom.defects import DEFECTS
from engine.errors import InvalidParameter
from engine.web.services import on, services


async def stats(request: web.Request) -> web.Response:
    """Counts and sizes of everything that is stored."""
    s = services(request)
    return _json(asdict(await on(request, s.executors.index, "read", s.archive.stats)))


async def conflicts(request: web.Request) -> web.Response:
    """Every version of each SOP Instance UID that came with different bytes, the served one first."""
    s = services(request)
    found = await on(request, s.executors.index, "read", s.archive.conflicts)
    return _json(
        [
            {
                "sopInstanceUID": c.sop_instance_uid,
                "dataSetSHA256": c.data_set_sha256.hex(),
                "receivedNs": c.received_ns,
                "door": c.source.door,
                "peer": c.source.peer,
                "isServed": c.is_served,
            }
            for c in found
        ]
    )


async def defects(request: web.Request) -> web.Response:
    """Every defect that some stored instance has: its code, its meaning, how many have it."""
    s = services(request)
    counts = await on(request, s.executors.index, "read", s.archive.defects)
    return _json([{"code": code, "meaning": DEFECTS.get(code, ""), "instances": n} for code, n in counts.items()])


async def with_defect(request: web.Request) -> web.Response:
    """The SOP Instance UIDs of instances with one defect."""
    s, code = services(request), request.match_info["code"]
    if code not in DEFECTS:
        raise InvalidParameter("code", code[:80], "one of " + ", ".join(DEFECTS))
    return _json(await on(request, s.executors.index, "read", lambda: s.archive.with_defect(code)))


def _json(value: Any) -> web.Response:
    return web.Response(body=json.dumps(value).encode(), content_type="application/json")
