"""How fast a hand moves through a series, from the moments at which it was somewhere."""

from __future__ import annotations

from collections import deque

PAUSE_S = 0.15  # a hand that was still for longer begins anew
PAUSE_S_MIN, PAUSE_S_MAX, OVERDUE = 0.02, 0.07, 1.2  # a hand rests when its next step is overdue, within these
MEMORY_S = 0.1  # the velocity is that of so much time
STEP_MAX = 5  # the first step of a motion is no longer than this; a longer one is a jump, unless another follows


class Motion:
    """One viewport's hand, of a client that says where it is and not how fast. Times are seconds of any clock that never goes back.

    Attributes
    ----------
    velocity : float
        Positions per second; 0 at first, after a pause and after a jump.
    direction : int
        -1 or 1: where the last step went.
    """

    __slots__ = ("_has_jumped", "_samples", "direction", "velocity")

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()
        self.velocity, self.direction = 0.0, 1
        self._has_jumped = False

    @property
    def pause(self) -> float:
        """Seconds after the last step at which the hand is taken to rest, if no step comes: the next one is overdue then."""
        speed = abs(self.velocity)
        return min(max(OVERDUE / speed, PAUSE_S_MIN), PAUSE_S_MAX) if speed else PAUSE_S_MIN

    def moved(self, position: int, now: float) -> float:
        """The hand is at `position`, whether that is new or not; the velocity."""
        samples = self._samples
        if not samples:
            samples.append((now, position))
            return 0.0
        at, before = samples[-1]
        step = position - before
        if step:
            direction = 1 if step > 0 else -1
            if direction != self.direction:
                self.direction = direction
                while len(samples) > 1:
                    samples.popleft()
        is_jump = not self.velocity and abs(step) > STEP_MAX and not (self._has_jumped and now - at <= MEMORY_S)
        self._has_jumped = is_jump
        if now - at > PAUSE_S or is_jump:
            samples.clear()
        samples.append((now, position))
        while len(samples) > 2 and now - samples[0][0] > MEMORY_S:
            samples.popleft()
        first, start = samples[0]
        self.velocity = (position - start) / (now - first) if now > first else 0.0
        return self.velocity
