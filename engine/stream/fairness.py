"""Turns by weight: start-time fair queueing (Goyal, Vin, Cheng: SIGCOMM 1996), O(log n) a turn.

Each flow has a start tag, the virtual time at which its next turn is due; the least tag goes next, and a turn that cost c moves the
tag by c / weight. Over any time in which two flows i and j both want something, what they got differs by no more than one turn
of each: |W_i / w_i - W_j / w_j| <= c_i / w_i + c_j / w_j. A flow that wanted nothing for a while comes back at the present
virtual time: it saved nothing up, and owes nothing but its last turn.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable


class _Flow:
    __slots__ = ("entry", "start", "weight")

    def __init__(self, weight: float) -> None:
        self.weight, self.start, self.entry = weight, 0.0, -1


class FairQueue:
    """Flows by key. Equal tags go in the order in which they were waked."""

    __slots__ = ("_entries", "_flows", "_heap", "_now")

    def __init__(self) -> None:
        self._flows: dict[Hashable, _Flow] = {}
        self._heap: list[tuple[float, int, Hashable]] = []
        self._now = 0.0
        self._entries = 0

    def __contains__(self, key: Hashable) -> bool:
        return key in self._flows

    def add(self, key: Hashable, weight: float = 1.0) -> None:
        """A new flow, asleep; for one that is there, its new weight, from its next turn on."""
        if not weight > 0:
            raise ValueError("a weight is above 0")
        flow = self._flows.get(key)
        if flow is None:
            self._flows[key] = _Flow(weight)
        else:
            flow.weight = weight

    def remove(self, key: Hashable) -> None:
        del self._flows[key]

    def wake(self, key: Hashable) -> None:
        """The flow wants turns; no harm when it does already."""
        flow = self._flows[key]
        if flow.entry < 0:
            flow.start = max(flow.start, self._now)
            self._push(key, flow)

    def sleep(self, key: Hashable) -> None:
        """The flow wants no turns until it is waked."""
        self._flows[key].entry = -1

    def first(self) -> Hashable | None:
        """Whose turn it is; None when all sleep."""
        while self._heap:
            start, entry, key = self._heap[0]
            flow = self._flows.get(key)
            if flow is not None and flow.entry == entry:
                self._now = start
                return key
            heapq.heappop(self._heap)
        return None

    def charge(self, key: Hashable, cost: float) -> None:
        """The flow had a turn of this cost; below 0 to give back what was charged too much."""
        flow = self._flows[key]
        flow.start += cost / flow.weight
        if flow.entry >= 0:
            self._push(key, flow)

    def _push(self, key: Hashable, flow: _Flow) -> None:
        flow.entry = self._entries
        self._entries += 1
        heapq.heappush(self._heap, (flow.start, flow.entry, key))
        if len(self._heap) > 4 * len(self._flows) + 16:  # most are stale: begin anew
            self._heap = [(f.start, f.entry, k) for k, f in self._flows.items() if f.entry >= 0]
            heapq.heapify(self._heap)
