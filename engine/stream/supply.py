"""What there is to send of one series: for every position a ladder of resolutions, each the bytes behind the one before.

A lossless HTJ2K code stream in RPCL order with a tile-part per resolution is such a ladder by itself (ISO/IEC 15444-1 B.12.1.3,
15444-15); a frame that is stored otherwise is a ladder of one rung, and so is a picture that the server draws.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

COARSE_SIDE_MAX = 64  # pixels: the coarse pack has every frame at no more than this


@dataclass(frozen=True, slots=True, eq=False)
class Supply:
    """Sizes only: the scheduler never sees a pixel. Immutable; one for all who look at the series. Made by `of`.

    Attributes
    ----------
    positions : int
        Frames in the order in which they are looked through; a position is 0-based.
    levels : int
        Rungs of the ladder; level 0 is the coarsest, level ``levels - 1`` the frame as it is, and each has half the sides
        of the next.
    rows, columns : int
        Of a usual frame, at the last level.
    is_whole : bool
        A level cannot be cut into chunks, and its size is an estimate until it is made: pictures drawn by the server. Each stands
        alone; its size is what its end is behind the end of the level before.
    coarse : int
        The level of the coarse pack, which every position gets before any neighbour gets more; -1 for no pack.
    steps, totals : tuple of int
        Of each level, the usual number of bytes behind the level before it, and of all up to it. At least 1; `steps` never falls.
    """

    positions: int
    levels: int
    rows: int
    columns: int
    is_whole: bool
    coarse: int
    steps: tuple[int, ...]
    totals: tuple[int, ...]
    _ends: array[int]

    @classmethod
    def of(
        cls,
        ends: Sequence[Sequence[int]],
        rows: int,
        columns: int,
        *,
        is_whole: bool = False,
        coarse: int | None = None,
    ) -> Self:
        """The ladder of a series.

        Parameters
        ----------
        ends : for each position, for each level, coarse to fine: how many bytes of the frame's stream that level takes from
            its beginning. Equal ends mean that a level has nothing of its own: a frame without a pyramid in a series that has
            them is ``(size, size, size)``. All have equally many levels, one at least; the last end is the frame's size.
        coarse : None chooses the coarsest level that is of no more than 64² pixels, if there is one and it is not the last.

        Raises
        ------
        ValueError : no position, levels that differ in number, a level that ends where the frame begins, ends that fall.
        """
        if not ends or not ends[0]:
            raise ValueError("a supply has a position and a level at least")
        levels = len(ends[0])
        flat = array("q")
        for position, ladder in enumerate(ends):
            if len(ladder) != levels or ladder[0] < 1 or any(a > b for a, b in pairwise(ladder)):
                raise ValueError(f"position {position} has the ends {tuple(ladder)} for {levels} levels")
            flat.extend(ladder)
        totals = tuple(max(1, sum(flat[level::levels]) // len(ends)) for level in range(levels))
        steps = [totals[0]]
        for level in range(1, levels):
            steps.append(max(steps[-1], totals[level] - totals[level - 1]))
        if coarse is None:
            coarse = -1
            if levels > 1 and -(-max(rows, columns) >> (levels - 1)) <= COARSE_SIDE_MAX:
                coarse = 0
        return cls(len(ends), levels, rows, columns, is_whole, coarse, tuple(steps), totals, flat)

    def end(self, position: int, level: int) -> int:
        """Bytes of that frame's stream from its beginning to the end of that level."""
        return self._ends[position * self.levels + level]

    @property
    def ends(self) -> memoryview:
        """The ends of all positions, one behind the other (int64)."""
        return memoryview(self._ends).toreadonly()

    def size(self, position: int) -> int:
        """Bytes of that frame's stream."""
        return self._ends[position * self.levels + self.levels - 1]

    def level_of(self, position: int, held: int) -> int:
        """The finest level that `held` bytes of the frame's stream are enough for; -1 for none."""
        first = position * self.levels
        level = self.levels - 1
        while level >= 0 and self._ends[first + level] > held:
            level -= 1
        return level

    def level_for(self, width: int, height: int) -> int:
        """The coarsest level that is never enlarged when a whole frame is shown on so many pixels, its shape kept."""
        level = self.levels - 1
        rows, columns = self.rows, self.columns
        while level > 0:
            rows, columns = (rows + 1) // 2, (columns + 1) // 2
            if min(width * self.rows, height * self.columns) > min(columns * self.rows, rows * self.columns):
                break
            level -= 1
        return level
