"""QIDO-RS: searching for studies, series and instances (PS3.18 10.6, 8.3.4)."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

from aiohttp import web

from engine.archive.including import complete
from engine.archive.rows import located, resource
from engine.dicom.query import Findings, Found, Level
from engine.errors import InvalidParameter
from engine.web.addresses import root_of
from engine.web.charset import check_utf_8, choose_data_sets
from engine.web.errors import warning
from engine.web.negotiate import DICOM_JSON, DICOM_XML
from engine.web.query_parameters import Asked, parse_query
from engine.web.services import TIMINGS, on, services
from engine.web.xml_answer import answer_xml

_LEVELS = {"studies": Level.STUDY, "series": Level.SERIES, "instances": Level.INSTANCE}
_NOT_KEPT = {"Cache-Control": "private, no-store"}


async def search_for_studies(request: web.Request) -> web.StreamResponse:
    """Studies whose attributes match every key."""
    return await _search(request, Level.STUDY)


async def search_for_series(request: web.Request) -> web.StreamResponse:
    """Series, of one study or of all."""
    return await _search(request, Level.SERIES)


async def search_for_instances(request: web.Request) -> web.StreamResponse:
    """Instances, of one series, of one study or of all."""
    return await _search(request, Level.INSTANCE)


async def explain(request: web.Request) -> web.Response:
    """How a search with these parameters goes about it: the way to its candidates, and what was read."""
    level, s = _LEVELS.get(request.match_info["level"]), services(request)
    if level is None:
        raise InvalidParameter("level", request.match_info["level"][:80], "one of " + ", ".join(_LEVELS))
    check_utf_8(request)
    asked = _asked(request, level)
    start = time.perf_counter()
    found = await on(request, s.executors.index, "read", lambda: s.archive.search(asked.query))
    return web.json_response(
        asdict(found.plan)
        | {
            "rows": len(found.rows),
            "total": found.total,
            "keys_read": found.keys_read,
            "ignored": asked.ignored,
            "ms": round((time.perf_counter() - start) * 1e3, 3),
        },
        headers=_NOT_KEPT,
    )


async def _search(request: web.Request, level: Level) -> web.StreamResponse:
    media_type = choose_data_sets(request)
    s = services(request)
    s.frames.warm()  # who searches will want to see: kernels load meanwhile
    asked = _asked(request, level)
    root = root_of(request)

    def run() -> tuple[Findings, bytes]:
        found = s.archive.search(asked.query)
        if asked.query.include or asked.query.includes_all:
            found = replace(found, rows=complete(s.archive, found.rows, asked.query, s.documents.root))
        return found, b"[" + b",".join(located(one.document, _url(one, root)) for one in found.rows) + b"]"

    found, body = await on(request, s.executors.index, "read", run)
    request[TIMINGS].note("plan", found.plan.path)
    headers = dict(_NOT_KEPT)
    if warnings := _warnings(asked, found):
        headers["Warning"] = ", ".join(map(warning, warnings))
    if found.total is not None:
        headers["X-Total-Count"] = str(found.total)
    if not found.rows:
        return web.Response(status=204, headers=headers)
    if media_type == DICOM_XML:
        return await answer_xml(request, body, headers)
    return web.Response(body=body, headers=headers | {"Content-Type": DICOM_JSON})


def _asked(request: web.Request, level: Level) -> Asked:
    match = request.match_info
    return parse_query(
        request.query, level, match.get("study", ""), match.get("series", ""), services(request).settings.limits
    )


def _warnings(asked: Asked, found: Findings) -> list[str]:
    warnings = [f"ignored: {', '.join(asked.ignored)}"] if asked.ignored else []
    if found.has_more:
        following = asked.query.offset + len(found.rows)
        warnings.append(f"there are more results than these {len(found.rows)}; ask for them with offset={following}")
    return warnings


def _url(found: Found, root: str) -> str:
    return root + resource(found.study_instance_uid, found.series_instance_uid, found.sop_instance_uid)
