"""How long the scheduler thinks: one decision, one word of the hand, one session more; in short and in long series.

    python -m benchmarks.scheduling [--quick]

The peer is what a scheduler usually does: sort all pieces of the series when the hand moves, take the next one off the list.
Each row is the same work on 300 and on 5 000 slices: if it grows with the series, that shows. Traps: an empty series decides
nothing, so every decision here finds a byte to send; a decision at the start of a series finds its piece at once, so the series
is half sent before.
"""

from __future__ import annotations

import argparse
import random

from benchmarks.measure import Report, interleave
from engine.stream.demand import Demand
from engine.stream.grant import Grant
from engine.stream.scheduler import Scheduler
from engine.stream.supply import Supply

SHARES = (0.0025, 0.006, 0.017, 0.06, 0.24, 1.0)
SIZE = 170_000
DECISION_US, HAND_US = 25.0, 25.0


def supply(slices: int) -> Supply:
    """A CT in six levels; its slices differ by some bytes, as real ones do."""
    dice = random.Random(1)
    own = [SIZE + dice.randrange(-20_000, 20_000) for _ in range(slices)]
    return Supply.of([[int(size * share) for share in SHARES] for size in own], 512, 512)


class Reader:
    """A session that takes whatever it gets, with every answer at once; begun anew when it has everything."""

    def __init__(self, slices: int, sessions: int = 1) -> None:
        self._slices, self._sessions, self._supply = slices, sessions, supply(slices)
        self.hand = random.Random(2)
        self.now = 0.0
        self.begin()

    def begin(self) -> None:
        self.scheduler = Scheduler()
        self.all = {name: self.scheduler.join(name) for name in range(self._sessions)}
        self.got = dict.fromkeys(self.all, 0)
        for name, recipient in self.all.items():
            held = {at: self._supply.end(at, 3) for at in range(self._slices) if at % 2}
            recipient.offer("series", self._supply, held)
            recipient.look("viewport", Demand(series="series", position=(name * 97) % self._slices), self.now)

    def decide(self, _: int) -> Grant:
        grant = self.scheduler.next(self.now)
        if grant is None:
            self.begin()
            grant = self.scheduler.next(self.now)
        assert grant is not None
        self.now += 0.0001
        name = grant.session
        assert isinstance(name, int)
        self.got[name] += grant.size
        self.all[name].acknowledge(self.got[name], self.now)
        return grant

    def wheel(self, _: int) -> Grant:
        position = self.hand.randrange(self._slices)
        self.all[0].look("viewport", Demand(series="series", position=position, velocity=30.0), self.now)
        return self.decide(0)


class Sorting:
    """The peer: all pieces, sorted by distance and level whenever the hand moves; those sent are passed over."""

    def __init__(self, slices: int) -> None:
        self._supply = supply(slices)
        self._slices = slices
        self._hand = random.Random(2)
        self._sent: set[tuple[int, int]] = set()
        self._list: list[tuple[int, int]] = []

    def wheel(self, _: int) -> tuple[int, int]:
        position, steps = self._hand.randrange(self._slices), self._supply.steps
        pieces = [(at, level) for at in range(self._slices) for level in range(len(steps))]
        pieces.sort(key=lambda piece: -(1 + abs(piece[0] - position)) * steps[piece[1]])
        self._list = [piece for piece in pieces if piece not in self._sent]
        return self._list.pop()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scheduling", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 40 if parser.parse_args().quick else 200
    report = Report("scheduling", "decisions of the scheduler")
    short, long, many = Reader(300), Reader(5000), Reader(300, sessions=200)
    times = interleave(
        {"5 000 slices": long.decide, "300 slices": short.decide, "200 sessions": many.decide},
        rounds, repeat=200, scale=1e6,
    )  # fmt: skip
    report.add("a decision and its answer", "µs", times, limit=DECISION_US)
    short, long, sorting = Reader(300), Reader(5000), Sorting(5000)
    times = interleave(
        {"5 000 slices": long.wheel, "300 slices": short.wheel, "sorting 5 000 slices": sorting.wheel},
        rounds, repeat=5, scale=1e6,
    )  # fmt: skip
    report.add("the hand moves: to the first byte decided", "µs", times, limit=HAND_US)
    whole = supply(5000)
    opened = interleave({"5 000 slices": lambda _: Scheduler().join("a").offer("x", whole)}, rounds, scale=1e6)
    report.add("a session opens a series that others look at", "µs", opened)
    report.finish()


if __name__ == "__main__":
    main()
