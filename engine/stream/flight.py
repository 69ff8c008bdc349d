"""Equal work once: all who ask for the same thing at the same time wait for one doing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """One doing. Whoever joined it leaves it once, with the result or without.

    Attributes
    ----------
    future : the result; not for awaiting without a shield, which would cancel it for all.
    """

    __slots__ = ("future", "key", "waiting")

    def __init__(self, key: Hashable, future: asyncio.Future[T]) -> None:
        self.key, self.future, self.waiting = key, future, 0


class SingleFlight:
    """One event loop. Work is cancelled when the last one who waits for it goes away (invariant 7)."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, Flight[Any]] = {}

    async def run(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, or of the equal work that is under way already."""
        flight = self.join(key, lambda: asyncio.ensure_future(work()))
        try:
            return await asyncio.shield(flight.future)
        finally:
            self.leave(flight)

    def join(self, key: Hashable, begin: Callable[[], asyncio.Future[T]]) -> Flight[T]:
        """The doing that is under way, or the one that `begin` begins."""
        flight: Flight[T] | None = self._under_way.get(key)
        if flight is None:
            flight = self._under_way[key] = Flight(key, begin())
            flight.future.add_done_callback(lambda _: self._forget(flight))
        flight.waiting += 1
        return flight

    def leave(self, flight: Flight[Any]) -> None:
        """One waits no more."""
        flight.waiting -= 1
        if not flight.waiting and not flight.future.done():
            self._forget(flight)
            flight.future.cancel()

    def _forget(self, flight: Flight[Any]) -> None:
        if self._under_way.get(flight.key) is flight:
            del self._under_way[flight.key]
        if flight.future.done() and not flight.future.cancelled():
            flight.future.exception()  # seen: whoever still waits gets it, and nobody else is told of it
