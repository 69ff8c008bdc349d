"""What goes next, for all sessions of a process: one place for the WebSocket, byte ranges, plain frames and drawn pictures.

A door that serves a client does this (docs/stream.md has the whole):

1. `join` gives it a `Recipient`; it tells it what the client says: `offer` a series, `look` from a viewport, `order` a body,
   `acknowledge` what arrived.
2. One task of the process calls `next` until it gives None, and hands each grant to the door of its session, which sends those
   bytes at once: they count as sent, and the order in which they were granted is the order on the wire.
3. When `next` gave None, it waits until any door was spoken to, or until `wakes_at`.
4. `leave` when the client is gone.

Pure and deterministic: no socket, no clock, no randomness. Time is an argument, in seconds of any clock that never goes back;
the same calls with the same times give the same grants. Not for several threads.

What is promised, and held by `tests/property/test_scheduler.py`: no byte is granted twice unless the client forgot it, or was
made to; a viewport at rest gets all of its series, exactly, if there is room; while anything is wanted and there is credit,
something is granted; no more is under way than the limit; two sessions that both want something get bytes by their weights, but
for one chunk each, and so no session starves; what a viewport says counts from the next decision on.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from functools import partial

from engine.stream.fairness import FairQueue
from engine.stream.grant import Grant
from engine.stream.recipient import Recipient

IN_FLIGHT_BYTES_MAX = 8 * 1024 * 1024  # 1 Gbit/s with a round trip of 60 ms


class Scheduler:
    """All sessions of one process. A decision takes some microseconds, whatever the length of the series."""

    def __init__(self) -> None:
        self._recipients: dict[Hashable, Recipient] = {}
        self._turns = FairQueue()
        self._alarms: list[tuple[float, int, Hashable]] = []
        self._alarmed: dict[Hashable, float] = {}
        self._serial = 0

    def join(
        self,
        session: Hashable,
        *,
        weight: float = 1.0,
        in_flight_bytes_max: int = IN_FLIGHT_BYTES_MAX,
        held_bytes_max: int | None = None,
    ) -> Recipient:
        """A new session.

        Parameters
        ----------
        session : its name; not one that is there.
        weight : its share of the bytes beside other sessions that want some; above 0.
        in_flight_bytes_max : bytes sent and not acknowledged, at most; 96 KiB at least.
        held_bytes_max : what the client has room for. What lies farthest from its viewports is dropped to stay within it
            (`Grant.drops`); None for a client that drops nothing, or says what by `Recipient.forget`.

        Raises
        ------
        ValueError : it is there already, or a number is out of range.
        """
        if session in self._recipients:
            raise ValueError("the session is there already")
        self._turns.add(session, weight)
        wake, charge = partial(self._turns.wake, session), partial(self._turns.charge, session)
        recipient = Recipient(session, wake, charge, in_flight_bytes_max, held_bytes_max)
        self._recipients[session] = recipient
        return recipient

    def leave(self, session: Hashable) -> None:
        """The session is over; its `Recipient` is not used any more. No harm when it is not there."""
        if self._recipients.pop(session, None) is not None:
            self._turns.remove(session)
            self._alarmed.pop(session, None)

    def next(self, now: float) -> Grant | None:
        """The next bytes to send, which count as sent; None when nobody who has credit wants any."""
        while self._alarms and self._alarms[0][0] <= now:
            at, _, session = heapq.heappop(self._alarms)
            if self._alarmed.get(session) == at:
                del self._alarmed[session]
                self._recipients[session].wake()
        while (session := self._turns.first()) is not None:
            recipient = self._recipients[session]
            grant = recipient.next(now)
            if grant is not None:
                self._turns.charge(session, grant.size)
                return grant
            self._turns.sleep(session)
            self._alarm(recipient, now)
        return None

    def wakes_at(self) -> float | None:
        """When `next` may give something though nobody says anything: a viewport will be taken to rest then. None for never."""
        return self._alarms[0][0] if self._alarms else None

    def _alarm(self, recipient: Recipient, now: float) -> None:
        at, session = recipient.rests_at(now), recipient.key
        if at is None or self._alarmed.get(session, float("inf")) <= at:
            return
        self._alarmed[session] = at
        heapq.heappush(self._alarms, (at, self._serial, session))
        self._serial += 1
