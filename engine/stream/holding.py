"""What one client holds of one series: of each frame the beginning of its stream, so one number of bytes a frame."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Mapping

from engine.stream.places import Places
from engine.stream.supply import Supply


class Holding:
    """Bytes that were granted count as held: on a stream nothing is lost but the connection. Not for several threads.

    Attributes
    ----------
    missing : list of Places
        Of each level, the positions whose bytes up to its end are not all held.
    extra : Places
        The positions that hold more than the coarse pack: what can be dropped to make room.
    size : int
        Bytes held.
    """

    __slots__ = ("_held", "extra", "missing", "series", "size", "supply")

    def __init__(self, series: Hashable, supply: Supply, held: Mapping[int, int] | None = None) -> None:
        self.series, self.supply = series, supply
        self.missing = [Places(supply.positions, is_full=True) for _ in range(supply.levels)]
        self.extra = Places(supply.positions)
        self.size = 0
        self._held = array("q", bytes(8 * supply.positions))
        for position, end in (held or {}).items():
            if not 0 <= position < supply.positions or not 0 <= end <= supply.size(position):
                raise ValueError(f"the client cannot hold {end} bytes of position {position}")
            self.take(position, end)

    def held(self, position: int) -> int:
        return self._held[position]

    def level(self, position: int) -> int:
        """The level that the frame's next bytes belong to: the first that is not complete; `levels` when all are."""
        held, end, levels = self._held[position], self.supply.end, self.supply.levels
        level = 0
        while level < levels and end(position, level) <= held:
            level += 1
        return level

    def take(self, position: int, end: int) -> None:
        """The client has, or will have, the frame's stream up to `end`; less than it has changes nothing."""
        before = self._held[position]
        if end <= before:
            return
        self._held[position] = end
        self.size += end - before
        supply = self.supply
        for level in range(supply.levels):
            if before < supply.end(position, level) <= end:
                self.missing[level].discard(position)
        if end > self.base(position):
            self.extra.add(position)

    def drop(self, position: int, keep: int = 0) -> None:
        """The client has no more than the first `keep` bytes of the frame."""
        before = self._held[position]
        if keep >= before:
            return
        self._held[position] = keep
        self.size -= before - keep
        supply = self.supply
        for level in range(supply.levels):
            if keep < supply.end(position, level) <= before:
                self.missing[level].add(position)
        if keep <= self.base(position):
            self.extra.discard(position)

    def base(self, position: int) -> int:
        """Bytes of the frame that belong to the coarse pack."""
        return self.supply.end(position, self.supply.coarse) if self.supply.coarse >= 0 else 0
