"""An instance that is converted while it is sent: prepared before the first byte of it, given up whatever happens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.stream.transcoding import Outgoing
from engine.web.services import TIMINGS, services


@asynccontextmanager
async def prepared(request: web.Request, record: InstanceRecord, transfer_syntax_uid: str) -> AsyncIterator[Outgoing]:
    """The instance in another transfer syntax, its length known; raises what `Outgoing.prepare` does."""
    s = services(request)
    outgoing = Outgoing(
        s.archive, s.executors, s.settings.limits, s.metrics, record, transfer_syntax_uid, request[TIMINGS]
    )
    try:
        await outgoing.prepare()
        yield outgoing
    finally:
        outgoing.close()
