"""What waits to be sent to other archives, and how it goes with each of them (docs/forwarding.md)."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from engine.archive.audit import AuditTrail
from engine.archive.outbox import Outbox
from engine.archive.outbox_records import Entry, Item, PeerSummary
from engine.errors import ArchiveReadOnly, InvalidParameter, OutboxEntryNotFound
from engine.web.client import client_of
from engine.web.services import REQUEST_ID, on, services
from engine.web.stamps import when

_LOG = logging.getLogger(__name__)
_PAGE, _PAGE_MAX = 100, 1000
_ITEMS_MAX = 1000  # failed instances that are listed of one entry
_DIGITS_MAX = 18
_NOT_KEPT = {"Cache-Control": "private, no-store"}
Json = dict[str, Any]


async def view(request: web.Request) -> web.Response:
    """Each peer that something waits for or was sent to, and a page of the entries: instances of one study that go to one peer."""
    s, peer = services(request), request.query.get("peer", "")
    limit = _number(request, "limit", _PAGE, _PAGE_MAX)
    behind = _number(request, "behind", 0, 10**_DIGITS_MAX)

    def read() -> Json:
        outbox = s.archive.outbox.existing()
        if outbox is None:
            return {"peers": [], "entries": [], "more": False}
        entries = outbox.entries(peer, limit + 1, behind)
        called = {one.name for one in s.settings.peers if one.is_reachable}
        peers = [_peer_json(one, one.peer in called) for one in outbox.peers() if peer in ("", one.peer)]
        return {"peers": peers, "entries": [_entry_json(one) for one in entries[:limit]], "more": len(entries) > limit}

    return _answer(await on(request, s.executors.index, "read", read))


async def retrieve_entry(request: web.Request) -> web.Response:
    """One entry, with those of its instances that have failed."""
    s, number = services(request), _entry(request)

    def read() -> Json:
        outbox = s.archive.outbox.existing()
        if outbox is None:
            raise OutboxEntryNotFound(number)
        return _entry_json(outbox.entry(number)) | {
            "instances": [_item_json(one) for one in outbox.failed_items(number, _ITEMS_MAX)]
        }

    return _answer(await on(request, s.executors.index, "read", read))


async def retry_entry(request: web.Request) -> web.Response:
    """Send an entry at once, what was given up or has failed of it too."""
    number = _entry(request)
    return await _change(request, "outbox-retry", lambda outbox: outbox.retry(entry=number), entry=number)


async def cancel_entry(request: web.Request) -> web.Response:
    """Do not send what of an entry has not gone yet."""
    number = _entry(request)
    return await _change(request, "outbox-cancel", lambda outbox: outbox.cancel(entry=number), entry=number)


async def retry_peer(request: web.Request) -> web.Response:
    """Send at once all that waits for a peer, what was given up or has failed too."""
    peer = _known(request)
    return await _change(request, "outbox-retry", lambda outbox: outbox.retry(peer=peer), to=peer)


async def cancel_peer(request: web.Request) -> web.Response:
    """Send nothing of what waits for a peer."""
    peer = _known(request)
    return await _change(request, "outbox-cancel", lambda outbox: outbox.cancel(peer=peer), to=peer)


def gauges(peers: Sequence[PeerSummary]) -> str:
    """How it goes with each peer, as Prometheus reads it."""
    now = time.time_ns()
    rows: dict[str, tuple[str, Callable[[PeerSummary], float]]] = {
        "outbox_waiting": ("instances that wait to be sent", lambda one: one.instances),
        "outbox_given_up": ("entries that are no longer tried by themselves", lambda one: one.given_up),
        "outbox_oldest_seconds": (
            "age of the oldest entry that waits",
            lambda one: (now - one.oldest_ns) / 1e9 if one.oldest_ns else 0,
        ),
        "outbox_peer_failures": ("calls that failed since the last that did not", lambda one: one.state.failures),
    }
    lines: list[str] = []
    for name, (what, value) in rows.items() if peers else ():
        lines += [f"# HELP voxcast_{name} {what}", f"# TYPE voxcast_{name} gauge"]
        lines += [f'voxcast_{name}{{peer="{one.peer}"}} {value(one):.16g}' for one in peers]
    return "".join(line + "\n" for line in lines)


async def _change(
    request: web.Request, action: str, change: Callable[[Outbox], int], **said: str | int
) -> web.Response:
    s, client = services(request), client_of(request)

    def work() -> int:
        outbox = s.archive.outbox.existing()
        if outbox is None:
            if "entry" in said:
                raise OutboxEntryNotFound(int(said["entry"]))
            return 0
        if "entry" in said:
            outbox.entry(int(said["entry"]))
        try:
            AuditTrail(s.archive.path).write(action, client, request[REQUEST_ID], **said)
        except OSError as error:
            raise ArchiveReadOnly(str(s.archive.path), f"the audit trail cannot be written: {error}") from error
        return change(outbox)

    count = await on(request, s.executors.store, "store", work)
    _LOG.info("request %s %s: %d entries", request[REQUEST_ID], action, count)
    return _answer({"entries": count})


def _entry(request: web.Request) -> int:
    text = request.match_info["entry"]
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS_MAX:
        raise InvalidParameter("entry", text[:80], "the number of an entry of the outbox")
    return int(text)


def _known(request: web.Request) -> str:
    """The peer of the address; also one that is no longer in the settings."""
    peer = request.match_info["peer"]
    if len(peer) > 64 or not peer.replace("-", "").replace("_", "").isalnum() or not peer.isascii():
        raise InvalidParameter("peer", peer[:80], "the name of a peer")
    return peer


def _number(request: web.Request, name: str, default: int, high: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS_MAX or (int(text) < 1 and name == "limit"):
        raise InvalidParameter(name, text[:80], f"a number up to {high}")
    return min(int(text), high)


def _peer_json(one: PeerSummary, is_called: bool) -> Json:
    """`is_called`: the settings have it, with a host; for others nothing is tried."""
    state = one.state
    return {
        "peer": one.peer,
        "inSettings": is_called,
        "entries": one.entries,
        "instances": one.instances,
        "givenUp": one.given_up,
        "failedInstances": one.failed_instances,
        "oldest": _when(one.oldest_ns),
        "failures": state.failures,
        "nextCall": _when(state.next_ns),
        "lastError": state.last_error,
        "lastSent": _when(state.last_sent_ns),
        "sent": state.sent,
        "sentBytes": state.sent_bytes,
        "failed": state.failed,
    }


def _entry_json(one: Entry) -> Json:
    return {
        "id": one.id,
        "peer": one.peer,
        "studyInstanceUID": one.study_instance_uid,
        "reason": one.reason,
        "priority": one.priority,
        "state": one.state,
        "created": _when(one.created_ns),
        "next": _when(one.next_ns),
        "attempts": one.attempts,
        "lastError": one.last_error,
        "waiting": one.waiting,
        "sent": one.sent,
        "failed": one.failed,
    }


def _item_json(one: Item) -> Json:
    return {
        "seriesInstanceUID": one.series_instance_uid,
        "sopInstanceUID": one.sop_instance_uid,
        "attempts": one.attempts,
        "error": one.error,
    }


def _when(ns: int) -> str | None:
    return when(ns) if ns else None


def _answer(value: Json) -> web.Response:
    return web.Response(body=json.dumps(value).encode(), content_type="application/json", headers=_NOT_KEPT)
