"""What a hand looked at and for how long, and which bytes came for what it had left, or could not but do so."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.scroll.personas import Step, Trace
from benchmarks.scroll.simulation import Log
from benchmarks.scroll.strategies import Series, supply
from engine.stream.motion import Motion
from engine.stream.supply import Supply

MOVING_S = 0.25  # a visit that is shorter is one in passing


@dataclass(frozen=True, slots=True)
class Visit:
    """A frame was shown from `begin` to `end`; the hand was said to rest there `pause` after it came."""

    series: Series
    position: int
    begin: float
    end: float
    pause: float

    @property
    def key(self) -> tuple[Series, int]:
        return self.series, self.position


def visits_of(trace: Trace) -> list[Visit]:
    """In the order in which they ended."""
    last: dict[int, tuple[Step, float]] = {}
    motions = [Motion() for _ in trace.slices]
    visits = []

    def left(viewport: int, at: float) -> None:
        before, pause = last[viewport]
        visits.append(Visit((viewport, before.window), before.position, before.at, at, pause))

    for step in trace.steps:
        if step.viewport in last:
            left(step.viewport, step.at)
        motion = motions[step.viewport]
        motion.moved(step.position, step.at)
        last[step.viewport] = step, motion.pause
    for viewport in last:
        left(viewport, trace.seconds)
    return visits


class History:
    """Of each frame, when the client could show more of it, and how much."""

    def __init__(self, log: Log) -> None:
        self.times: defaultdict[tuple[Series, int], list[float]] = defaultdict(list)
        self.ends: defaultdict[tuple[Series, int], list[int]] = defaultdict(list)
        for arrival in log.arrivals:
            for offset, end in enumerate(arrival.parcel.ends):
                key = (arrival.parcel.series, arrival.parcel.position + offset)
                self.times[key].append(arrival.at)
                self.ends[key].append(end)

    def held(self, key: tuple[Series, int], at: float) -> int:
        """Bytes of the frame's stream."""
        index = bisect_right(self.times[key], at)
        return self.ends[key][index - 1] if index else 0

    def since(self, key: tuple[Series, int], end: int, otherwise: float) -> float:
        """When it was held up to `end`."""
        found = zip(self.times[key], self.ends[key], strict=True)
        return next((at for at, have in found if have >= end), otherwise)


def supplies_of(log: Log) -> Sequence[Supply]:
    return log.supplies or [supply(log.trace, viewport) for viewport in range(len(log.trace.slices))]


class Passing:
    """Of each viewport, since when its hand moves on and since when it looks."""

    def __init__(self, visits: Sequence[Visit]) -> None:
        self._moments: dict[int, list[tuple[float, bool]]] = defaultdict(list)
        for visit in visits:
            self._moments[visit.series[0]].append((visit.begin, visit.end - visit.begin < MOVING_S))

    def is_at(self, viewport: int, at: float) -> bool:
        moments = self._moments[viewport]
        return moments[max(0, bisect_right(moments, (at, True)) - 1)][1]

    def seconds(self, viewport: int, first: float, end: float) -> float:
        """How much of that time."""
        moments = self._moments[viewport]
        index = max(0, bisect_right(moments, (first, True)) - 1)
        total = 0.0
        while index < len(moments) and moments[index][0] < end:
            until = moments[index + 1][0] if index + 1 < len(moments) else end
            if moments[index][1]:
                total += max(0.0, min(until, end) - max(moments[index][0], first))
            index += 1
        return total


@dataclass(frozen=True, slots=True)
class Waste:
    """Bytes, see `figures.Figures`."""

    stale: float
    late: float
    unused: float
    total: float


def wasted(log: Log, visits: Sequence[Visit]) -> Waste:
    over = _over(visits)
    passing, round_trip = Passing(visits), 2 * log.line.delay
    stale = late = unused = total = 0.0
    for arrival in log.arrivals:
        parcel = arrival.parcel
        count = max(1, len(parcel.ends))
        for offset in range(count):
            share, ended = parcel.size / count, over.get((parcel.series, parcel.position + offset))
            total += share
            if ended is not None and arrival.at >= ended and passing.is_at(parcel.series[0], arrival.at):
                stale += share
                took = round_trip + parcel.size / log.line.bandwidth
                late += share if arrival.at > ended + took + 1e-6 else 0.0
            unused += share if ended is None or arrival.at >= ended else 0.0
    return Waste(stale, late, unused, total)


def bound(log: Log, visits: Sequence[Visit], history: History) -> float:
    """Bytes that come for what was left, whoever decides, if a hand at rest is to have all of what it looks at as soon as can be.

    For as long as it rests, what it looks at has the line to itself, with nothing queued; when it moves on, the server hears of it
    after one way, and what left until then comes on the other: bandwidth × round trip, or what was still missing. What is
    missing is taken from the log: whoever sent more of it beforehand can waste less here.
    """
    supplies, over, passing = supplies_of(log), _over(visits), Passing(visits)
    round_trip, rate = 2 * log.line.delay, log.line.bandwidth / len(log.trace.slices)
    total = 0.0
    for visit in visits:
        if over[visit.key] > visit.end or visit.end - visit.begin <= visit.pause:
            continue
        first = visit.begin + visit.pause + round_trip
        missing = supplies[visit.series[0]].size(visit.position) - history.held(visit.key, first)
        last = min(first + max(missing, 0) / rate, visit.end + round_trip)
        begin = max(first, visit.end)
        if last > begin:
            total += rate * passing.seconds(visit.series[0], begin, last)
    return total


def _over(visits: Sequence[Visit]) -> Mapping[tuple[Series, int], float]:
    """Of each frame, when its last visit ended."""
    over: dict[tuple[Series, int], float] = {}
    for visit in visits:
        over[visit.key] = max(over.get(visit.key, 0.0), visit.end)
    return over
