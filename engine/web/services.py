"""What every handler may use, and what belongs to one request."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from engine.archive.archive import Archive
from engine.archive.documents import SeriesDocuments
from engine.executors import Executors
from engine.ingest.accept import Acceptor
from engine.metrics import Metrics
from engine.settings import Settings
from engine.stream.frames import FrameService
from engine.stream.turns import Turns
from engine.stream.work import on_pool
from engine.types import Timings

T = TypeVar("T")

TIMINGS: web.RequestKey[Timings] = web.RequestKey("timings", Timings)
START: web.RequestKey[float] = web.RequestKey("start", float)  # perf_counter when the request came
BEGUN: web.RequestKey[bool] = web.RequestKey("begun", bool)  # status and headers have been sent
CONTINUED: web.RequestKey[bool] = web.RequestKey("continued", bool)  # the client may send its body
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)


@dataclass(frozen=True, slots=True)
class Services:
    """One worker's rooms, opened once."""

    settings: Settings
    archive: Archive
    acceptor: Acceptor
    documents: SeriesDocuments
    frames: FrameService
    executors: Executors
    metrics: Metrics


TURNS: web.AppKey[Turns] = web.AppKey("turns", Turns)
SERVICES: web.AppKey[Services] = web.AppKey("services", Services)


def services(request: web.Request) -> Services:
    return request.app[SERVICES]


async def on(request: web.Request, pool: Executor, step: str, work: Callable[[], T]) -> T:
    """Blocking work of this request; see `stream.work.on_pool`."""
    return await on_pool(pool, step, request[TIMINGS], work)
