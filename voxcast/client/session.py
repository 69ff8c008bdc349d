"""A session of ``voxcast.stream.v1`` that outlives its connections: what was open, looked at and held is said again on the next."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from voxcast.client.connection import Connection
from voxcast.client.errors import ClosedError, ConnectionLost, ProtocolError, SeriesError, StreamError
from voxcast.client.records import Kind, Record
from voxcast.client.series import Series
from voxcast.client.table import SeriesTable

_RETRY_FIRST_S, _RETRY_MOST_S = 0.25, 10.0
_REFUSED = range(400, 500)
_LATER = (408, 425, 429)


class Viewport:
    """A place where frames are looked at. Made by `Session.viewport`."""

    def __init__(self, session: Session, number: int) -> None:
        self._session, self._number = session, number

    def look(self, series: Series, position: int = 0, **demand: Any) -> None:
        """Say what is shown now: at every move, and when the hand comes to rest. Words that were not sent yet are replaced.

        Parameters
        ----------
        position : 0-based.
        demand : the other members of the word ``look`` in docs/stream.md: ``width height velocity direction quality spread reach
            loop weight picture``.

        Raises
        ------
        ClosedError : the series or the session was closed.
        """
        self._session.look(self._number, series, {"position": position, **demand})

    def close(self) -> None:
        """It is gone; no harm when it was."""
        self._session.leave(self._number)


class Session:
    """Made by `connect`; one event loop.

    Parameters
    ----------
    url : such as ``http://127.0.0.1:8080/stream``.
    memory : bytes that there is room for, 1 MiB at least: the server has far frames dropped for near ones. None: all is kept.
    give_up_s : without a connection for so long, the session ends with `ConnectionLost`.
    options : for `aiohttp.ClientSession.ws_connect`, such as ``headers`` or ``ssl``.

    Attributes
    ----------
    connections : how many there were.
    """

    def __init__(
        self, http: aiohttp.ClientSession, url: str, *, memory: int | None, give_up_s: float, options: dict[str, Any]
    ) -> None:
        self._http, self._url, self._memory, self._give_up_s = http, url, memory, give_up_s
        self._options = options
        self._series: dict[int, Series] = {}
        self._looks: dict[int, tuple[Series, dict[str, Any]]] = {}
        self._numbers = 0
        self._line: Connection | None = None  # once it was welcomed
        self._end: StreamError | None = None
        self.connections = 0

    def open(self, study_instance_uid: str, series_instance_uid: str) -> Series:
        """A series, under a number of its own; may be opened twice.

        Raises
        ------
        ClosedError, ConnectionLost, ProtocolError : the session is over.
        """
        if self._end is not None:
            raise self._end
        self._numbers += 1
        series = Series(self._numbers, study_instance_uid, series_instance_uid, self)
        self._series[series.number] = series
        self._say(("open", series.number), series.word())
        return series

    def viewport(self) -> Viewport:
        """A new place to look from."""
        self._numbers += 1
        return Viewport(self, self._numbers)

    @property
    def byte_count(self) -> int:
        """Bytes held of all series."""
        return sum(series.byte_count for series in self._series.values())

    # what viewports and series ask for

    def look(self, viewport: int, series: Series, demand: dict[str, Any]) -> None:
        """See `Viewport.look`."""
        if self._series.get(series.number) is not series:
            raise self._end or ClosedError("the series was closed")
        self._looks[viewport] = series, demand
        self._say_look(viewport)

    def leave(self, viewport: int) -> None:
        """See `Viewport.close`."""
        if self._looks.pop(viewport, None) is not None:
            self._say(("look", viewport), {"type": "close", "viewport": viewport})

    def forget(self, series: Series, kept: dict[int, int]) -> None:
        """See `Series.forget`."""
        key = "forget", series.number
        waiting = None if self._line is None else self._line.waiting(key)
        frames = {} if waiting is None else dict(waiting["frames"])
        for position, keep in kept.items():
            frames[position] = min(keep, frames.get(position, keep))
        self._say(key, {"type": "forget", "series": series.number, "frames": [list(pair) for pair in frames.items()]})

    def reopen(self, series: Series) -> None:
        """Say it again, with what is held, and what looks at it."""
        self._say(("open", series.number), series.word())
        for viewport, (looked_at, _) in self._looks.items():
            if looked_at is series:
                self._say_look(viewport)

    def shut(self, series: Series) -> None:
        """See `Series.close`."""
        self._series.pop(series.number, None)
        for viewport in [v for v, (looked_at, _) in self._looks.items() if looked_at is series]:
            self.leave(viewport)
        self._say(("open", series.number), {"type": "close", "series": series.number})

    # the connection

    async def run(self) -> None:
        """Connect, and again when a connection is lost; ends when the session does, never by an error."""
        loop = asyncio.get_running_loop()
        alone_since, tries = loop.time(), 0
        while True:
            line = Connection(self._heard, self._took)
            line.say("hello", {"type": "hello"} if self._memory is None else {"type": "hello", "memory": self._memory})
            reason = "the connection was lost"
            try:
                await line.run(self._http, self._url, **self._options)
            except ProtocolError as error:
                self.over(error)
                return
            except aiohttp.WSServerHandshakeError as error:
                if error.status in _REFUSED and error.status not in _LATER:
                    self.over(ProtocolError(f"the server refuses: {error.status} {error.message}"))
                    return
                reason = f"{error.status} {error.message}"
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                reason = str(error) or type(error).__name__
            if self._line is line:
                self._line, alone_since, tries = None, loop.time(), 0
            # Not all clients of a server that comes back in the same moment.
            pause = min(_RETRY_FIRST_S * 2**tries, _RETRY_MOST_S) * random.uniform(0.5, 1.0) if tries else 0.0
            tries += 1
            if loop.time() + pause - alone_since > self._give_up_s:
                self.over(ConnectionLost(f"{self._url}: {reason}"))
                return
            await asyncio.sleep(pause)

    def over(self, reason: StreamError) -> None:
        """The end of it: nothing is said or heard any more."""
        if self._end is None:
            self._end, self._line = reason, None
            for series in self._series.values():
                series.ended(reason)
            self._series.clear()
            self._looks.clear()

    def _say(self, key: object, word: dict[str, Any]) -> None:
        if self._line is not None:
            self._line.say(key, word)  # otherwise all is said at the welcome

    def _say_look(self, viewport: int, **changed: Any) -> None:
        series, demand = self._looks[viewport]
        self._say(
            ("look", viewport), {"type": "look", "viewport": viewport, "series": series.number, **demand, **changed}
        )

    def _heard(self, line: Connection, word: dict[str, Any]) -> None:
        number = word.get("series")
        series = self._series.get(number) if isinstance(number, int) else None
        match word.get("type"):
            case "welcome":
                self._line = line
                self.connections += 1
                for one in self._series.values():
                    one.renewed()
                    self._say(("open", one.number), one.word())
                for viewport in self._looks:
                    # What moved when the line was lost rests by now, for all that the server can know.
                    self._say_look(viewport, velocity=0)
            case "error" if series is not None:
                error = SeriesError(str(word.get("error")), str(word.get("detail")), word.get("position"))
                if error.position is None:
                    self._series.pop(series.number, None)
                series.failed(error)
            case "ready" if series is not None and not series.is_whole:
                self.reopen(series)  # finer steps of what is still to come

    def _took(self, record: Record) -> None:
        series = self._series.get(record.series)
        if series is None:
            return  # it was closed while they were on their way
        if record.kind == Kind.SERIES:
            series.told(SeriesTable.parse(record.payload), bool(record.detail))
        else:
            series.took(record)


def _noted(session: Session, task: asyncio.Task[None]) -> None:
    """A mistake of this client must not leave its user waiting."""
    if not task.cancelled() and (error := task.exception()) is not None:
        session.over(ProtocolError(f"the client failed: {error!r}"))


@contextlib.asynccontextmanager
async def connect(
    url: str, *, memory: int | None = None, give_up_s: float = 60.0, **options: Any
) -> AsyncIterator[Session]:
    """A session for as long as the block runs; see `Session` for the parameters. It is closed, and its task ended, behind it."""
    async with aiohttp.ClientSession() as http:
        session = Session(http, url, memory=memory, give_up_s=give_up_s, options=options)
        running = asyncio.create_task(session.run())
        running.add_done_callback(lambda task: _noted(session, task))
        try:
            yield session
        finally:
            session.over(ClosedError("the session was closed"))
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
