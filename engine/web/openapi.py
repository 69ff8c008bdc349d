"""The OpenAPI 3.1 description of every address, made from the tables `routes`, `faces`, `parameters` and `schemas`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from engine import __version__
from engine.web.access import Permission
from engine.web.faces import FACES, WADL, Face
from engine.web.parameters import Parameter
from engine.web.routes import Route, template
from engine.web.schemas import IN_PATHS, SCHEMAS

PROBLEM = "application/problem+json"
_JSON = "application/json"
# Statuses that any address may answer with.
EVERYWHERE = (400, 403, 408, 500, 503)
_MEANINGS = {
    101: "Another protocol is spoken on this connection from here on.",
    200: "As asked for.",
    201: "It is made, and safe.",
    202: "Some of the instances are safe, others were refused, or values were changed; or it is to be done: the answer says.",
    204: "Nothing matches.",
    206: "The range that was asked for.",
    302: "It is at another address.",
    304: "The client has it already.",
    400: "The request cannot be understood.",
    403: "The client may not do this.",
    404: "It is not here.",
    406: "It cannot be given in any way that the client accepts; the detail says how it can.",
    408: "Nothing came, or was taken, for a minute.",
    409: "It contradicts what is there: nothing was stored or changed; the answer says why.",
    410: "So old a number is not kept any more: read the archive anew.",
    413: "Larger than a limit.",
    415: "A body of a kind that is not taken.",
    416: "The range begins behind the end.",
    417: "Expect can be 100-continue.",
    426: "Only by a WebSocket.",
    422: "What was stored cannot be decoded.",
    500: "An error of the server; its log names the request.",
    501: "By design not done here.",
    503: "Busy, or the archive takes no writes: later.",
    507: "The disk is full; nothing acknowledged is lost.",
}
_DESCRIPTION = """Every address, made from the program's own tables. Errors are application/problem+json; DICOMweb addresses
say them in a Warning header, too. Every answer has X-Request-Id and Server-Timing. Keys of a search may also be tags (00100010),
and paths into sequences."""


def document(routes: tuple[Route, ...], root: str, below: str = "") -> dict[str, Any]:
    """The description of all addresses, or of those at `below` and under it, of a server that clients reach at `root`."""
    paths: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    for route in routes:
        path = template(route.path)
        if path == below or path.startswith(below.rstrip("/") + "/"):
            item = paths.setdefault(path, {})
            operation = item[route.method.lower()] = _operation(route, path, names)
            if route.method == "GET":
                item["head"] = _head(operation)
    for path, item in paths.items():
        item["options"] = _options(path, next(iter(item.values())))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "voxcast",
            "version": __version__,
            "summary": "DICOMweb, management and health of a voxcast archive.",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": root}],
        "paths": paths,
        "components": {"schemas": SCHEMAS, "responses": dict(_problems())},
    }


def _operation(route: Route, path: str, names: set[str]) -> dict[str, Any]:
    face = FACES[route.handler]
    doc = (route.handler.__doc__ or "").strip()
    summary, _, more = doc.partition("\n\n")
    clause = f" (PS3.18 {face.clause})" if face.clause else ""
    operation: dict[str, Any] = {
        "operationId": _name(route, path, names),
        "summary": " ".join(summary.split()),
        "description": " ".join(more.split()) + clause,
        "tags": [route.kind],
        "x-permission": str(route.permission),
        "parameters": [
            *(_in_path(name, path) for name in re.findall(r"{(\w+)}", path)),
            *(_in_query(one, face) for one in face.parameters),
        ],
        "responses": {str(status): _response(status, face) for status in sorted({*face.statuses, *EVERYWHERE})},
    }
    if face.takes:
        operation["requestBody"] = {
            "required": True,
            "content": {media_type: {"schema": _body(face)} for media_type in face.takes},
        }
    return operation


def _head(get: dict[str, Any]) -> dict[str, Any]:
    """The status and the headers of a GET of the whole: ranges are GET's alone (RFC 9110 14.2), and there is no body."""
    statuses = [status for status in get["responses"] if status not in ("206", "416")]
    return get | {
        "operationId": f"head_{get['operationId']}",
        "summary": f"Headers of: {get['summary']}",
        "description": "Status and headers of GET, without its body.",
        "responses": {status: {"description": _MEANINGS[int(status)]} for status in statuses},
    }


