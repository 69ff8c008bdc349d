"""Pictures as one animated GIF, made while it is sent (PS3.18 8.7.4)."""

from __future__ import annotations

from collections.abc import Sequence

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.codec import gif
from engine.dicom.cine import Cine, cine_of
from engine.dicom.frame import Window
from engine.imaging.spec import RenderSpec
from engine.imaging.window import range_window
from engine.stream.frames import FrameService
from engine.types import Timings

CLOSING = gif.CLOSING


def cine_in(archive: Archive, record: InstanceRecord) -> Cine:
    """How fast the frames of an instance follow each other; waits for the disk.

    Raises
    ------
    CorruptInstance, MalformedDataSet, TooLarge
    """
    assert record.frame_table is not None
    return cine_of(lambda tag: archive.bulk_value(record, [tag]), len(record.frame_table))


async def common_window(
    frames: FrameService, shown: Sequence[tuple[InstanceRecord, int]], spec: RenderSpec, timings: Timings
) -> Window | None:
    """One window for frames that nothing has one for, from the first, the middle and the last: what differs between frames must not
    be evened out, nor flicker. None where frames have their own.

    Raises
    ------
    As `FrameService.rendered`.
    """
    lows, highs = [], []
    for place in sorted({0, len(shown) // 2, len(shown) - 1}):
        record, index = shown[place]
        found = await frames.automatic_window(record, index, spec, timings)
        if found is None:
            return None
        lows.append(found.center - found.width / 2)
        highs.append(found.center + found.width / 2)
    return range_window(min(lows), max(highs))


class Animation:
    """The blocks of one animation.

    Attributes
    ----------
    size : width and height of its first picture, which the others must fit into.
    """

    def __init__(self, first: bytes, cine: Cine) -> None:
        self.size = gif.size_of(first)
        self.opening = gif.opening(*self.size, is_looping=cine.is_looping)
        self._times = iter(cine.hundredths())

    def fits(self, picture: bytes) -> bool:
        """Whether a picture (a GIF) is no larger than the first one."""
        width, height = gif.size_of(picture)
        return width <= self.size[0] and height <= self.size[1]

    def next(self, picture: bytes) -> bytes:
        """The block of the next picture."""
        return gif.frame(picture, self.size, next(self._times))
