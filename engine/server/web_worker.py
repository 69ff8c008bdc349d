"""One web process: an event loop on an inherited socket, and the rooms that its handlers use."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import threading

import uvloop
from aiohttp import web

from engine.archive.archive import Archive
from engine.archive.documents import SeriesDocuments
from engine.executors import Executors
from engine.ingest.accept import Acceptor
from engine.metrics import Metrics
from engine.server import processor
from engine.server.child import Job, archive_path, ready, run
from engine.settings import Settings
from engine.stream.frames import FrameService
from engine.web.app import build, runner
from engine.web.app import stop as stop_serving
from engine.web.load import LOAD
from engine.web.services import Services
from engine.web.stream import STREAMS

_COUNT_EVERY_S = 1.0


def main(job: Job, settings: Settings, stop: threading.Event) -> None:
    processor.for_readers()
    path = archive_path(settings)
    archive = Archive.open(path, settings.limits, on_conflict=settings.on_conflict)
    executors = Executors(os.cpu_count() or 1)
    metrics = Metrics(path / "run" / f"{os.getpid()}.counters", [peer.name for peer in settings.peers])
    acceptor = Acceptor(archive, settings.limits)
    services = Services(
        settings=settings,
        archive=archive,
        acceptor=acceptor,
        documents=SeriesDocuments(archive, settings.public_url),
        frames=FrameService(archive, executors, settings.limits, metrics),
        executors=executors,
        metrics=metrics,
    )
    try:
        uvloop.run(_serve(services, socket.socket(fileno=job.listener), stop))
    finally:
        acceptor.close()  # what is queued becomes durable; nobody was told yes yet
        archive.close()


async def _serve(services: Services, listener: socket.socket, stop: threading.Event) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if stop.is_set():
        return
    app = build(services)
    server = runner(app, services)
    await server.setup()
    await web.SockSite(server, listener, backlog=1024).start()
    counting = asyncio.create_task(_count(services, app))
    settle()
    ready()
    await ended.wait()
    counting.cancel()
    await stop_serving(server, app)


def settle() -> None:
    """What is here after the start stays: a full collection of garbage need not look at it.

    Of the 130 000 objects it would take 35 to 80 ms, for which nothing is answered; 101 rows for OHIF were 5 ms in the median and
    58 at the worst. Only while nobody is served: what is frozen with a session, and is garbage behind it, stays for ever.
    """
    gc.collect()
    gc.freeze()


async def _count(services: Services, app: web.Application) -> None:
    """Carry the archive's own counts of work into the metrics; settle again when kernels and decoders have been loaded."""
    commits = syncs = 0
    has_settled = False
    while True:
        await asyncio.sleep(_COUNT_EVERY_S)
        archive = services.archive
        services.metrics.add("index_commits", archive.commits - commits)
        services.metrics.add("fdatasyncs", archive.syncs - syncs)
        commits, syncs = archive.commits, archive.syncs
        if not has_settled and services.frames.is_warm and app[LOAD].is_idle and app[STREAMS].is_empty:
            settle()
            has_settled = True


if __name__ == "__main__":
    run(main)
