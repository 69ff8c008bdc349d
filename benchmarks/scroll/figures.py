"""What a reader saw: at each visited position, how fine a picture there was in time, and what was sent for nothing."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmarks.scroll.personas import Step
from benchmarks.scroll.simulation import Log
from benchmarks.scroll.strategies import SIDE, Series, supply
from engine.stream.supply import Supply

DEADLINE_S = 1 / 60
MOVING_S = 0.25  # a visit that is shorter is one in passing
LOOK_S = 0.3  # a rest that lasts so long should end exact
QUARTER = 2  # halvings


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one reader, one line, one strategy. Shares from 0 to 1, times in milliseconds.

    Attributes
    ----------
    visits : positions that were shown, each time anew.
    picture, quarter, needed : share of the visits at which, by the deadline of 16.7 ms, there was any picture, one of at least a
        quarter of the sides, and all that the viewport's pixels need.
    blank : share of the visits that ended without any picture.
    first_ms_p50, first_ms_p99 : from the visit's begin to any picture; a visit without one counts with its length.
    exact_ms_p50, exact_ms_worst : from the begin of a look of 0.3 s or more to the last bit; one that never came counts with
    its length. exact_over_ms_worst : the most by which such a look took longer than one round trip, 20 ms, and the frame's
    missing bytes by the
        bandwidth.
    lag_ms_p50 : pictures that the server draws, while the window is dragged: how old is the window of what is shown; 0 for others.
    megabytes : arrived.
    stale : share of the bytes that arrived, while the hand was moving on, for a frame that it had passed and never came back to.
        Neighbours that are filled in around a hand at rest are not counted.
    unused : share of the bytes that arrived for frames that were not shown at that moment or later.
    """

    visits: int
    picture: float
    quarter: float
    needed: float
    blank: float
    first_ms_p50: float
    first_ms_p99: float
    exact_ms_p50: float
    exact_ms_worst: float
    exact_over_ms_worst: float
    lag_ms_p50: float
    megabytes: float
    stale: float
    unused: float


@dataclass(frozen=True, slots=True)
class _Visit:
    series: Series
    position: int
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A visit of `levels` that its frame has, and the finest of them that was there by the deadline; -1: none."""

    begin: float
    level: int
    levels: int


def seen(log: Log) -> list[Seen]:
    """All visits of a log, in order."""
    supplies = _supplies(log)
    times, ends = _history(log)
    found = []
    for visit in _visits(log):
        own, key = supplies[visit.series[0]], (visit.series, visit.position)
        index = bisect_right(times[key], min(visit.begin + DEADLINE_S, visit.end))
        level = own.level_of(visit.position, ends[key][index - 1] if index else 0)
        found.append(Seen(visit.begin, level, own.levels))
    return found


def _supplies(log: Log) -> Sequence[Supply]:
    return log.supplies or [supply(log.trace, viewport) for viewport in range(len(log.trace.slices))]


def figures(log: Log, side: int = SIDE) -> Figures:
    """Look at all visits of a log."""
    visits = _visits(log)
    supplies = _supplies(log)
    times, ends = _history(log)
    levels: list[int] = []
    firsts, exacts, overs, blanks = [], [], [], 0
    for visit in visits:
        own, key = supplies[visit.series[0]], (visit.series, visit.position)
        when, what = times[key], ends[key]

        def held(at: float, when: list[float] = when, what: list[int] = what) -> int:
            index = bisect_right(when, at)
            return what[index - 1] if index else 0

        levels.append(own.level_of(visit.position, held(min(visit.begin + DEADLINE_S, visit.end))))
        first = max(when[0], visit.begin) if when else visit.end
        blanks += first >= visit.end
        firsts.append((min(first, visit.end) - visit.begin) * 1e3)
        if visit.end - visit.begin >= LOOK_S:
            size = own.size(visit.position)
            wanted = size if not log.trace.is_drawn else own.end(visit.position, own.level_for(side, side))
            exact = next((at for at, end in zip(when, what, strict=True) if end >= wanted), visit.end)
            took = max(0.0, min(exact, visit.end) - visit.begin)
            missing = max(0, wanted - held(visit.begin))
            allowed = 2 * log.line.delay + 0.02 + missing / log.line.bandwidth if missing else 0.0
            exacts.append(took * 1e3)
            overs.append((took - allowed) * 1e3)
    need = [supplies[visit.series[0]].level_for(side, side) for visit in visits]
    quarter = [max(0, supplies[visit.series[0]].levels - 1 - QUARTER) for visit in visits]
    at = np.array(levels)
    stale, unused, total = _wasted(log, visits)
    return Figures(
        len(visits), float((at >= 0).mean()), float((at >= quarter).mean()), float((at >= need).mean()), blanks / len(visits),
        float(np.percentile(firsts, 50)), float(np.percentile(firsts, 99)),
        float(np.median(exacts or [0.0])), max(exacts, default=0.0), max(overs, default=0.0), _lag(log), total / 1e6,
        stale / max(total, 1.0), unused / max(total, 1.0),
    )  # fmt: skip


def _lag(log: Log) -> float:
    """Milliseconds since the shown window was the hand's, in the median of all moments at which it is dragged."""
    if not log.trace.is_drawn:
        return 0.0
    began = {step.window: step.at for step in reversed(log.trace.steps)}
    lags, newest, arrivals = [], 0.0, iter(log.arrivals)
    arrival = next(arrivals, None)
    for before, step in pairwise(log.trace.steps):
        while arrival is not None and arrival.at <= step.at:
            newest = max(newest, began[arrival.parcel.series[1]]) if arrival.parcel.ends else newest
            arrival = next(arrivals, None)
        if step.at - before.at < MOVING_S:
            lags.append((step.at - newest) * 1e3)
    return float(np.median(lags or [0.0]))


