"""One series of a session: what it is made of, what is held of it, and frames as they refine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from voxcast.client import pixels
from voxcast.client.errors import ClosedError, ProtocolError, SeriesError, StreamError
from voxcast.client.holding import Holding
from voxcast.client.records import Kind, Record
from voxcast.client.stored import photometric_of
from voxcast.client.table import FrameEntry, SeriesTable


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as fine as it was when it was decoded.

    Attributes
    ----------
    values : (rows, columns[, samples]), the caller's own; stored values, neither rescaled nor windowed.
    halvings : how often the sides are halved, rounded up; 0: all of it.
    is_approximate : the values are near those of the frame in that size, not the same: an approximate beginning.
    is_exact : the values are those that were stored, where the transfer syntax of the entry is a lossless one.
    """

    position: int
    entry: FrameEntry
    values: pixels.Array
    halvings: int

    @property
    def is_exact(self) -> bool:
        return self.halvings == 0

    @property
    def photometric_interpretation(self) -> str:
        """Of `values`: decoders give RGB of most colour that is stored as YCbCr."""
        return photometric_of(self.entry)

    @property
    def is_approximate(self) -> bool:
        return self.entry.has_approximate and self.halvings >= self.entry.small_halvings


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame as the server has drawn it.

    Attributes
    ----------
    number : of the way of drawing that was asked for: a late picture of another window is known by it.
    data : a JPEG or WebP file.
    """

    position: int
    number: int
    data: bytes


class Owner(Protocol):
    """What a series asks of its session."""

    def forget(self, series: Series, kept: dict[int, int]) -> None: ...
    def reopen(self, series: Series) -> None: ...
    def shut(self, series: Series) -> None: ...


class Series:
    """Made by `Session.open`; one event loop.

    Attributes
    ----------
    study_instance_uid, series_instance_uid
    failures : frames that the server cannot read, by position: they will not come.
    repeated_bytes : that came though they were held: what was under way when the series was opened again.
    """

    def __init__(self, number: int, study_instance_uid: str, series_instance_uid: str, owner: Owner) -> None:
        self.number, self._owner = number, owner
        self.study_instance_uid, self.series_instance_uid = study_instance_uid, series_instance_uid
        self.failures: dict[int, SeriesError] = {}
        self._holding: Holding | None = None
        self._end: StreamError | None = None
        self._fresh: list[tuple[set[int], asyncio.Event]] = []  # of each iterator: what has changed since it looked
        self._drawn: list[tuple[dict[int, Picture], asyncio.Event]] = []
        self._changed = asyncio.Event()

    # what there is

    async def table(self) -> SeriesTable:
        """What the series is made of, once the server has told.

        Raises
        ------
        SeriesError : it cannot be opened.
        ClosedError, ConnectionLost, ProtocolError
        """
        while self._holding is None:
            if self._end is not None:
                raise self._end
            self._changed.clear()
            await self._changed.wait()
        return self._holding.table

    @property
    def byte_count(self) -> int:
        """Bytes held of all frames."""
        return 0 if self._holding is None else self._holding.size

    @property
    def repeated_bytes(self) -> int:
        return 0 if self._holding is None else self._holding.repeated

    def bytes(self, position: int) -> bytes:
        """The first bytes of a frame, as many as are held."""
        return b"" if self._holding is None else self._holding.bytes(position)

    def halvings(self, position: int) -> int:
        """How often the sides are halved in what is held of a frame: 0 for all of it, -1 when it shows nothing yet."""
        if self._holding is None:
            return -1
        return self._holding.table.entry(position).halvings(self._holding.count(position))

    @property
    def is_whole(self) -> bool:
        """Whether every frame that can be read is held to its last byte."""
        holding = self._holding
        return holding is not None and all(
            holding.count(at) == entry.size for at, entry in enumerate(holding.table.frames) if at not in self.failures
        )

    async def frame(self, position: int) -> Frame | None:
        """A frame as fine as it is held now, decoded on a thread; None when it shows nothing yet.

        Raises
        ------
        UndecodableFrame
        """
        halvings = self.halvings(position)
        if halvings < 0:
            return None
        assert self._holding is not None
        entry = self._holding.table.entry(position)
        data = self._holding.bytes(position)[: entry.ends[len(entry.ends) - 1 - halvings]]
        values = await asyncio.to_thread(pixels.decode, entry, data, halvings)
        return Frame(position, entry, values, halvings)

    async def frames(
        self, positions: Collection[int] | None = None, *, until_exact: bool = True
    ) -> AsyncIterator[Frame]:
        """Frames as they refine. Who is slow misses steps between, never the last one: no more waits than there are frames.

        Parameters
        ----------
        positions : only these; None for all.
        until_exact : end when all of them came exactly, or cannot be read (`failures`); else at the series' end. A memory that
            is smaller than the series never comes to that end.

        Raises
        ------
        SeriesError, UndecodableFrame, ConnectionLost, ProtocolError
        """
        table = await self.table()
        wake = asyncio.Event()
        fresh = {at for at in range(len(table.frames)) if self.halvings(at) >= 0}
        mine = (fresh, wake)
        self._fresh.append(mine)
        exact: set[int] = set()
        tag = table.tag
        try:
            while True:
                if self._end is not None:
                    if isinstance(self._end, ClosedError):
                        return
                    raise self._end
                assert self._holding is not None
                if self._holding.table.tag != tag:
                    tag, exact = self._holding.table.tag, set()
                while fresh:
                    position = fresh.pop()
                    if positions is not None and position not in positions:
                        continue
                    frame = await self.frame(position)
                    if frame is None:
                        continue
                    if frame.is_exact:
                        exact.add(position)
                    yield frame
                wanted = range(len(self._holding.table.frames)) if positions is None else positions
                if until_exact and all(at in exact or at in self.failures for at in wanted):
                    return
                if not fresh and self._end is None:
                    wake.clear()
                    await wake.wait()
        finally:
            self._fresh.remove(mine)

    async def pictures(self) -> AsyncIterator[Picture]:
        """Pictures that viewports have asked for by ``picture`` in their look, until the series' end.

        Who is slow gets the last one of each position only. After a lost connection the server knows of none that were sent, and
        draws what is looked at again.

        Raises
        ------
        SeriesError, ConnectionLost, ProtocolError
        """
        drawn: dict[int, Picture] = {}
        wake = asyncio.Event()
        mine = (drawn, wake)
        self._drawn.append(mine)
        try:
            while self._end is None:
                while drawn:
                    yield drawn.pop(next(iter(drawn)))
                if self._end is None:
                    wake.clear()
                    await wake.wait()
            if not isinstance(self._end, ClosedError):
                raise self._end
        finally:
            self._drawn.remove(mine)

    # what the owner may do

    def forget(self, kept: dict[int, int]) -> None:
        """Give up bytes of frames: position → bytes to keep. They come again when a viewport wants them."""
        if self._holding is not None and self._end is None:
            for position, keep in kept.items():
                self._holding.forget(position, keep)
            self._owner.forget(self, kept)

    def refresh(self) -> None:
        """Open it again: it may have grown."""
        if self._end is None:
            self._owner.reopen(self)

    def close(self) -> None:
        """No more of it; iterators end, its bytes are forgotten."""
        if self._end is None:
            self._owner.shut(self)
            self.ended(ClosedError("the series was closed"))
            self._holding = None

    # what the session calls

    def word(self) -> dict[str, Any]:
        """The word that opens it, with what is held already."""
        word: dict[str, Any] = {
            "type": "open", "series": self.number, "study": self.study_instance_uid,
            "seriesInstanceUID": self.series_instance_uid, "small": True, "approximate": True,
        }  # fmt: skip
        if self._holding is not None:
            word |= {"tag": self._holding.table.tag, "held": self._holding.said()}
        return word

    def renewed(self) -> None:
        """A new connection."""
        if self._holding is not None:
            self._holding.renewed()

    def told(self, table: SeriesTable, is_held_counted: bool) -> None:
        """The server's table; bytes held before count only if it says so."""
        before = self._holding
        if is_held_counted:
            if before is None or before.table.tag != table.tag:
                raise ProtocolError("bytes of another tag are said to count")
        else:
            self._holding = Holding(table)
            self.failures.clear()
        self._changed.set()
        self._tell(())

    def took(self, record: Record) -> None:
        """Bytes of frames, or word that some are to be dropped."""
        holding = self._holding
        if holding is None:
            raise ProtocolError(f"bytes of series {self.number} before its table")
        if record.kind == Kind.CHUNK:
            self._grow(holding, record.position, record.detail, record.payload)
        elif record.kind == Kind.RUN:
            begin = 0
            for position in range(record.position, record.position + record.detail):
                end = begin + holding.table.end(position, record.level)
                if end > len(record.payload):
                    raise ProtocolError("a run that is shorter than its frames")
                self._grow(holding, position, 0, record.payload[begin:end])
                begin = end
            if begin != len(record.payload):
                raise ProtocolError("a run that is longer than its frames")
        elif record.kind == Kind.PICTURE:
            for drawn, wake in self._drawn:
                drawn.pop(record.position, None)
                drawn[record.position] = Picture(record.position, record.detail, bytes(record.payload))
                wake.set()
        elif record.kind == Kind.DROP:
            holding.table.entry(record.position)
            holding.drop(record.position, record.detail)

    def failed(self, error: SeriesError) -> None:
        """A frame cannot be read; or the series cannot be opened, or not any more."""
        if error.position is None:
            self.ended(error)
        else:
            self.failures[error.position] = error
            self._tell(())

    def ended(self, reason: StreamError) -> None:
        """Nothing more comes."""
        if self._end is None:
            self._end = reason
            self._changed.set()
            self._tell(())

    def _grow(self, holding: Holding, position: int, first: int, payload: memoryview) -> None:
        entry = holding.table.entry(position)
        before = entry.halvings(holding.count(position))
        if holding.append(position, first, payload) and entry.halvings(holding.count(position)) != before:
            self._tell((position,))

    def _tell(self, positions: Iterable[int]) -> None:
        for fresh, wake in self._fresh:
            fresh.update(positions)
            wake.set()
        if self._end is not None:
            for _, wake in self._drawn:
                wake.set()
