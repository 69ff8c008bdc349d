"""The change feed over HTTP: a long poll in JSON, or server-sent events (HTML Living Standard 9.2) from the same address.

What a client has to do is in ``docs/changes.md``.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aiohttp import web

from engine.archive.changes import Change, Extent
from engine.errors import ChangesGone, InvalidParameter
from engine.web.client import client_of
from engine.web.load import LOAD
from engine.web.negotiate import DICOM_JSON, choose
from engine.web.parameters import CHANGES_NAMES, CHANGES_NUMBER_MAX, CHANGES_WAIT_S_MAX
from engine.web.sending import send
from engine.web.services import on, services
from engine.web.watch import WATCH

_JSON, _EVENTS = "application/json", "text/event-stream"
_LIMIT = 1000
_HEARTBEAT_S = 15.0
# A stream of events ends after this and the client asks again, which costs it nothing: every wait has a deadline.
_STREAM_S_MAX = 3600.0
_RETRY_MS = 2000


async def changes(request: web.Request) -> web.StreamResponse:
    """What came, was replaced and went since a number that an earlier answer gave."""
    for name in request.query:
        if name not in CHANGES_NAMES:
            raise InvalidParameter(name[:80], "", "one of " + ", ".join(sorted(CHANGES_NAMES)))
    limit = _parameter(request, "limit", 1, services(request).settings.limits.changes_per_answer_max) or _LIMIT
    wait = _parameter(request, "wait", 0, CHANGES_WAIT_S_MAX) or 0
    since = _parameter(request, "since", 0, CHANGES_NUMBER_MAX)
    if choose(request, (_JSON, DICOM_JSON, _EVENTS)) == _EVENTS:  # application/json is read as its DICOM sister
        return await _stream(request, since, limit)
    return await _poll(request, since, limit, wait)


async def _poll(request: web.Request, since: int | None, limit: int, wait: int) -> web.Response:
    if since is None:  # where one begins: read the archive, then follow from here
        extent = await _extent(request)
        return _answer(extent, [], extent.last)
    extent, found = await _read(request, since, limit)
    if not found and wait and request.method != "HEAD":
        with request.app[WATCH].place(), request.app[LOAD].paused(client_of(request)):
            has_come = await request.app[WATCH].beyond(since, wait)
        if has_come:
            extent, found = await _read(request, since, limit)
    return _answer(extent, found, since)


async def _stream(request: web.Request, since: int | None, limit: int) -> web.StreamResponse:
    """Events until the client leaves, the server stops, or the client is so slow that what it has not seen is gone."""
    if text := request.headers.get("Last-Event-ID"):  # of a client that comes back: above what its address says
        since = _whole("Last-Event-ID", text, 0, CHANGES_NUMBER_MAX)
    extent = await _extent(request)
    if since is None:
        since = extent.last
    elif not extent.first <= since <= extent.last:
        raise ChangesGone(since, extent.first, extent.last)
    headers = {"Content-Type": _EVENTS, "Cache-Control": "no-store", "Vary": "Accept", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    if request.method == "HEAD":
        await response.prepare(request)
        return response
    watch, loop = request.app[WATCH], asyncio.get_running_loop()
    ends = loop.time() + _STREAM_S_MAX
    with watch.place(), request.app[LOAD].paused(client_of(request)):
        await response.prepare(request)
        # The number first, so that a client whose stream is cut before any change knows where it was.
        begun = json.dumps(_extent_json(extent))
        await send(response, f"retry: {_RETRY_MS}\nid: {since}\nevent: begin\ndata: {begun}\n\n".encode())
        while loop.time() < ends and not watch.is_closed:
            try:
                _, found = await _read(request, since, limit)
            except ChangesGone as gone:
                await send(response, f"event: gone\ndata: {json.dumps({'detail': str(gone)})}\n\n".encode())
                break
            if found:
                since = found[-1].sequence
                await send(response, b"".join(map(_event, found)))
            elif not await watch.beyond(since, _HEARTBEAT_S):
                await send(response, b": nothing new\n\n")  # tells a client, and us, that the other side is there
    await response.write_eof()
    return response


def _event(change: Change) -> bytes:
    return f"id: {change.sequence}\nevent: change\ndata: {json.dumps(_change_json(change))}\n\n".encode()


def _answer(extent: Extent, found: list[Change], since: int) -> web.Response:
    following = found[-1].sequence if found else since
    body = _extent_json(extent) | {
        "next": following,
        "more": following < extent.last,
        "changes": [_change_json(change) for change in found],
    }
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    return web.Response(body=json.dumps(body).encode(), content_type=_JSON, headers=headers)


def _extent_json(extent: Extent) -> dict[str, Any]:
    return {"epoch": extent.epoch, "first": extent.first, "last": extent.last}


def _change_json(change: Change) -> dict[str, Any]:
    when = datetime.fromtimestamp(change.changed_ns / 1e9, UTC).isoformat(timespec="milliseconds")
    told: dict[str, Any] = {
        "sequence": change.sequence,
        "change": change.kind.name.lower().replace("_", "-"),
        "time": when.replace("+00:00", "Z"),
        "studyInstanceUID": change.study_instance_uid,
        "seriesInstanceUID": change.series_instance_uid,
    }
    if change.sop_instance_uid:
        told["sopInstanceUID"] = change.sop_instance_uid
    return told


async def _extent(request: web.Request) -> Extent:
    s = services(request)
    return await on(request, s.executors.read, "read", s.archive.feed)


async def _read(request: web.Request, since: int, limit: int) -> tuple[Extent, list[Change]]:
    s = services(request)
    return await on(request, s.executors.read, "read", partial(s.archive.changes, since, limit))


def _parameter(request: web.Request, name: str, low: int, high: int) -> int | None:
    values = request.query.getall(name, [])
    if len(values) > 1:
        raise InvalidParameter(name, ",".join(values)[:80], "one value")
    return _whole(name, values[0], low, high) if values else None


def _whole(name: str, text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19) or not low <= int(text) <= high:
        raise InvalidParameter(name, text[:80], f"a whole number from {low} to {high}")
    return int(text)
