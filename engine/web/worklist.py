"""The worklist over HTTP: steps are planned, changed and withdrawn here, and how far each has come is seen (docs/worklist.md)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web

from engine.archive.archive import Archive
from engine.archive.audit import AuditTrail
from engine.archive.worklist.progress import progress, stored_series
from engine.archive.worklist.records import PerformedStep, ScheduledStep
from engine.dicom.scheduled_step import identity_of
from engine.errors import ArchiveReadOnly
from engine.web.client import client_of
from engine.web.services import REQUEST_ID, on, services
from engine.web.stamps import when
from engine.web.worklist_body import merged, one_item, patch_in, received, several_items
from engine.web.worklist_query import page_of, parse_query

_LOG = logging.getLogger(__name__)
_MISSING_SHOWN_MAX = 1000  # UIDs of one series; the numbers are always whole
_NOT_KEPT = {"Cache-Control": "private, no-store"}
Json = dict[str, Any]


async def search_for_steps(request: web.Request) -> web.Response:
    """Scheduled procedure steps that match every key, in the order in which they are due."""
    s, query = services(request), parse_query(request.query)
    page = await on(request, s.executors.index, "read", lambda: s.archive.worklist.find(query))
    return _answer({"steps": [_step_json(step) for step in page.steps], "more": page.has_more})


async def retrieve_step(request: web.Request) -> web.Response:
    """One step, what was performed of it, and which of its instances are stored and which are missing."""
    s, step_id = services(request), request.match_info["step"]

    def read() -> Json:
        step = s.archive.worklist.get(step_id)
        performed = s.archive.worklist.performed_of(step_id)
        return _step_json(step) | {
            "performed": [_performed_json(s.archive, one) for one in performed],
            "series": [
                {
                    "seriesInstanceUID": one.series_instance_uid,
                    "modality": one.modality,
                    "instances": one.instance_count,
                    "isOfStep": one.is_of_step,
                }
                for one in stored_series(s.archive, step)
            ],
        }

    return _answer(await on(request, s.executors.index, "read", read))


async def schedule(request: web.Request) -> web.Response:
    """Steps are taken up: one worklist item or an array of them, all or none.

    An item with several items in Scheduled Procedure Step Sequence is as many steps. Study Instance UID, Requested Procedure ID
    and Scheduled Procedure Step ID are made where they are missing.
    """
    s, body = services(request), await received(request)

    def work() -> list[ScheduledStep]:
        items = several_items(body, s.settings.limits)
        _note(request, s.archive, "worklist-create", *map(identity_of, items))
        return s.archive.worklist.schedule(items, "api")

    steps = await on(request, s.executors.store, "store", work)
    headers = {"Location": f"/api/worklist/{steps[0].step_id}"} if len(steps) == 1 else {}
    return _answer({"steps": [_step_json(step) for step in steps], "more": False}, 201, headers)


async def replace_step(request: web.Request) -> web.Response:
    """Another worklist item in the place of a step, of the same Study Instance UID and Scheduled Procedure Step ID."""
    s, body = services(request), await received(request)

    def read() -> Callable[[Json], Json]:
        item = one_item(body, s.settings.limits)
        return lambda before: item

    return await _changed(request, read)


async def change_step(request: web.Request) -> web.Response:
    """Only these attributes are replaced, in Scheduled Procedure Step Sequence one by one, too; ``null`` takes one away."""
    s, body = services(request), await received(request)

    def read() -> Callable[[Json], Json]:
        patch = patch_in(body, s.settings.limits)
        return lambda before: merged(before, patch, s.settings.limits)

    return await _changed(request, read)


async def remove_step(request: web.Request) -> web.Response:
    """A step is withdrawn; what was performed of it stays. One in progress cannot be."""
    s, step_id = services(request), request.match_info["step"]

    def work() -> None:
        s.archive.worklist.get(step_id)
        _note(request, s.archive, "worklist-delete", step_id)
        s.archive.worklist.remove(step_id)

    await on(request, s.executors.store, "store", work)
    return _answer({"deleted": 1})


async def list_performed(request: web.Request) -> web.Response:
    """Performed procedure steps, scheduled or not, the newest first."""
    s, (limit, offset) = services(request), page_of(request.query)

    def read() -> tuple[list[Json], bool]:
        found = s.archive.worklist.newest_performed(limit + 1, offset)
        return [_performed_json(s.archive, one) for one in found[:limit]], len(found) > limit

    found, has_more = await on(request, s.executors.index, "read", read)
    return _answer({"performed": found, "more": has_more})


async def retrieve_performed(request: web.Request) -> web.Response:
    """One performed procedure step as the modality has reported it, and which of its instances are stored."""
    s, uid = services(request), request.match_info["instance"]

    def read() -> Json:
        found = s.archive.worklist.performed(uid)
        return _performed_json(s.archive, found) | {"attributes": found.attributes}

    return _answer(await on(request, s.executors.index, "read", read))


async def _changed(request: web.Request, read: Callable[[], Callable[[Json], Json]]) -> web.Response:
    s, step_id = services(request), request.match_info["step"]

    def work() -> ScheduledStep:
        make = read()
        s.archive.worklist.get(step_id)
        _note(request, s.archive, "worklist-change", step_id)
        return s.archive.worklist.change(step_id, make)

    return _answer(_step_json(await on(request, s.executors.store, "store", work)))


def _note(request: web.Request, archive: Archive, action: str, *step_ids: str) -> None:
    """A line in the audit trail, before it is done: what changed without one could not be accounted for."""
    client, request_id = client_of(request), request[REQUEST_ID]
    try:
        AuditTrail(archive.path).write(action, client, request_id, steps=" ".join(step_ids), count=len(step_ids))
    except OSError as error:
        raise ArchiveReadOnly(str(archive.path), f"the audit trail cannot be written: {error}") from error
    _LOG.info("request %s: %s of %d steps", request_id, action, len(step_ids))


def _step_json(step: ScheduledStep) -> Json:
    return {
        "id": step.step_id,
        "state": step.state,
        "created": when(step.created_ns),
        "changed": when(step.changed_ns),
        "origin": step.origin,
        "attributes": step.attributes,
    }


def _performed_json(archive: Archive, step: PerformedStep) -> Json:
    return {
        "sopInstanceUID": step.sop_instance_uid,
        "state": step.state,
        "created": when(step.created_ns),
        "changed": when(step.changed_ns),
        "peer": step.peer,
        "steps": list(step.scheduled),
        "series": [
            {
                "seriesInstanceUID": one.made.series_instance_uid,
                "protocolName": one.made.protocol_name,
                "instances": len(one.made.sop_instance_uids),
                "stored": one.stored_count,
                "missing": list(one.missing[:_MISSING_SHOWN_MAX]),
            }
            for one in progress(archive, step)
        ],
    }


def _answer(content: Json, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=json.dumps(content, ensure_ascii=False).encode("utf_8", "replace"),
        status=status,
        content_type="application/json",
        headers=_NOT_KEPT | (headers or {}),
    )
