"""A trace followed by the clock, as a viewer hears of a hand: where it is, how fast, and when it came to rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.scroll.personas import Step, Trace
from engine.stream.motion import Motion

Moved = Callable[[Step, float, int], None]  # the step, positions a second (0 at rest), the direction


class Hand:
    """Says each step at its time, late where the process is; one event loop."""

    def __init__(self, trace: Trace, moved: Moved) -> None:
        self._trace, self._moved = trace, moved
        self._motions = [Motion() for _ in trace.slices]
        self._latest: dict[int, Step] = {}
        self.began = 0.0
        self.late_s = 0.0

    async def follow(self) -> None:
        """From the first step to the trace's end."""
        loop = asyncio.get_running_loop()
        self.began = loop.time()
        for step in self._trace.steps:
            await self._until(step.at)
            self.late_s = max(self.late_s, loop.time() - self.began - step.at)
            motion = self._motions[step.viewport]
            velocity = motion.moved(step.position, loop.time())
            self._latest[step.viewport] = step
            self._moved(step, velocity, motion.direction)
            loop.call_later(motion.pause, self._rest, step)
        await self._until(self._trace.seconds)

    async def _until(self, at: float) -> None:
        wait = self.began + at - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)

    def _rest(self, step: Step) -> None:
        if self._latest[step.viewport] is step:
            self._moved(step, 0.0, self._motions[step.viewport].direction)


@dataclass(frozen=True, slots=True)
class Said:
    """One word of a hand: at a step, or (velocity 0) when it came to rest there."""

    at: float
    step: Step
    velocity: float
    direction: int


def said_of(trace: Trace) -> list[Said]:
    """What `Hand` would say that is never late, in order."""
    motions = [Motion() for _ in trace.slices]
    resting: dict[int, Said] = {}  # of each viewport, what it says unless it moves before
    words: list[Said] = []
    for step in trace.steps:
        if (rest := resting.pop(step.viewport, None)) is not None and rest.at < step.at:
            words.append(rest)
        motion = motions[step.viewport]
        velocity = motion.moved(step.position, step.at)
        words.append(Said(step.at, step, velocity, motion.direction))
        resting[step.viewport] = Said(step.at + motion.pause, step, 0.0, motion.direction)
    words += [rest for rest in resting.values() if rest.at < trace.seconds]
    return sorted(words, key=lambda one: one.at)


def cut(trace: Trace, seconds: float) -> Trace:
    """No longer than so long."""
    if trace.seconds <= seconds:
        return trace
    return replace(trace, steps=tuple(step for step in trace.steps if step.at < seconds), seconds=seconds)
