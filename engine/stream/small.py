"""What stands in front of frames' own bytes: rungs of the ladder that the frame has not got, or only for many more bytes.

A frame of another transfer syntax, or of indexes into a palette, has no coarse form of its own: whoever scrolls would see nothing
until all of it is there. The pack has a code stream of at most 64 x 64 pixels of it. And a lossless frame's beginnings are exact,
most of it noise: the pack has an approximate beginning of it, which takes the place of the coarser rungs.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from engine.archive.renditions.pack import COARSE_SIDE, Pack
from engine.archive.renditions.supply import FramePieces, SeriesPieces
from engine.stream.framing import Front
from engine.types import Buffer


class Ladders:
    """The pieces of a series as one client gets them; any thread.

    Attributes
    ----------
    frames : in slice order.
    ends : of each frame, the cumulative byte ends of its resolutions in the stream that this gives.
    small : of each frame, so many of its first bytes are its small picture or approximate beginning; 0 where they are its own.
    """

    def __init__(self, found: SeriesPieces, front: Front) -> None:
        self._found = found
        self.small = [_front_bytes(frame, front) for frame in found.frames]
        self.ends = [_ends(frame, small) for frame, small in zip(found.frames, self.small, strict=True)]

    @property
    def frames(self) -> Sequence[FramePieces]:
        return self._found.frames

    @property
    def pack(self) -> Pack | None:
        """What they are of, beside the stored frames."""
        return self._found.pack

    def places(self) -> array[int]:
        """Of each frame three numbers: how many of its first bytes are the small picture, and where in the pack's file that
        begins, and where its own bytes do (-1 for a frame that is not in there)."""
        flat, pack = array("q"), self._found.pack
        begin = 0 if pack is None else pack.coarse_at
        for frame, small, offset in zip(self.frames, self.small, self._found.offsets(), strict=True):
            flat.extend((small, begin + frame.coarse[0] if small and frame.coarse is not None else 0, offset))
        return flat

    def will_need(self, position: int) -> bool:
        """As `SeriesPieces.will_need`, of all of a frame."""
        return self._found.will_need(position)

    def read_bytes(self, position: int, start: int, end: int) -> list[Buffer]:
        """Bytes `start` to `end` of a frame, in parts.

        Raises
        ------
        InstanceNotFound, CorruptInstance
        """
        small, parts = self.small[position], list[Buffer]()
        if start < small:
            coarse = self.frames[position].coarse
            assert coarse is not None
            parts.append(self._found.coarse[coarse[0] + start : coarse[0] + min(end, small)])
        if end > small:
            parts.append(self._found.read_bytes(position, max(start - small, 0), end - small))
        return parts


def _halvings(frame: FramePieces) -> int:
    """How often the frame's sides are halved until they are small."""
    longest, halvings = max(frame.rows, frame.columns), 0
    while -(-longest >> halvings) > COARSE_SIDE:
        halvings += 1
    return halvings


def _front_bytes(frame: FramePieces, front: Front) -> int:
    if frame.coarse is None:
        return 0
    if frame.approximate:
        return frame.coarse[1] if front & Front.APPROXIMATE else 0
    if frame.coarse_pieces or not front & Front.SMALL or not _halvings(frame):
        return 0
    return frame.coarse[1]


def _ends(frame: FramePieces, small: int) -> tuple[int, ...]:
    """What stands in front is where its size belongs; what is between it and the frame's own coarsest takes that."""
    if not small:
        return frame.ends
    own = tuple(small + end for end in frame.ends)
    if frame.approximate:
        return (*frame.approximate, *own[len(frame.approximate) :])
    return (small, *(own[:1] * (_halvings(frame) - len(own))), *own)
