"""The scheduler of `engine.stream` as a door uses it: a viewport's word, grants, acknowledgements."""

from __future__ import annotations

from benchmarks.scroll.personas import Step, Trace
from benchmarks.scroll.strategies import APPROXIMATE, SHARES, Parcel, Series, supply
from engine.stream.demand import Demand, Quality
from engine.stream.grant import Grant
from engine.stream.scheduler import Scheduler


class Ours:
    """Whole chunks are acknowledged as they come. The kernel's buffer is never the limit: the scheduler's credit is.

    `is_approximate`: frames begin as packs have it; else with exact beginnings.
    """

    buffer = 1 << 40

    def __init__(self, trace: Trace, side: int, *, is_approximate: bool = True) -> None:
        self._trace, self._side = trace, side
        shares = APPROXIMATE if is_approximate else SHARES
        self.supplies = [supply(trace, viewport, shares) for viewport in range(len(trace.slices))]
        self._scheduler = Scheduler()
        self._recipient = self._scheduler.join("reader")
        self._offered: set[Series] = set()
        self._received = 0
        self._window: dict[int, int] = {}

    def moved(self, step: Step, velocity: float, direction: int, now: float) -> list[object]:
        return [(step, velocity, direction)]

    def arrived(self, parcel: Parcel, now: float) -> list[object]:
        self._received += parcel.size
        return [self._received]

    def told(self, word: object, now: float) -> None:
        if isinstance(word, int):
            self._recipient.acknowledge(word, now)
            return
        assert isinstance(word, tuple)
        step, velocity, direction = word
        series = (step.viewport, step.window)
        if series not in self._offered:
            for old in [one for one in self._offered if one[0] == step.viewport]:
                self._offered.discard(old)
                self._recipient.withdraw(old)
            self._offered.add(series)
            self._recipient.offer(series, self.supplies[step.viewport])
        quality = Quality.FITTING if self._trace.is_drawn else Quality.EXACT
        demand = Demand(
            series=series, position=step.position, width=self._side, height=self._side, velocity=velocity, direction=direction,
            is_loop=self._trace.is_loop, quality=quality, reach=self._reach(step) if self._trace.is_drawn else None,
        )  # fmt: skip
        self._recipient.look(step.viewport, demand, now)

    def _reach(self, step: Step) -> int:
        """While the window is dragged no neighbour is worth drawing."""
        is_dragging = self._window.get(step.viewport) != step.window
        self._window[step.viewport] = step.window
        return 0 if is_dragging else 4

    def next(self, now: float) -> Parcel | None:
        grant = self._scheduler.next(now)
        return None if grant is None else self._parcel(grant)

    def wakes_at(self) -> float | None:
        return self._scheduler.wakes_at()

    def _parcel(self, grant: Grant) -> Parcel:
        series = grant.series
        assert isinstance(series, tuple)
        own = self.supplies[series[0]]
        ends = (grant.end,) if grant.count == 1 else tuple(
            own.end(position, grant.level) for position in range(grant.position, grant.position + grant.count)
        )  # fmt: skip
        return Parcel(series, grant.position, ends, grant.size)
