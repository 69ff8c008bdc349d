"""A web front end inside the test's own process, so that a test may look at the work behind its answers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from engine.archive.archive import Archive
from engine.archive.documents import SeriesDocuments
from engine.executors import Executors
from engine.ingest.accept import Acceptor
from engine.limits import Limits
from engine.metrics import Metrics
from engine.settings import Settings
from engine.stream.frames import FrameService
from engine.stream.turns import Turns
from engine.web.app import build, runner
from engine.web.door import Door, DoorRunner, Doors
from engine.web.lending import Lending
from engine.web.load import LOAD, Load
from engine.web.services import TURNS, Services


class InProcess:
    """``with InProcess(folder) as server``: an event loop on a thread, a loopback port, and the rooms behind it."""

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        settings = Settings(limits=limits or Limits())
        self.archive = Archive.open(path, settings.limits, on_conflict="replace")
        self.acceptor = Acceptor(self.archive, settings.limits)
        executors = Executors(2)
        metrics = Metrics()
        self.services = Services(
            settings=settings,
            archive=self.archive,
            acceptor=self.acceptor,
            documents=SeriesDocuments(self.archive),
            frames=FrameService(self.archive, executors, settings.limits, metrics),
            executors=executors,
            metrics=metrics,
        )
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._started, self._ended = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> InProcess:
        self._thread.start()
        assert self._started.wait(20)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(20)
        self.acceptor.close()
        self.archive.close()

    async def _serve(self) -> None:
        from aiohttp import web

        self._loop = asyncio.get_running_loop()
        self._runner: DoorRunner = runner(build(self.services), self.services)
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()
        self._started.set()
        await self._ended.wait()
        await self._runner.cleanup()

    def doors(self) -> list[Door]:
        """The connections that are open."""
        assert self._runner.server is not None
        return [one for one in self._runner.server.connections if isinstance(one, Door)]

    def lending(self) -> Lending:
        """Who answers past Python."""
        server = self._runner.server
        assert isinstance(server, Doors)
        return server.lending

    def turns(self) -> Turns:
        """Of bodies under way."""
        assert self._runner.app is not None
        return self._runner.app[TURNS]

    def load(self) -> Load:
        """What is under way."""
        assert self._runner.app is not None
        return self._runner.app[LOAD]

    def drain(self) -> concurrent.futures.Future[None]:
        """Begin to stop as a server does."""
        return asyncio.run_coroutine_threadsafe(self.load().drain(10), self._loop)

    def call(self, what: Callable[[], None]) -> None:
        """On the loop's thread; waits until it is done."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (what(), done.set()))
        assert done.wait(10)
