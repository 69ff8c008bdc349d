"""What a series is made of: its frames, and where the resolutions of each end (the SERIES object of docs/stream.md)."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from itertools import pairwise

from voxcast.client.errors import ProtocolError

_TABLE_BYTES_MAX = 256 * 1024 * 1024  # unpacked; 200 000 frames take 12 MB
_HEAD_MEMBERS = 7


@dataclass(frozen=True, slots=True)
class Cells:
    """How native pixels lie in the bytes (PS3.3 C.7.6.3), and how those of any codec are to be read.

    `is_float`: they are Float or Double Float Pixel Data.
    """

    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
    planar_configuration: int
    is_float: bool = False


@dataclass(frozen=True, slots=True)
class FrameEntry:
    """One frame.

    Attributes
    ----------
    frame_number : 1-based, as addresses have it.
    rows, columns : of the whole frame.
    transfer_syntax_uid, photometric_interpretation : of the bytes once all are there.
    bits : Bits Stored as the code stream says it; 0 for bytes as they are stored.
    ends : byte ends of its resolutions, coarsest first; the last is the whole frame.
    small : so many of its first bytes are a code stream of their own: a small picture, or an approximate beginning with the
        resolutions that end in it; 0: they are the frame's own.
    cells : None from a server that does not tell.
    """

    sop_instance_uid: str
    frame_number: int
    rows: int
    columns: int
    transfer_syntax_uid: str
    photometric_interpretation: str
    bits: int
    ends: tuple[int, ...]
    small: int = 0
    cells: Cells | None = None

    @property
    def size(self) -> int:
        return self.ends[-1]

    @property
    def small_halvings(self) -> int:
        """How often the sides are halved in what all of `small` shows."""
        return len(self.ends) - 1 - self.ends.index(self.small)

    @property
    def has_approximate(self) -> bool:
        """Whether `small` is an approximate beginning: a small picture has one resolution, these have more."""
        return self.ends[0] < self.small

    def halvings(self, held: int) -> int:
        """How often the sides are halved in what the first `held` bytes show: 0 for all, -1 when they show nothing yet."""
        for down, end in enumerate(reversed(self.ends)):
            if held >= end:
                return down
        return -1


@dataclass(frozen=True, slots=True)
class SeriesTable:
    """The frames of a series in slice order.

    Attributes
    ----------
    tag : the same for the same frames in the same pieces.
    is_complete : False: renditions are being made; the server says when there are more (`Session` opens the series again then).
    levels : steps of the finest ladder.
    """

    tag: str
    is_complete: bool
    levels: int
    frames: tuple[FrameEntry, ...]

    def end(self, position: int, level: int) -> int:
        """Bytes of a frame up to a level of the series' ladder; its first end at all levels coarser than its own."""
        ends = self.entry(position).ends
        at = max(0, level - self.levels + len(ends))
        if at >= len(ends):
            raise ProtocolError(f"frame {position} has no level {level}")
        return ends[at]

    def entry(self, position: int) -> FrameEntry:
        if not 0 <= position < len(self.frames):
            raise ProtocolError(f"the series has no frame {position}")
        return self.frames[position]

    @classmethod
    def parse(cls, packed: memoryview) -> SeriesTable:
        """Unpack and check the payload of a SERIES record.

        Raises
        ------
        ProtocolError
        """
        unpacker = zlib.decompressobj()
        try:
            text = unpacker.decompress(packed, _TABLE_BYTES_MAX)
            if not unpacker.eof:
                raise ProtocolError("a table of a series that is cut, or longer than any")
            said = json.loads(text)
            instances, texts = said["instances"], said["texts"]
            floats = said.get("floatCells", [])
            described = [[*kind[:6], at in floats] for at, kind in enumerate(said.get("cells", []))]
            kinds = [Cells(*kind) for kind in described]
            rows = said["frames"]
            of_frame = said.get("frameCells", [])
            small = said.get("small", [])
            frames = tuple(
                _entry(row, instances, texts, small[at] if small else 0, kinds[of_frame[at]] if of_frame else None)
                for at, row in enumerate(rows)
            )
            table = cls(str(said["tag"]), said.get("isComplete") is True, int(said["levels"]), frames)
        except (zlib.error, ValueError, KeyError, IndexError, TypeError) as error:
            raise ProtocolError(f"a table of a series that cannot be read: {error!r}") from None
        if table.levels != max((len(frame.ends) for frame in frames), default=0):
            raise ProtocolError("a table of a series with another number of levels than its frames have")
        return table


def _entry(row: list[int], instances: list[str], texts: list[str], small: int, cells: Cells | None) -> FrameEntry:
    if len(row) <= _HEAD_MEMBERS or not all(type(n) is int and n >= 0 for n in row):
        raise ValueError("a frame that is not described by whole numbers")
    instance, number, rows, columns, syntax, photometric, bits, *ends = row
    if any(a > b for a, b in pairwise(ends)) or ends[0] < 1:
        raise ValueError("a frame whose resolutions do not rise")
    if small and small not in ends[:-1]:
        raise ValueError("a frame whose small picture is none of its resolutions")
    return FrameEntry(
        instances[instance], number, rows, columns, texts[syntax], texts[photometric], bits, tuple(ends), small, cells
    )
