"""WADO-RS bulk data: the values that metadata names by BulkDataURI (PS3.18 10.4.1.1.5)."""

from __future__ import annotations

import re

from aiohttp import web

from engine.errors import InvalidParameter
from engine.web.multipart import boundary_for, content_type, join
from engine.web.negotiate import OCTET_STREAM, choose, wants_multipart
from engine.web.services import on, services
from engine.web.wado import record_of

_PATH = re.compile(r"[0-9A-Fa-f]{8}(?:/\d{1,9}/[0-9A-Fa-f]{8})*")


async def retrieve_bulk_value(request: web.Request) -> web.Response:
    """One value, as it is stored."""
    choose(request, (OCTET_STREAM,))
    s, record, text = services(request), record_of(request), request.match_info["path"]
    if not _PATH.fullmatch(text):
        raise InvalidParameter("path", text[:80], "a tag, or tag/item/tag…, as metadata gives it in BulkDataURI")
    path = [int(part, 10 if i % 2 else 16) for i, part in enumerate(text.split("/"))]
    value = await on(request, s.executors.read, "read", lambda: s.archive.bulk_value(record, path))
    if value is None:
        raise web.HTTPNotFound(text=f"instance {record.sop_instance_uid} has no value at {text}")
    if not wants_multipart(request, OCTET_STREAM):
        return web.Response(body=value, content_type=OCTET_STREAM)
    boundary = boundary_for("bulk", record.data_set_sha256.hex(), text)
    return web.Response(
        body=join(boundary, OCTET_STREAM, [value]), headers={"Content-Type": content_type(OCTET_STREAM, boundary)}
    )
