"""What a reader saw: at each visited position, how fine a picture there was in time, and what was sent for nothing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmarks.scroll.simulation import Log
from benchmarks.scroll.strategies import SIDE
from benchmarks.scroll.visits import MOVING_S, History, Visit, bound, supplies_of, visits_of, wasted

DEADLINE_S = 1 / 60
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
    late : share of the bytes that were stale, and came later after the hand had left than one round trip and their own length take:
        they waited in the line's queue, or the server had heard that they were not wanted.
    bound : share of the bytes that are stale whoever decides, see `visits.bound`.
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
    late: float
    bound: float
    unused: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A visit of `levels` that its frame has, and the finest of them that was there by the deadline; -1: none."""

    begin: float
    level: int
    levels: int


def seen(log: Log) -> list[Seen]:
    """All visits of a log, in order."""
    supplies, history = supplies_of(log), History(log)
    found = []
    for visit in visits_of(log.trace):
        own = supplies[visit.series[0]]
        level = own.level_of(visit.position, history.held(visit.key, min(visit.begin + DEADLINE_S, visit.end)))
        found.append(Seen(visit.begin, level, own.levels))
    return found


@dataclass(frozen=True, slots=True)
class Look:
    """A rest of `LOOK_S` or more; seconds.

    Attributes
    ----------
    pause : after so much the hand was said to rest.
    took : until the last bit was there; one that never came counts with the look's length.
    allowed : one round trip, 20 ms, and what was missing of all that the viewports showed, by the bandwidth; 0 for nothing.
    """

    viewport: int
    begin: float
    pause: float
    took: float
    allowed: float


def looks(log: Log, side: int = SIDE) -> list[Look]:
    """In the order in which they ended."""
    visits, history = visits_of(log.trace), History(log)
    supplies = supplies_of(log)
    found = []

    def wanted(visit: Visit) -> int:
        """Of a picture that is drawn, what the viewport needs."""
        own = supplies[visit.series[0]]
        return own.end(visit.position, own.level_for(side, side)) if log.trace.is_drawn else own.size(visit.position)

    for visit in visits:
        if visit.end - visit.begin < LOOK_S:
            continue
        missing = {
            one.key: wanted(one) - history.held(one.key, visit.begin)
            for one in visits
            if one.begin <= visit.begin < one.end
        }
        size = sum(max(0, left) for left in missing.values())
        allowed = 2 * log.line.delay + 0.02 + size / log.line.bandwidth if missing[visit.key] > 0 else 0.0
        exact = min(history.since(visit.key, wanted(visit), visit.end), visit.end)
        found.append(Look(visit.series[0], visit.begin, visit.pause, max(0.0, exact - visit.begin), allowed))
    return found


def figures(log: Log, side: int = SIDE) -> Figures:
    """Look at all visits of a log."""
    visits, supplies, history = visits_of(log.trace), supplies_of(log), History(log)
    levels: list[int] = []
    firsts, blanks = [], 0
    for visit in visits:
        own, when = supplies[visit.series[0]], history.times[visit.key]
        levels.append(own.level_of(visit.position, history.held(visit.key, min(visit.begin + DEADLINE_S, visit.end))))
        first = max(when[0], visit.begin) if when else visit.end
        blanks += first >= visit.end
        firsts.append((min(first, visit.end) - visit.begin) * 1e3)
    rests = looks(log, side)
    exacts, overs = [1e3 * one.took for one in rests], [1e3 * (one.took - one.allowed) for one in rests]
    need = [supplies[visit.series[0]].level_for(side, side) for visit in visits]
    quarter = [max(0, supplies[visit.series[0]].levels - 1 - QUARTER) for visit in visits]
    at = np.array(levels)
    waste = wasted(log, visits)
    most = max(waste.total, 1.0)
    return Figures(
        len(visits), float((at >= 0).mean()), float((at >= quarter).mean()), float((at >= need).mean()), blanks / len(visits),
        float(np.percentile(firsts, 50)), float(np.percentile(firsts, 99)),
        float(np.median(exacts or [0.0])), max(exacts, default=0.0), max(overs, default=0.0), _lag(log), waste.total / 1e6,
        waste.stale / most, waste.late / most, bound(log, visits, history) / most, waste.unused / most,
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
