"""Bodies asked for by their address, in the order that RFC 9218 section 10 gives to a server."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable

from engine.stream.demand import Order

URGENCIES = 8
URGENCY_SEEN_MAX = (
    3  # the default of RFC 9218: what has no priority of its own is taken for something that is looked at
)


class Orders:
    """One session's orders. The most urgent first; of equal ones, as they came, those that are not incremental, then the
    others by turns."""

    __slots__ = ("_at", "_heap", "_orders", "_serial", "_turns")

    def __init__(self) -> None:
        self._orders: dict[Hashable, Order] = {}
        self._at: dict[Hashable, int] = {}
        self._heap: list[tuple[int, int, Hashable]] = []
        self._turns: tuple[deque[Hashable], ...] = tuple(deque() for _ in range(URGENCIES))
        self._serial = 0

    def __len__(self) -> int:
        return len(self._orders)

    def add(self, order: Order) -> None:
        """A new order, or another priority for the one of that key, which goes on where it is (RFC 9218 section 7)."""
        if not 0 <= order.urgency < URGENCIES or not 0 <= order.first < order.end:
            raise ValueError("an order has bytes, and an urgency of 0 to 7")
        self._at.setdefault(order.key, order.first)
        self._orders[order.key] = order
        if order.is_incremental:
            if order.key not in self._turns[order.urgency]:
                self._turns[order.urgency].append(order.key)
        else:
            heapq.heappush(self._heap, (order.urgency, self._serial, order.key))
            self._serial += 1

    def cancel(self, key: Hashable) -> None:
        """No more of it; no harm when it is over."""
        self._orders.pop(key, None)
        self._at.pop(key, None)

    def first(self) -> tuple[Order, int] | None:
        """The order whose turn it is, and its next byte."""
        heap = self._heap
        while heap and not self._is(heap[0][2], heap[0][0], False):
            heapq.heappop(heap)
        urgent = heap[0][0] if heap else URGENCIES
        for urgency in range(urgent):
            turns = self._turns[urgency]
            while turns and not self._is(turns[0], urgency, True):
                turns.popleft()
            if turns:
                return self._orders[turns[0]], self._at[turns[0]]
        if not heap:
            return None
        key = heap[0][2]
        return self._orders[key], self._at[key]

    def take(self, order: Order, end: int) -> None:
        """The order that `first` gave is sent up to `end`."""
        if order.is_incremental:
            self._turns[order.urgency].rotate(-1)
        if end >= order.end:
            self.cancel(order.key)
        else:
            self._at[order.key] = end

    def _is(self, key: Hashable, urgency: int, is_incremental: bool) -> bool:
        order = self._orders.get(key)
        return order is not None and order.urgency == urgency and order.is_incremental == is_incremental
