"""Bodies of requests to the worklist: DICOM JSON into checked worklist items (PS3.18 annex F, PS3.4 K.6.1.2.2)."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any
from uuid import uuid4

from aiohttp import web

from engine.dicom.canonical import from_json
from engine.dicom.dictionary import hex_of
from engine.dicom.json_model import read_json
from engine.dicom.scheduled_step import PROCEDURE_ID, STEP, STEP_ID, STUDY_UID, check, completed, items_of, split
from engine.errors import InvalidAttributeValue, MalformedDataSet, TooLarge
from engine.limits import Limits
from engine.web.negotiate import DICOM_JSON, media_type_of
from engine.web.request_body import Body
from engine.web.services import services

Attributes = dict[str, Any]
_TYPES = ("", DICOM_JSON, "application/json")
_STEP = hex_of(STEP)


async def received(request: web.Request) -> bytes:
    """The whole body, bounded.

    Raises
    ------
    TooLarge, TimeoutError, HTTPUnsupportedMediaType
    """
    media_type, _ = media_type_of(request.headers.get("Content-Type", ""))
    if media_type not in _TYPES:
        raise web.HTTPUnsupportedMediaType(text=f"send {DICOM_JSON}, not {media_type[:80]}")
    body, content = Body(request), bytearray()
    await body.begin()
    limit = services(request).settings.limits.metadata_bytes_max
    while piece := await body.next():
        content += piece
        if len(content) > limit:
            raise TooLarge("the body", len(content), limit, "limits.metadata_bytes_max")
    return bytes(content)


def several_items(body: bytes, limits: Limits) -> list[Attributes]:
    """One item for each step; what names a step is made where it is missing.

    Raises
    ------
    MalformedDataSet, TooLarge, MissingAttribute, MissingAttributeValue, InvalidAttributeValue
    """
    items: list[Attributes] = []
    limit = limits.worklist_request_steps_max
    for number, sent in enumerate(read_json(body, limits), 1):
        where = f"item {number}, "
        study, procedure = f"2.25.{uuid4().int}", f"R{uuid4().hex[:11].upper()}"
        for one in split(from_json(sent, limits)):
            # Steps of one order have one study and one procedure, and each a number of its own.
            made = {STUDY_UID: study, PROCEDURE_ID: procedure, STEP_ID: f"S{uuid4().hex[:11].upper()}"}
            item = completed(one, made)
            check(item, where=where)
            items.append(item)
            if len(items) > limit:
                raise TooLarge("the number of steps", len(items), limit, "limits.worklist_request_steps_max")
    if not items:
        raise MalformedDataSet("there is no worklist item in the body")
    return items


def one_item(body: bytes, limits: Limits) -> Attributes:
    """A whole item of one step.

    Raises
    ------
    As `several_items`.
    """
    item = from_json(_only(body, limits), limits)
    _check_single(item)
    check(item)
    return item


def patch_in(body: bytes, limits: Limits) -> Attributes:
    """Attributes to replace; None for those to take away."""
    patch = _only(body, limits)
    steps = (patch.get(_STEP) or {}).get("Value") if isinstance(patch.get(_STEP), dict | None) else None
    inner: Attributes = {}
    if steps is not None:
        if not isinstance(steps, list) or len(steps) != 1 or not isinstance(steps[0], dict):
            raise InvalidAttributeValue("ScheduledProcedureStepSequence", "one item")
        inner = steps[0]
    outer = {key: value for key, value in patch.items() if key != _STEP}
    found = _nulls(outer) | from_json({key: value for key, value in outer.items() if value is not None}, limits)
    if inner:
        kept = {key: value for key, value in inner.items() if value is not None}
        found[_STEP] = _nulls(inner) | from_json(kept, limits)
    elif _STEP in patch:
        raise InvalidAttributeValue("ScheduledProcedureStepSequence", "one item")
    return found


def merged(before: Attributes, patch: Attributes, limits: Limits) -> Attributes:
    """The item `before` with what `patch_in` has read; checked."""
    step = _without_none({**items_of(before, STEP)[0], **patch.get(_STEP, {})})
    found = _without_none(before | {key: value for key, value in patch.items() if key != _STEP})
    item = dict(sorted({**found, _STEP: {"vr": "SQ", "Value": [step]}}.items()))
    check(item)
    return item


def _only(body: bytes, limits: Limits) -> Attributes:
    found = list(islice(read_json(body, limits), 2))
    if len(found) != 1:
        raise MalformedDataSet("one worklist item is wanted")
    return found[0]


def _check_single(item: Attributes) -> None:
    if len(items_of(item, STEP)) > 1:
        raise InvalidAttributeValue("ScheduledProcedureStepSequence", "one item")


def _nulls(attributes: Attributes) -> Attributes:
    gone = {key.upper(): None for key, value in attributes.items() if value is None}
    for key in gone:
        if not re.fullmatch(r"[0-9A-F]{8}", key):
            raise MalformedDataSet(f"{key[:40]!r} is no tag of eight hexadecimal digits")
    return gone


def _without_none(attributes: Attributes) -> Attributes:
    return {key: value for key, value in sorted(attributes.items()) if value is not None}
