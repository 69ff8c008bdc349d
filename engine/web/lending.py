"""Connections that are lent to native code while their client asks for stored frames one after the other.

The event loop costs such a request more than the kernel's sending does. A door that has answered one by the short way lends its
connection to the loop's `Courier` (native/src/courier.cpp), which answers what it has a plan for, byte for byte, and gives the
connection back with whatever else it has heard. Nothing is decided here: a plan is an answer that the short way gave, good while
the index is at the same commit, and the passport under which it was given ends as ever. Measured in docs/decisions/0004.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from aiohttp.http import SERVER_SOFTWARE

from engine._native import Courier
from engine.metrics import BUCKETS
from engine.web.load import Load
from engine.web.passport import PASSPORT_S
from engine.web.services import Services

_PLANS_MAX = 2048  # of at most some 3 KB
_TURN_S = 0.0005  # so long the loop's other work waits at most
_PATIENCE_MS = 0.1  # for the next request of somebody who was answered just now


class Borrower(Protocol):
    """Whose connection is lent."""

    @property
    def client(self) -> str:
        """Whom its requests are counted for."""
        ...

    def returned(self, heard: bytes, unsent: bytes, *, is_broken: bool) -> None:
        """It is theirs again.

        Parameters
        ----------
        heard : what came, and was not answered.
        unsent : of an answer, what the socket has not taken.
        is_broken : the rest of an answer cannot be read.
        """
        ...


class Lending:
    """The courier of one event loop; on its thread.

    Attributes
    ----------
    answered : requests that were answered by it.
    """

    def __init__(self, services: Services, load: Load, loop: asyncio.AbstractEventLoop) -> None:
        self._services, self._load, self._loop = services, load, loop
        self._courier = Courier(load.numbers("n"), SERVER_SOFTWARE, _PLANS_MAX, BUCKETS)
        self._lent: dict[int, Borrower] = {}
        self._end: asyncio.TimerHandle | None = None
        # The loop's own descriptor tells when anything else is to be done. A loop without one is not waited for.
        backend = getattr(loop, "_get_backend_id", None)
        self._others: int = -1 if backend is None else backend()
        self._mark = services.archive.commit_mark()
        self.answered = 0
        loop.add_reader(self._courier.fileno(), self._serve)

    def lend(self, borrower: Borrower, socket: int, block: bytes, until: float) -> bool:
        """Whether the courier has the connection now: nobody else may read or write it until `take`, or until it comes back.

        Parameters
        ----------
        block, until : of the passport.
        """
        if self._mark is None or self._load.is_draining or not self._courier.lend(socket, block, until):
            return False
        self._lent[socket] = borrower
        if self._end is None:
            self._end = self._loop.call_later(PASSPORT_S, self._give_back)
        return True

    @property
    def lent(self) -> int:
        """Connections that native code has."""
        return len(self._lent)

    @property
    def plans(self) -> int:
        """Answers that it knows."""
        return self._courier.plans

    def generation(self) -> int:
        """Of the archive: what is read after it is as new, or newer."""
        return 0 if self._mark is None else self._mark.read()

    def take(self, socket: int) -> None:
        """No harm where it is not lent."""
        if self._lent.pop(socket, None) is not None:
            self._courier.take(socket)

    def plan(
        self,
        request: bytes,
        generation: int,
        head: str,
        before: bytes,
        behind: bytes,
        file: int,
        offset: int,
        length: int,
    ) -> None:
        """How `request` was answered while the archive was at `generation`; `head` has all lines but those of the moment."""
        self._courier.plan(request, generation, head, before, behind, file, offset, length)

    def close(self) -> None:
        """The loop ends. Connections that are lent still are closed by who has them."""
        self._loop.remove_reader(self._courier.fileno())
        if self._end is not None:
            self._end.cancel()

    def take_all_of(self, clients: frozenset[str] | None = None) -> None:
        """Give connections back: those of some clients, or all."""
        for socket, borrower in list(self._lent.items()):
            if clients is None or borrower.client in clients:
                self.take(socket)
                borrower.returned(b"", b"", is_broken=False)

    def _serve(self) -> None:
        if self._load.is_draining or self._mark is None:
            self.take_all_of()
            return
        number, seconds, sent, within, returns = self._courier.serve(self._mark, _TURN_S, self._others, _PATIENCE_MS)
        if number:
            self.answered += number
            self._services.metrics.requests("frame", "2xx", number, seconds, sent, within)
        for socket, heard, unsent, is_broken in returns:
            if (borrower := self._lent.pop(socket, None)) is not None:
                borrower.returned(heard, unsent, is_broken=is_broken)

    def _give_back(self) -> None:
        """Once in the life of a passport all come back; who goes on asking is lent again. For nobody no file is kept open."""
        self._end = None
        if self._lent:
            self.take_all_of()
            self._end = self._loop.call_later(PASSPORT_S, self._give_back)
        else:
            self._courier.forget()
