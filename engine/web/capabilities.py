"""What the server can do, told by itself (PS3.18 8.9, annex H): OpenAPI at `/api/openapi.json`, WADL, and OPTIONS everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from aiohttp import web

from engine.errors import NotAcceptable
from engine.web.addresses import root_of
from engine.web.charset import check_utf_8
from engine.web.negotiate import DICOM_JSON, choose
from engine.web.sending import is_known

_JSON, _WADL = "application/json", "application/vnd.sun.wadl+xml"


@dataclass(frozen=True, slots=True)
class Describing:
    """How descriptions are made: each takes the server's root and the address whose resources are described; and what is
    allowed at an address.

    The table of routes names the handlers here, so what is made from it comes in from `app`.
    """

    openapi: Callable[[str, str], bytes]
    wadl: Callable[[str, str], bytes]
    allowed: Callable[[str], str]


DESCRIBING: web.AppKey[Describing] = web.AppKey("describing", Describing)


def kept(make: Callable[[str, str], bytes]) -> Callable[[str, str], bytes]:
    """Each description is made once; roots are few, for a Host that is not ours is refused."""
    return lru_cache(maxsize=128)(make)


async def describe(request: web.Request) -> web.Response:
    """The OpenAPI description of every address."""
    return _answer(request, _JSON, "")


async def retrieve_capabilities(request: web.Request) -> web.Response:
    """What DICOMweb can do here: OpenAPI, or WADL where that is asked for."""
    check_utf_8(request)
    return _answer(request, _chosen(request), "/dicom-web")


async def options(request: web.Request) -> web.Response:
    """What is allowed at an address, and what it and those under it can do.

    Who accepts no kind of description gets the headers alone (204).
    """
    resource = request.match_info.route.resource
    assert resource is not None, "the table of routes has a line for this address"
    path = resource.canonical
    headers = {"Allow": request.app[DESCRIBING].allowed(path)}
    try:
        media_type = _chosen(request)
    except NotAcceptable:
        return web.Response(status=204, headers=headers)
    return _answer(request, media_type, path, headers)


def _chosen(request: web.Request) -> str:
    # `negotiate` takes application/json for its DICOM namesake.
    return _WADL if choose(request, (DICOM_JSON, _WADL)) == _WADL else _JSON


def _answer(request: web.Request, media_type: str, below: str, headers: dict[str, str] | None = None) -> web.Response:
    make = request.app[DESCRIBING].wadl if media_type == _WADL else request.app[DESCRIBING].openapi
    body = make(root_of(request), below.rstrip("/"))
    sent = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"', "Cache-Control": "no-cache", "Vary": "Accept"}
    sent |= headers or {}
    if request.method != "OPTIONS" and is_known(request, sent["ETag"]):
        return web.Response(status=304, headers=sent)
    return web.Response(body=body, headers=sent | {"Content-Type": media_type})


def as_json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
