"""Packs of renditions for the operator: how they stand, one that is wanted now, one that is to go (JSON)."""

from __future__ import annotations

import json
from dataclasses import asdict

from aiohttp import web

from engine.archive.index import series_key
from engine.archive.records import SeriesSummary
from engine.archive.renditions.state import overview, state_of
from engine.web.services import on, services


async def show(request: web.Request) -> web.Response:
    """How many packs there are and what they take, and what the process that makes them is at."""
    s = services(request)
    found = await on(request, s.executors.index, "read", lambda: overview(s.frames.decoded.shelf, s.archive.path))
    making = None
    if found.making is not None:
        making = {"studyInstanceUID": found.making[0], "seriesInstanceUID": found.making[1]}
    return _json(
        {
            "mode": s.settings.renditions,
            "packs": found.packs,
            "bytes": found.bytes,
            "bytesMax": s.settings.limits.rendition_bytes_max,
            "making": making,
            "waiting": found.waiting,
        }
    )


async def show_series(request: web.Request) -> web.Response:
    """What the pack of a series has, and why frames are served as they are stored."""
    s = services(request)

    def read() -> dict[str, object]:
        found = asdict(state_of(s.frames.decoded.shelf, _series(request)))
        stored = [{"reason": reason, "frames": count} for reason, count in found["stored"].items()]
        return {
            "isComplete": found["is_complete"],
            "bytes": found["bytes"],
            "coarseBytes": found["coarse_bytes"],
            "framesMade": found["made"],
            "framesKept": found["kept"],
            "framesStored": stored,
        }

    return _json(await on(request, s.executors.index, "read", read))


async def make(request: web.Request) -> web.Response:
    """Have the pack of a series made now, before those that nobody has asked for; answers at once, with whether anybody heard."""
    s = services(request)

    def ask() -> bool:
        series = _series(request)
        uids = series.study_instance_uid, series.series_instance_uid
        return s.frames.decoded.asking.ask(*uids, is_urgent=True)

    is_asked = await on(request, s.executors.index, "read", ask)
    return _json({"isAsked": is_asked}, 202)


async def drop(request: web.Request) -> web.Response:
    """Delete the pack of a series; it is made again when somebody asks, or at the next look through the archive."""
    s = services(request)

    def remove() -> bool:
        series = _series(request)
        return s.frames.decoded.shelf.remove(series_key(series.study_instance_uid, series.series_instance_uid))

    return _json({"deleted": int(await on(request, s.executors.index, "delete", remove))})


def _series(request: web.Request) -> SeriesSummary:
    match = request.match_info
    return services(request).archive.series(match["study"], match["series"])


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(value).encode(), content_type="application/json", status=status)