def _visits(log: Log) -> list[_Visit]:
    last: dict[int, Step] = {}
    visits = []
    for step in log.trace.steps:
        before = last.get(step.viewport)
        if before is not None:
            visits.append(_Visit((before.viewport, before.window), before.position, before.at, step.at))
        last[step.viewport] = step
    for step in last.values():
        visits.append(_Visit((step.viewport, step.window), step.position, step.at, log.trace.seconds))
    return visits


def _history(
    log: Log,
) -> tuple[defaultdict[tuple[Series, int], list[float]], defaultdict[tuple[Series, int], list[int]]]:
    """Of each frame, when the client could show more of it, and how much."""
    times: defaultdict[tuple[Series, int], list[float]] = defaultdict(list)
    ends: defaultdict[tuple[Series, int], list[int]] = defaultdict(list)
    for arrival in log.arrivals:
        for offset, end in enumerate(arrival.parcel.ends):
            key = (arrival.parcel.series, arrival.parcel.position + offset)
            times[key].append(arrival.at)
            ends[key].append(end)
    return times, ends


def _wasted(log: Log, visits: list[_Visit]) -> tuple[float, float, float]:
    """Bytes for frames whose visits were over, bytes for frames not shown any more or never, and all bytes."""
    over: dict[tuple[Series, int], float] = {}
    passing: dict[int, list[tuple[float, bool]]] = defaultdict(
        list
    )  # of each viewport, since when the hand moves or rests
    for visit in visits:
        over[visit.series, visit.position] = visit.end
        passing[visit.series[0]].append((visit.begin, visit.end - visit.begin < MOVING_S))
    stale = unused = total = 0.0
    for arrival in log.arrivals:
        parcel = arrival.parcel
        count = max(1, len(parcel.ends))
        for offset in range(count):
            share, ended = parcel.size / count, over.get((parcel.series, parcel.position + offset))
            total += share
            is_over = ended is not None and arrival.at >= ended
            moments = passing[parcel.series[0]]
            is_passing = moments[max(0, bisect_right(moments, (arrival.at, True)) - 1)][1]
            stale += share if is_over and is_passing else 0.0
            unused += share if ended is None or arrival.at >= ended else 0.0
    return stale, unused, total
