"""Whether the process lives, whether the server can do its work, and what it has done so far."""

from __future__ import annotations

import json

from aiohttp import web

from engine.errors import ArchiveFault
from engine.web.load import LOAD
from engine.web.outbox import gauges
from engine.web.services import on, services


async def alive(request: web.Request) -> web.Response:
    """The process answers."""
    return web.Response(text="ok\n")


async def ready(request: web.Request) -> web.Response:
    """200 when the archive can be written and every port that the settings name is open; 503 says what is not."""
    s = services(request)
    archive, is_stopping = s.archive, request.app[LOAD].is_draining

    def check() -> list[str]:
        missing = ["the server stops"] if is_stopping else []
        missing += [] if archive.is_writable else ["the archive takes no writes"]
        if archive.path is not None:
            state_file = archive.path / "run" / "state.json"
            state = json.loads(state_file.read_text()) if state_file.exists() else {}
            missing += [
                f"the {name} port is not open" for name in ("http", "dicom", "dicom_tls") if state.get(name) == "closed"
            ]
        return missing

    missing = await on(request, s.executors.read, "read", check)
    return web.Response(text="ready\n" if not missing else "; ".join(missing) + "\n", status=503 if missing else 200)


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text, of all processes of this server together."""
    s = services(request)

    def read() -> str:
        try:
            outbox = s.archive.outbox.existing()
            return s.metrics.text() + ("" if outbox is None else gauges(outbox.peers()))
        except ArchiveFault:  # /api/outbox says what is wrong with it
            return s.metrics.text()

    text = await on(request, s.executors.read, "read", read)
    return web.Response(body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
