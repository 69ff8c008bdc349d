"""What a strategy is: a client that speaks when the hand moves or bytes arrive, and a server that chooses the next bytes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.scroll.personas import Step, Trace
from engine.stream.supply import Supply

Series = tuple[int, int]  # viewport and window


@dataclass(frozen=True, slots=True)
class Parcel:
    """Bytes on the line. `ends` is what the client can show of frames from `position` on when they are there; may be empty."""

    series: Series
    position: int
    ends: tuple[int, ...]
    size: int
    tag: Hashable = None


class Strategy(Protocol):
    """One client and one server; what the client says reaches `told` one line delay later.

    Attributes
    ----------
    buffer : bytes that the server leaves in the kernel's buffer before it stops writing.
    supplies : of each viewport, what it has to send.
    """

    buffer: int
    supplies: Sequence[Supply]

    def moved(self, step: Step, velocity: float, direction: int, now: float) -> list[object]:
        """The client's words when the hand is somewhere, or when it came to rest there (velocity 0)."""
        ...

    def arrived(self, parcel: Parcel, now: float) -> list[object]:
        """The client's words when bytes have come."""
        ...

    def told(self, word: object, now: float) -> None:
        """The server hears it."""
        ...

    def next(self, now: float) -> Parcel | None:
        """The server's next bytes."""
        ...

    def wakes_at(self) -> float | None:
        """When `next` may have something though nobody says anything."""
        ...


SHARES = (0.0025, 0.006, 0.017, 0.06, 0.24, 1.0)  # of a 512 × 512 slice as lossless HTJ2K, by level
# The same behind an approximate beginning of four kB, as packs have it.
APPROXIMATE = (0.0028, 0.0053, 0.011, 0.024, 0.264, 1.024)
SIZE, SIDE = 170_000, 512
DRAWN = ((32_000,),)  # a JPEG of that size; the server draws no smaller one before it


def supply(trace: Trace, viewport: int, shares: Sequence[float] = SHARES) -> Supply:
    """Slices of the usual size, some bytes more or less; or pictures that are drawn."""
    count = trace.slices[viewport]
    if trace.is_drawn:
        return Supply.of(DRAWN * count, SIDE, SIDE, is_whole=True, coarse=-1)
    own = [SIZE + (position * 7919 + viewport * 104_729) % 40_001 - 20_000 for position in range(count)]
    return Supply.of([[int(size * share) for share in shares] for size in own], SIDE, SIDE)
