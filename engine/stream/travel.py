"""What a viewport's travel comes to is read into the page cache ahead of it, where it is not there yet.

Nothing happens, and nothing is looked at, while all that is sent is in memory. Once bytes had to come from the disk, the frames
that the hand comes to within the next second are asked for (``madvise``), and from then on as it moves, until nothing had to be
asked for in a while.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Executor
from weakref import WeakKeyDictionary

from engine.limits import MIB
from engine.stream.demand import Demand
from engine.stream.opened import OpenSeries
from engine.stream.places import Places

_LOG = logging.getLogger(__name__)
AHEAD_S = 1.0  # of travel
FRAMES_MIN = 8  # ahead, of a hand at rest too: it will move on the way it came
BYTES_MAX = 32 * MIB  # in one go
ASKING_MAX = 4  # series at once; who comes later asks at the next move
COLD_S = 5.0  # after the last frame that had to be asked for


class _Cold:
    __slots__ = ("asked", "is_asking", "until")

    def __init__(self, positions: int) -> None:
        self.asked, self.until, self.is_asking = Places(positions), 0.0, False


class Travel:
    """All sessions of a process; one event loop. Asking is done on `read`: it may have to wait for room in the disk's queue."""

    def __init__(self, read: Executor) -> None:
        self._read = read
        self._cold: WeakKeyDictionary[OpenSeries, _Cold] = WeakKeyDictionary()
        self._asking: set[asyncio.Future[int]] = set()

    def missed(self, series: OpenSeries, demand: Demand | None, position: int) -> None:
        """Bytes of that frame were not in memory when they were to be sent to a viewport with this demand (None: it is gone)."""
        cold = self._cold.get(series)
        if cold is None:
            cold = self._cold[series] = _Cold(series.supply.positions)
        cold.until = asyncio.get_running_loop().time() + COLD_S
        if demand is not None:
            self._ask(series, cold, position, demand)

    def moved(self, series: OpenSeries, demand: Demand) -> None:
        """A viewport over the series has moved: 0.1 µs unless something was missed lately."""
        cold = self._cold.get(series)
        if cold is None:
            return
        if asyncio.get_running_loop().time() > cold.until:
            del self._cold[series]
            return
        self._ask(series, cold, demand.position, demand)

    def _ask(self, series: OpenSeries, cold: _Cold, position: int, demand: Demand) -> None:
        if cold.is_asking or len(self._asking) >= ASKING_MAX:
            return
        wanted = [one for one in coming(series, position, demand) if one not in cold.asked]
        if len(wanted) < FRAMES_MIN // 2:  # not for every position by itself
            return
        for one in wanted:
            cold.asked.add(one)
        cold.is_asking = True
        loop = asyncio.get_running_loop()
        asking = loop.run_in_executor(self._read, _need, series, wanted)
        self._asking.add(asking)

        def done(future: asyncio.Future[int]) -> None:
            self._asking.discard(future)
            cold.is_asking = False
            if future.cancelled():  # the server stops
                return
            if (error := future.exception()) is not None:
                _LOG.error("a pack cannot be read ahead: %s", error)  # who needs its bytes hears why
            elif future.result():
                cold.until = loop.time() + COLD_S

        asking.add_done_callback(done)


def coming(series: OpenSeries, position: int, demand: Demand) -> list[int]:
    """The frames from `position` on, in the order in which the hand comes to them."""
    supply = series.supply
    way = (1 if demand.velocity > 0 else -1) if demand.velocity else (1 if demand.direction >= 0 else -1)
    count = max(FRAMES_MIN, round(abs(demand.velocity) * AHEAD_S))
    found, size = list[int](), 0
    position = min(max(position, 0), supply.positions - 1)
    while 0 <= position < supply.positions and len(found) < count:
        size += supply.size(position)
        if found and size > BYTES_MAX:
            break
        found.append(position)
        position += way
    return found


def _need(series: OpenSeries, positions: list[int]) -> int:
    """How many of them had to be asked for."""
    return sum(series.pieces.will_need(position) for position in positions)
