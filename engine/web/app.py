"""The application: the table of routes, the one middleware, the headers of every answer."""

from __future__ import annotations

from aiohttp import web

from engine.stream.presented import PresentedService
from engine.stream.video_files import VideoFiles
from engine.web.capabilities import DESCRIBING, Describing, as_json, kept
from engine.web.door import DoorRunner
from engine.web.envelope import envelope, stamp
from engine.web.load import LOAD, Load
from engine.web.ohif import BUILD, ohif_build
from engine.web.openapi import document
from engine.web.pictures import PRESENTED
from engine.web.request_body import defer
from engine.web.routes import OPTIONS, ROUTES, allowed
from engine.web.services import SERVICES, TURNS, Services
from engine.web.stream import STREAMS, Streams
from engine.web.videos import VIDEO_FILES
from engine.web.wadl import wadl
from engine.web.watch import WATCH, Watch

# aiohttp counts this from the opening of a connection, and from its last answer, to the end of the next request's headers:
# the deadline for a sender of headers that never end, too.
KEEPALIVE_S = 75.0
# The supervisor ends what has not ended after 10 s: what is under way gets most of it, then the rest is cut.
_DRAIN_S = 8.0
_CUT_AFTER_S = 0.5


def build(services: Services) -> web.Application:
    """One worker's application; `services` must outlive it."""
    # Bodies are read piece by piece by the handlers that take one; nothing calls `request.read`.
    app = web.Application(middlewares=[envelope], client_max_size=1)
    app[SERVICES] = services
    app[LOAD] = Load(services.settings.limits)
    app[PRESENTED] = PresentedService(services.archive, services.frames, services.executors, services.settings.limits)
    app[VIDEO_FILES] = VideoFiles(services.archive, services.executors, services.settings.limits)
    app[BUILD] = ohif_build(services.settings.ohif, services.settings.public_url)
    app[WATCH] = Watch(
        lambda: services.archive.feed().last, services.executors.read, services.settings.limits.waiting_clients_max
    )
    app[STREAMS] = Streams(services)
    app[TURNS] = app[STREAMS].turns
    app[DESCRIBING] = Describing(
        kept(lambda root, below: as_json(document(ROUTES, root, below))),
        kept(lambda root, below: wadl(ROUTES, root, below)),
        allowed,
    )
    for route in (*ROUTES, *OPTIONS):
        if route.method == "GET":
            app.router.add_get(route.path, route.handler, expect_handler=defer)
        else:
            app.router.add_route(route.method, route.path, route.handler, expect_handler=defer)
    app.on_response_prepare.append(stamp)
    return app


def runner(app: web.Application, services: Services) -> DoorRunner:
    """How it runs: a client that goes away cancels its handler (invariant 7)."""
    line_max = services.settings.limits.request_header_bytes_max
    return DoorRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=KEEPALIVE_S,
        max_line_size=line_max,
        max_field_size=line_max,
        shutdown_timeout=_CUT_AFTER_S,
        read_bufsize=256 * 1024,
        auto_decompress=False,  # unpacking is work: not on the event loop
    )


async def stop(server: web.AppRunner, app: web.Application) -> None:
    """Take no more connections, finish what is under way, then close the others.

    aiohttp's own cleanup drops what still comes in for a request that it waits for: an upload would never end. So it is
    called when nothing is under way any more.
    """
    for site in list(server.sites):
        await site.stop()
    app[WATCH].close()
    await app[STREAMS].close()
    await app[LOAD].drain(_DRAIN_S)
    await server.cleanup()
