"""Pictures that the server draws for the viewports of one session: for clients that have no decoder, or no power for one.

A viewport's pictures are a supply of their own to the scheduler, and another window is another supply: what was granted of the
one before is void then, whether it is being drawn or waits for its turn on the line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.archive.archive import Archive
from engine.codec.base import Array
from engine.errors import EngineError
from engine.imaging.size import Region
from engine.imaging.spec import RenderSpec
from engine.stream.flight import Flight
from engine.stream.frames import Drawing, FrameService
from engine.stream.framing import Picture
from engine.stream.grant import Grant
from engine.stream.opened import OpenSeries
from engine.stream.supply import Supply
from engine.types import Timings

REACH = 2  # neighbours drawn ahead at rest, unless told: each is a window's work thrown away when it changes
_BYTES_A_PIXEL = 0.12  # of a JPEG of quality 80 of CT: what a picture is taken for until it is made


@dataclass(frozen=True, slots=True)
class DrawnKey:
    """The pictures of one viewport in one way, as the scheduler knows them; `serial` tells apart what was before."""

    number: int
    viewport: int
    picture: Picture
    serial: int


class Pictures:
    """One event loop. What is drawn for a grant is begun when it comes, and taken, or left, when its turn on the line has come."""

    def __init__(self, archive: Archive, frames: FrameService) -> None:
        self._archive, self._frames = archive, frames
        self._keys: dict[int, tuple[DrawnKey, OpenSeries]] = {}
        self._supplies: dict[int, tuple[OpenSeries, int, Supply]] = {}
        self._flights: dict[Grant, Flight[bytes] | EngineError] = {}
        self._serial = 0

    def key(self, viewport: int) -> DrawnKey | None:
        """The pictures that a viewport gets."""
        found = self._keys.get(viewport)
        return None if found is None else found[0]

    def wants(self, viewport: int, number: int, series: OpenSeries, picture: Picture) -> tuple[DrawnKey, Supply | None]:
        """Its key, and the supply to offer under it where it is a new one."""
        found = self._keys.get(viewport)
        if found is not None and (found[0].number, found[0].picture, found[1]) == (number, picture, series):
            return found[0], None
        self._serial += 1
        key = DrawnKey(number, viewport, picture, self._serial)
        self._keys[viewport] = key, series
        return key, self._supply(viewport, series, picture)

    def close(self, viewport: int) -> DrawnKey | None:
        """It wants none any more; the key that is to be withdrawn."""
        self._supplies.pop(viewport, None)
        found = self._keys.pop(viewport, None)
        return None if found is None else found[0]

    def of_series(self, number: int) -> list[int]:
        """The viewports that get pictures of that series."""
        return [viewport for viewport, (key, _) in self._keys.items() if key.number == number]

    def begin(self, grant: Grant) -> None:
        """Draw what was granted. Errors come out of `take`."""
        key = grant.series
        assert isinstance(key, DrawnKey)
        found = self._keys.get(key.viewport)
        if found is None or found[0] is not key:
            return  # void already
        frame, picture = found[1].pieces.frames[grant.position], key.picture
        is_smaller = picture.width < frame.columns or picture.height < frame.rows
        spec = RenderSpec(
            window=picture.window,
            width=picture.width if is_smaller else None,
            height=picture.height if is_smaller else None,
        )
        drawing = Drawing("inverted", _inverted) if picture.is_inverted else None
        try:
            record = self._archive.instance(frame.sop_instance_uid, found[1].uids[0])
            self._flights[grant] = self._frames.begin(
                record, frame.frame_index, spec, picture.media_type, picture.quality, Timings(), drawing
            )
        except EngineError as error:
            self._flights[grant] = error

    def flight(self, grant: Grant) -> Flight[bytes] | None:
        """What is being drawn for a grant; to be left by `leave`. None: nothing was begun.

        Raises
        ------
        EngineError : it cannot be.
        """
        found = self._flights.get(grant)
        if isinstance(found, EngineError):
            raise found
        return found

    def leave(self, grant: Grant) -> None:
        """Nobody waits for it any more: work that has not begun is dropped. No harm when nothing was begun."""
        found = self._flights.pop(grant, None)
        if isinstance(found, Flight):
            self._frames.leave(found)

    def end(self) -> None:
        """The session is over."""
        for grant in list(self._flights):
            self.leave(grant)

    def _supply(self, viewport: int, series: OpenSeries, picture: Picture) -> Supply:
        """The same one for windows of one size: it takes milliseconds for thousands of frames, and a drag has sixty a second."""
        rows, columns = series.supply.rows, series.supply.columns
        share = min(1.0, picture.width / columns, picture.height / rows)
        size = max(1024, round(rows * columns * share * share * _BYTES_A_PIXEL * max(picture.quality, 20) / 80))
        before = self._supplies.get(viewport)
        if before is not None and before[:2] == (series, size):
            return before[2]
        made = Supply.of([(size,)] * series.supply.positions, rows, columns, is_whole=True)
        self._supplies[viewport] = series, size, made
        return made


def _inverted(display: Array, _: Region) -> Array:
    return np.subtract(np.uint8(255), display, dtype=np.uint8)
