"""How large a client wants a frame to be, and which resolution of a code stream that is (``fsiz``: ISO/IEC 15444-9 C.4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SMALL_SIDE = 128  # pixels: what a list of series, or a volume that is being loaded, shows first
# cornerstone3D decodes what it takes for a thumbnail at an eighth of its size, whatever it is told: less must not be sent.
SMALL_HALVINGS_MAX = 3


class Rounding(StrEnum):
    """What to give where no resolution is of that size exactly."""

    DOWN = "round-down"  # the largest one that is not larger; the smallest there is where all are larger
    UP = "round-up"  # the smallest one that is not smaller; the whole where all are smaller
    CLOSEST = "closest"


@dataclass(frozen=True, slots=True)
class FrameSize:
    """Columns and rows that a frame is wanted in."""

    width: int
    height: int
    rounding: Rounding = Rounding.DOWN

    def halvings(self, rows: int, columns: int, most: int) -> int:
        """How often to halve a frame that can be halved `most` times; halves are rounded up (T.800 B.5)."""
        sizes = [(-(-columns >> n), -(-rows >> n)) for n in range(most + 1)]
        match self.rounding:
            case Rounding.DOWN:
                fitting = (n for n, (w, h) in enumerate(sizes) if w <= self.width and h <= self.height)
                return next(fitting, most)
            case Rounding.UP:
                return max((n for n, (w, h) in enumerate(sizes) if w >= self.width and h >= self.height), default=0)
            case Rounding.CLOSEST:
                return min(range(most + 1), key=lambda n: abs(sizes[n][0] * sizes[n][1] - self.width * self.height))


@dataclass(frozen=True, slots=True)
class Small:
    """The size of a thumbnail: the smallest resolution whose longer side has `SMALL_SIDE` pixels, an eighth at least."""

    def halvings(self, rows: int, columns: int, most: int) -> int:
        """As `FrameSize.halvings`."""
        longest = max(rows, columns)
        wanted = (n for n in range(min(most, SMALL_HALVINGS_MAX), -1, -1) if -(-longest >> n) >= SMALL_SIDE)
        return next(wanted, 0)


@dataclass(frozen=True, slots=True)
class Whole:
    """The frame as large as it is."""

    def halvings(self, rows: int, columns: int, most: int) -> int:
        """As `FrameSize.halvings`."""
        return 0


WantedSize = FrameSize | Small | Whole
