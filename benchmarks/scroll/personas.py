"""Hands that are like those of readers: a trace says at each moment at which slice each viewport is. Same seed, same trace."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

TICK = 1 / 60  # a screen shows no more than so many positions
SLICES = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """From this moment a viewport is at a position; `window` counts the windows of pictures that the server draws."""

    at: float
    viewport: int
    position: int
    window: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """What one reader did.

    Attributes
    ----------
    slices : of each viewport's series.
    seconds : when it ends; the hand may rest before.
    is_drawn : the server draws pictures, and every window is another.
    """

    name: str
    slices: tuple[int, ...]
    steps: tuple[Step, ...]
    seconds: float
    is_loop: bool = False
    is_drawn: bool = False


class _Hand:
    """Writes a trace down; positions are kept inside the series, and said only when they change."""

    def __init__(self, slices: int, viewport: int = 0, position: int = 0) -> None:
        self.slices, self.viewport, self.now, self.place = slices, viewport, 0.0, float(position)
        self.steps = [Step(0.0, viewport, position)]

    def move(self, by: float) -> None:
        """One tick later, so many slices further."""
        self.now += TICK
        self.place = min(max(self.place + by, 0.0), self.slices - 1.0)
        self._say(round(self.place))

    def jump(self, position: int) -> None:
        self.place = float(position)
        self._say(position)

    def rest(self, seconds: float) -> None:
        self.now += seconds

    def _say(self, position: int) -> None:
        if position != self.steps[-1].position:
            self.steps.append(Step(self.now, self.viewport, position))


def steady() -> Trace:
    """60 slices a second for twelve seconds, as the deadline of 16.7 ms asks for; begins one second after the series was opened."""
    hand = _Hand(SLICES)
    hand.rest(1.0)
    for _ in range(720):
        hand.move(1.0)
    hand.rest(2.0)
    return _trace("60 slices/s", hand)


def fling(seed: int = 11) -> Trace:
    """Throws of 40 to 150 slices a second that run out, forth and back, with looks of half a second to two between them."""
    dice, hand = random.Random(seed), _Hand(SLICES, position=SLICES // 2)
    hand.rest(0.5)
    for throw in range(10):
        speed = dice.uniform(40, 150) * (1 if throw % 3 else -1)
        while abs(speed) > 4:
            hand.move(speed * TICK)
            speed *= math.exp(-TICK / 0.45)
        hand.rest(dice.uniform(0.5, 2.0))
    return _trace("fling", hand)


def search() -> Trace:
    """Slow: three to eight slices a second, a few back now and then, longer looks in between."""
    dice, hand = random.Random(12), _Hand(SLICES, position=300)
    for _ in range(120):
        way = -1 if dice.random() < 0.2 else 1
        for _ in range(dice.randrange(1, 4)):
            hand.rest(dice.uniform(0.12, 0.33))
            hand.jump(max(0, min(SLICES - 1, round(hand.place) + way)))
        if dice.random() < 0.15:
            hand.rest(1.5)
    hand.rest(1.0)
    return _trace("slow search", hand)


def jump() -> Trace:
    """The scroll bar is clicked somewhere else, and then a few slices are looked at around there."""
    dice, hand = random.Random(13), _Hand(SLICES)
    for _ in range(25):
        hand.rest(dice.uniform(0.4, 1.0))
        hand.jump(dice.randrange(SLICES))
        for _ in range(dice.randrange(0, 6)):
            hand.rest(0.15)
            hand.jump(min(SLICES - 1, round(hand.place) + 1))
    hand.rest(1.0)
    return _trace("jump", hand)


def ping_pong() -> Trace:
    """To and fro over forty slices, fifteen to thirty a second: is it a vessel or a node?"""
    dice, hand = random.Random(14), _Hand(SLICES, position=480)
    hand.rest(0.3)
    for turn in range(14):
        speed = dice.uniform(15, 30) * (1 if turn % 2 == 0 else -1)
        for _ in range(int(40 / abs(speed) / TICK)):
            hand.move(speed * TICK)
        hand.rest(dice.uniform(0.0, 0.2))
    hand.rest(1.0)
    return _trace("ping-pong", hand)


def cine() -> Trace:
    """A loop of 90 frames, 30 a second, five times round."""
    hand = _Hand(90)
    for frame in range(1, 450):
        hand.rest(1 / 30)
        hand.jump(frame % 90)
    hand.rest(1.0)
    return _trace("cine", hand, is_loop=True)


def linked() -> Trace:
    """Two series side by side that scroll together, 10 to 25 slices a second, with looks between."""
    dice = random.Random(15)
    left, right = _Hand(SLICES, 0, 200), _Hand(SLICES, 1, 200)
    for _ in range(12):
        speed, ticks, look = dice.uniform(10, 25), dice.randrange(40, 120), dice.uniform(0.4, 1.2)
        for hand in (left, right):
            for _ in range(ticks):
                hand.move(speed * TICK)
            hand.rest(look)
    steps = sorted((*left.steps, *right.steps), key=lambda step: (step.at, step.viewport))
    return Trace("two linked viewports", (SLICES, SLICES), tuple(steps), left.now)


def window() -> Trace:
    """The window is dragged over pictures that the server draws: 60 windows a second, then a look; a slice further, and again."""
    now, position, number = 0.0, 500, 0
    steps = [Step(0.0, 0, position)]
    for _ in range(6):
        now += 0.7
        for _ in range(60):
            now += TICK
            number += 1
            steps.append(Step(now, 0, position, number))
        now += 0.7
        position += 1
        steps.append(Step(now, 0, position, number))
    return Trace("window dragging", (SLICES,), tuple(steps), now + 1.0, is_drawn=True)


def _trace(name: str, hand: _Hand, *, is_loop: bool = False) -> Trace:
    return Trace(name, (hand.slices,), tuple(hand.steps), hand.now, is_loop=is_loop)


PERSONAS: dict[str, Callable[[], Trace]] = {
    "steady": steady, "fling": fling, "search": search, "jump": jump, "ping-pong": ping_pong, "cine": cine,
    "linked": linked, "window": window,
}  # fmt: skip
