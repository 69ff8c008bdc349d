"""What every request goes through: an id, the right to ask, limits, the error table, timing and counting."""

from __future__ import annotations

import asyncio
import logging
import re
import time

from aiohttp import ClientPayloadError, web

from engine.errors import ArchiveFault, EngineError
from engine.types import Timings
from engine.web.access import refusal
from engine.web.client import client_of
from engine.web.compression import compressed
from engine.web.cors import cors_headers, preflight
from engine.web.errors import problem, problem_response
from engine.web.handling import Handler
from engine.web.load import LOAD
from engine.web.routes import ROUTE_OF, Route
from engine.web.sending import packed_tag
from engine.web.services import BEGUN, CONTINUED, REQUEST_ID, START, TIMINGS, services

_LOG = logging.getLogger(__name__)
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_GONE = (ConnectionError, ClientPayloadError, asyncio.CancelledError)


@web.middleware
async def envelope(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The only middleware."""
    given = request.headers.get("X-Request-Id", "")
    request[REQUEST_ID] = given if _SANE_ID.fullmatch(given) else request.app[LOAD].next_id()
    request[TIMINGS] = Timings()
    request[START] = start = time.perf_counter()
    route = ROUTE_OF.get((request.method, _path_of(request)))
    kind = route.kind if route else "other"
    counters = services(request).metrics
    try:
        response = await _answered(request, handler, route)
    except _GONE:
        _cut(request)
        counters.request(kind, "gone", time.perf_counter() - start, 0)
        # aiohttp would log any other exception as an error, and answer a client that is not there.
        raise asyncio.CancelledError from None
    counters.request(kind, f"{response.status // 100}xx", time.perf_counter() - start, response.content_length or 0)
    return response


async def stamp(request: web.Request, response: web.StreamResponse) -> None:
    """Headers that every answer carries; called just before it is sent."""
    request[BEGUN] = True
    response.headers["X-Request-Id"] = request.get(REQUEST_ID) or request.app[LOAD].next_id()
    if START in request:
        request[TIMINGS].add("total", (time.perf_counter() - request[START]) * 1e3)
        response.headers["Server-Timing"] = request[TIMINGS].header()
    response.headers["X-Content-Type-Options"] = "nosniff"
    etag = response.headers.get("ETag", "")
    if etag.startswith('"') and response.headers.get("Content-Encoding") == "gzip":
        response.headers["ETag"] = packed_tag(etag)
    if request.app[LOAD].is_draining:
        response.force_close()
        response.headers["Connection"] = "close"
    if "Expect" in request.headers and request.body_exists and CONTINUED not in request:
        # Whether the body comes all the same nobody knows: it must not be read as a request.
        response.force_close()
        response.headers["Connection"] = "close"  # aiohttp has made its own before this is called
    if "Origin" in request.headers:
        response.headers.extend(cors_headers(request))


async def _answered(request: web.Request, handler: Handler, route: Route | None) -> web.StreamResponse:
    try:
        if asked_first := preflight(request):
            return asked_first
        if route is None:
            return await _elsewhere(request, handler)
        reason = refusal(request, route.permission)
        if reason:
            return problem_response(request, 403, reason)
        with request.app[LOAD].admitted(client_of(request)):
            return await compressed(request, await handler(request))
    except EngineError as error:
        if isinstance(error, ArchiveFault):
            _LOG.error("request %s: %s", request[REQUEST_ID], error)
        return _unless_begun(request, problem(request, error))
    except TimeoutError:
        return _unless_begun(
            request,
            problem_response(
                request, 408, "too slow: for too long nothing came, next to nothing, or nothing was taken"
            ),
        )
    except web.HTTPException as error:
        return problem_response(request, error.status, error.text or error.reason)
    except _GONE:
        raise
    except Exception:  # noqa: BLE001 - the edge: logged, and answered as an error of ours
        # The path names UIDs; the query, which may name a patient, is not logged.
        _LOG.exception("request %s failed: %s %s", request[REQUEST_ID], request.method, request.rel_url.raw_path)
        text = f"an error of this server; its log names request {request[REQUEST_ID]}"
        return _unless_begun(request, problem_response(request, 500, text))


def _unless_begun(request: web.Request, response: web.Response) -> web.Response:
    """The error's answer; where another answer is half sent, the connection is cut, so that nobody takes it for whole."""
    if BEGUN in request:
        raise ConnectionResetError("an answer that had begun could not be finished")
    return response


def _cut(request: web.Request) -> None:
    if BEGUN in request and request.transport is not None:
        request.transport.abort()


async def _elsewhere(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An address or method that no route has: aiohttp's own handler says which of both."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        text = f"{request.method} is not for this address; {allowed} is"
        return problem_response(request, 405, text, None, {"Allow": allowed})
    except web.HTTPNotFound:
        return problem_response(request, 404, "there is nothing at this address")


def _path_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""
