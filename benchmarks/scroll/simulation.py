"""One hand, one line, one strategy, event by event in simulated time; the same every time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.scroll.line import Line, LineSpec
from benchmarks.scroll.personas import Step, Trace
from benchmarks.scroll.strategies import Parcel, Strategy
from engine.stream.motion import Motion
from engine.stream.supply import Supply


@dataclass(slots=True)
class Arrival:
    """A parcel, when it was given to the line, and when the client had it."""

    sent_at: float
    at: float
    parcel: Parcel


@dataclass(slots=True)
class Log:
    """What happened. `supplies`: of each viewport, what there was to send; None: the simulated slices."""

    trace: Trace
    line: LineSpec
    arrivals: list[Arrival] = field(default_factory=list)
    supplies: Sequence[Supply] | None = None


def run(trace: Trace, spec: LineSpec, strategy: Strategy) -> Log:
    """The trace from its first moment to its last."""
    return _Simulation(trace, spec, strategy).run()


class _Simulation:
    def __init__(self, trace: Trace, spec: LineSpec, strategy: Strategy) -> None:
        self._trace, self._spec, self._strategy = trace, spec, strategy
        self._line, self._log = Line(spec), Log(trace, spec, supplies=strategy.supplies)
        self._events: list[tuple[float, int, str, object]] = []
        self._serial = 0
        self._motions = [Motion() for _ in trace.slices]
        self._pump_at = float("inf")
        self._latest: dict[int, Step] = {}

    def run(self) -> Log:
        for step in self._trace.steps:
            self._push(step.at, "step", step)
        while self._events:
            now, _, kind, what = heapq.heappop(self._events)
            if now > self._trace.seconds:
                break
            self._handle(kind, what, now)
        return self._log

    def _handle(self, kind: str, what: object, now: float) -> None:
        strategy = self._strategy
        if kind in ("step", "rest"):
            assert isinstance(what, Step)
            motion = self._motions[what.viewport]
            if kind == "step":
                velocity = motion.moved(what.position, now)
                self._latest[what.viewport] = what
                self._push(now + motion.pause, "rest", what)
            elif self._latest[what.viewport] is what:
                velocity = 0.0
            else:
                return  # it moved on
            self._say(strategy.moved(what, velocity, motion.direction, now), now)
        elif kind == "arrival":
            assert isinstance(what, Arrival)
            self._log.arrivals.append(what)
            self._say(strategy.arrived(what.parcel, now), now)
        else:
            if kind == "word":
                strategy.told(what, now)
            elif self._pump_at <= now:
                self._pump_at = float("inf")
            self._pump(now)

    def _say(self, words: list[object], now: float) -> None:
        for word in words:
            self._push(now + self._spec.delay, "word", word)

    def _pump(self, now: float) -> None:
        while True:
            over = self._line.waiting(now) - self._strategy.buffer
            if over >= 0:
                self._pump_later(now + over / self._spec.bandwidth + 1e-6)
                return
            parcel = self._strategy.next(now)
            if parcel is None:
                break
            at = self._line.send(parcel.size, now)
            self._push(at, "arrival", Arrival(now, at, parcel))
        wakes_at = self._strategy.wakes_at()
        if wakes_at is not None:
            self._pump_later(max(wakes_at, now))

    def _pump_later(self, at: float) -> None:
        if at < self._pump_at:
            self._pump_at = at
            self._push(at, "pump", None)

    def _push(self, at: float, kind: str, what: object) -> None:
        heapq.heappush(self._events, (at, self._serial, kind, what))
        self._serial += 1