def _options(path: str, other: dict[str, Any]) -> dict[str, Any]:
    """Of the address of some `other` operation (RFC 9110 9.3.7, PS3.18 8.9.1)."""
    allow = {"description": "The methods that are possible here.", "schema": {"type": "string"}, "required": True}
    described = {_JSON: {"schema": {"$ref": "#/components/schemas/OpenAPI"}}, WADL: {}}
    own: dict[str, Any] = {
        "200": {"description": _MEANINGS[200], "headers": {"Allow": allow}, "content": described},
        "204": {"description": "The same, for who accepts no kind of description.", "headers": {"Allow": allow}},
    }
    return {
        "operationId": f"options_of_{other['operationId']}",
        "summary": "What is possible at this address, and what it and those under it can do.",
        "description": "(PS3.18 8.9.1)",
        "tags": ["other"],
        "x-permission": str(Permission.HEALTH),
        "parameters": [_in_path(name, path) for name in re.findall(r"{(\w+)}", path)],
        "responses": own | {str(status): {"$ref": f"#/components/responses/{status}"} for status in EVERYWHERE},
    }


def _body(face: Face) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{face.body}"} if face.body else {"type": "string", "format": "binary"}


def _name(route: Route, path: str, names: set[str]) -> str:
    """Unique and lasting: the handler's name, with the levels of the address where another address has the handler, too."""
    plain = route.handler.__name__
    levels = "_".join(re.findall(r"{(\w+)}", path))
    for name in (
        plain,
        f"{plain}_in_{levels}",
        f"{path.split('/')[1].replace('-', '_')}_{plain}_in_{levels}",
        plain + "_",
    ):
        if name not in names:
            names.add(name)
            return name
    raise ValueError(f"no name is left for {route.method} {path}")


def _in_path(name: str, path: str) -> dict[str, Any]:
    meaning, schema, example = IN_PATHS.get(path, IN_PATHS[name])
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": meaning,
        "schema": schema,
        "example": example,
    }


def _in_query(parameter: Parameter, face: Face) -> dict[str, Any]:
    clause = f" (PS3.18 {parameter.clause})" if parameter.clause else ""
    found: dict[str, Any] = {
        "name": parameter.name,
        "in": "query",
        "description": parameter.doc + clause,
        "required": parameter.is_required,
        "schema": dict(parameter.schema),
    }
    if parameter.name in ("accept", "contentType"):
        found["schema"]["examples"] = list(face.gives)
    is_list = parameter.schema.get("type") == "array"
    if is_list:
        found |= {"style": "form", "explode": False}
    if parameter.example:
        is_number = parameter.schema.get("type") == "integer"
        found["example"] = (
            [parameter.example] if is_list else int(parameter.example) if is_number else parameter.example
        )
    return found


def _response(status: int, face: Face) -> dict[str, Any]:
    if status in (204, 302, 304):
        return {"description": _MEANINGS[status]}
    # What says which instances were refused, and why the server is not ready, are answers of their own.
    is_own = status < 400 or (face.takes and status in (409, 503, 507)) or (status == 503 and status in face.statuses)
    if not is_own:
        return {"$ref": f"#/components/responses/{status}"}
    content: dict[str, Any] = {
        media_type: {"schema": _schema_of(media_type, face)} if _schema_of(media_type, face) else {}
        for media_type in face.gives
    }
    if status >= 400:
        content[PROBLEM] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": _MEANINGS[status], "content": content}


def _schema_of(media_type: str, face: Face) -> Mapping[str, Any]:
    if media_type.endswith("json") and face.schema:
        return {"$ref": f"#/components/schemas/{face.schema}"}
    return {}


def _problems() -> Iterator[tuple[str, Any]]:
    for status, meaning in _MEANINGS.items():
        if status >= 400:
            example = {
                "type": "about:blank",
                "title": HTTPStatus(status).phrase,
                "status": status,
                "detail": "what is wrong, in words",
            }
            content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
            yield str(status), {"description": meaning, "content": content}
