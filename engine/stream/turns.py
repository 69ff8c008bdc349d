"""Bodies asked for by their address take turns in the scheduler, with each other and with sessions of the stream (RFC 9218).

A client here is an address, whatever connections it has: its bodies are the orders of one session, so a more urgent one goes
first on whichever connection it was asked for. What a socket took counts as acknowledged.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial

from engine.limits import KIB
from engine.stream.demand import Order
from engine.stream.dispatch import Dispatcher
from engine.stream.grant import Grant
from engine.stream.recipient import Recipient

URGENCY, URGENCY_FIRST = 3, 0  # RFC 9218 4.1
# Granted and not yet taken by the sockets of one client, which TCP then carries by itself: a late one cannot overtake more.
_IN_FLIGHT_BYTES_MAX = 256 * KIB
_REMEMBERED_MAX = 256  # clients that want nothing now: what was measured of their lines
_PATIENCE_S = 20.0  # a body that got nothing for so long is taken for urgent: the others would not leave it anything
_DEADLINE_S = 60.0


class Turns:
    """One event loop."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self._busy: dict[str, int] = {}
        self._keys = itertools.count()
        self.began: Callable[[str], None] = lambda client: None  # a client with no body under way has one now

    def is_busy(self, client: str) -> bool:
        """Whether bodies of this client are under way in turns: then the next ones are to be, too."""
        return client in self._busy

    def begin(self, client: str, size: int, urgency: int = URGENCY, *, is_incremental: bool = False) -> Turn:
        """The turns of one body of `size` bytes, at least 1; `close` it whatever happens."""
        of = self._clients.get(client)
        if of is None:
            of = self._clients[client] = _Client(self._dispatcher)
        self._clients.move_to_end(client)
        if client not in self._busy:
            self.began(client)
        self._busy[client] = self._busy.get(client, 0) + 1
        order = Order(key=next(self._keys), end=size, urgency=urgency, is_incremental=is_incremental)
        return Turn(of, order, partial(self._ended, client))

    def _ended(self, client: str) -> None:
        self._busy[client] -= 1
        if not self._busy[client]:
            del self._busy[client]
        idle = (name for name in self._clients if name not in self._busy)
        while len(self._clients) - len(self._busy) > _REMEMBERED_MAX:
            self._clients.pop(next(idle)).leave()
            idle = (name for name in self._clients if name not in self._busy)


class _Client:
    """A session of the scheduler that has nothing but orders."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher, self._taken = dispatcher, 0
        self._turns: dict[Hashable, Turn] = {}
        self._recipient: Recipient = dispatcher.join(self, self._give, _IN_FLIGHT_BYTES_MAX, None)

    def order(self, order: Order, turn: Turn) -> None:
        self._turns[order.key] = turn
        self._recipient.order(order)
        self._dispatcher.wake()

    def took(self, size: int) -> None:
        """The socket took so many bytes of what was granted, or they are not going to be sent."""
        if size:
            self._taken += size
            self._recipient.acknowledge(self._taken, self._dispatcher.now())
            self._dispatcher.wake()

    def cancel(self, key: Hashable) -> None:
        if self._turns.pop(key, None) is not None:
            self._recipient.cancel(key)

    def leave(self) -> None:
        self._dispatcher.leave(self)

    def _give(self, grant: Grant) -> None:
        turn = self._turns.get(grant.series)
        assert turn is not None, "an order that was cancelled is granted nothing"
        turn.granted(grant.size)


class Turn:
    """How much of one body may go now. One task calls `wait` and `took`, over and over, then `close`."""

    def __init__(self, client: _Client, order: Order, ended: partial[None]) -> None:
        self._client, self._order, self._ended = client, order, ended
        self._granted = 0  # of the body, from its first byte on
        self._open = 0  # granted, and not taken by the socket
        self._owed = 0  # of these, what the scheduler takes to be on its way
        self._has_some = asyncio.Event()
        self._is_aside = self._is_over = False
        client.order(order, self)

    async def wait(self) -> int:
        """Bytes that may go now, at least 1.

        Raises
        ------
        TimeoutError : for a minute none might.
        """
        if not self._open:
            if self._is_aside:
                self._is_aside = False
                self._again(self._order.urgency)
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await self._has_some.wait()
            except TimeoutError:
                self._again(URGENCY_FIRST)
                async with asyncio.timeout(_DEADLINE_S - _PATIENCE_S):
                    await self._has_some.wait()
        return self._open

    def took(self, size: int) -> None:
        """The socket took them; no more than `wait` gave."""
        self._open -= size
        if not self._open:
            self._has_some.clear()
        owed = min(size, self._owed)
        self._owed -= owed
        self._client.took(owed)

    def stand_aside(self) -> None:
        """The socket takes nothing: others need not wait for it. It comes back with the next `wait`."""
        self._is_aside = True
        self._client.cancel(self._order.key)
        self._client.took(self._owed)
        self._owed = 0

    def close(self) -> None:
        """No more of it. No harm a second time."""
        if not self._is_over:
            self._is_over = True
            self.stand_aside()
            self._ended()

    def granted(self, size: int) -> None:
        """From the scheduler."""
        self._granted += size
        self._open += size
        self._owed += size
        self._has_some.set()

    def _again(self, urgency: int) -> None:
        old = self._order
        self._order = Order(
            key=old.key, first=self._granted, end=old.end, urgency=urgency, is_incremental=old.is_incremental
        )
        self._client.order(self._order, self)
