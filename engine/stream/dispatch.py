"""The one task that asks the scheduler what goes next, for all sessions of a process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable

from engine.stream.grant import Grant
from engine.stream.recipient import Recipient
from engine.stream.scheduler import Scheduler

_TURN = 64  # decisions before others on the event loop have their turn: about a millisecond


class Dispatcher:
    """One event loop. `wake` it after anything was said to a `Recipient`."""

    def __init__(self) -> None:
        self._scheduler = Scheduler()
        self._give: dict[Hashable, Callable[[Grant], None]] = {}
        self._flush: dict[Hashable, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_due = False
        self._before: dict[Callable[[], None], None] = {}  # in the order in which they were said, each once

    def join(
        self,
        session: Hashable,
        give: Callable[[Grant], None],
        in_flight_bytes_max: int,
        held_bytes_max: int | None,
        flush: Callable[[], None] = lambda: None,
    ) -> Recipient:
        """A session: its grants are handed to `give`, one after the other, and `flush` is called behind some. Neither may block."""
        recipient = self._scheduler.join(
            session, in_flight_bytes_max=in_flight_bytes_max, held_bytes_max=held_bytes_max
        )
        self._give[session], self._flush[session] = give, flush
        return recipient

    def leave(self, session: Hashable) -> None:
        """No harm when it is not there."""
        self._scheduler.leave(session)
        self._give.pop(session, None)
        self._flush.pop(session, None)

    def wake(self, before: Callable[[], None] | None = None) -> None:
        """Decide soon, and call `before` first; many calls at once are one."""
        if before is not None:
            self._before[before] = None
        if not self._is_due:
            self._is_due = True
            self._running.call_soon(self._decide)

    def now(self) -> float:
        """The clock of the scheduler's times."""
        return self._running.time()

    @property
    def _running(self) -> asyncio.AbstractEventLoop:
        """Asked for once: it takes a system call each time (CPython 3.11), twice a word."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _decide(self) -> None:
        self._is_due = False
        while self._before:
            call = next(iter(self._before))
            del self._before[call]
            call()
        now, given, is_more = self.now(), dict[Hashable, None](), True
        for _ in range(_TURN):
            grant = self._scheduler.next(now)
            if grant is None:
                is_more = False
                break
            self._give[grant.session](grant)
            given[grant.session] = None
        for session in given:
            self._flush[session]()
        if is_more:
            self.wake()
        else:
            self._sleep()

    def _sleep(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self._scheduler.wakes_at()
        if at is not None:
            self._timer = self._running.call_at(at, self.wake)
