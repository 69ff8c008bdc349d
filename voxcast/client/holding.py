"""The bytes that a client has of a series' frames: of each the first so many."""

from __future__ import annotations

from voxcast.client.errors import ProtocolError
from voxcast.client.table import SeriesTable


class Holding:
    """One for a series under one tag.

    Attributes
    ----------
    size : bytes held of all frames.
    repeated : bytes that came though they were here.
    """

    def __init__(self, table: SeriesTable) -> None:
        self.table, self.size, self.repeated = table, 0, 0
        self._frames: dict[int, bytearray] = {}
        self._gaps: set[int] = set()  # given up; what was under way behind it still comes

    def count(self, position: int) -> int:
        """Bytes held of one frame."""
        return len(self._frames.get(position, b""))

    def bytes(self, position: int) -> bytes:
        """A copy of what is held of a frame."""
        return bytes(self._frames.get(position, b""))

    def append(self, position: int, first: int, payload: memoryview) -> bool:
        """Put bytes behind those that are held; False when they lie behind bytes that were given up, or bring nothing new.

        They may overlap: what was under way when the series was opened again came as well.

        Raises
        ------
        ProtocolError : they are no bytes of the frame, or leave a gap.
        """
        had, end = self.count(position), first + len(payload)
        if end > self.table.entry(position).size:
            raise ProtocolError(f"frame {position} has no byte {end}")
        self.repeated += max(0, min(had, end) - first)
        if end <= had:
            return False
        if first > had:
            if position in self._gaps:
                return False
            raise ProtocolError(f"frame {position} goes on at byte {first}, but {had} are here")
        self._gaps.discard(position)
        self._frames.setdefault(position, bytearray()).extend(payload[had - first :])
        self.size += end - had
        return True

    def drop(self, position: int, keep: int) -> None:
        """Keep the first `keep` bytes of a frame, if it has more."""
        had = self.count(position)
        if keep >= had:
            return
        if keep > 0:
            self._frames[position] = self._frames[position][:keep]
        else:
            del self._frames[position]
        self.size -= had - max(keep, 0)

    def forget(self, position: int, keep: int) -> None:
        """As `drop`, of our own accord: bytes that follow what is gone may be on their way."""
        if keep < self.count(position):
            self._gaps.add(position)
        self.drop(position, keep)

    def said(self) -> list[list[int]]:
        """[position, bytes] of all that is held, as the word `open` says it."""
        return [[position, len(held)] for position, held in sorted(self._frames.items())]

    def renewed(self) -> None:
        """A new connection: nothing is under way on it."""
        self._gaps.clear()
