"""A series as a session has it open: its pieces, the ladder that the scheduler knows, and the table that tells a client of both."""

from __future__ import annotations

import hashlib
import json
import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from engine.archive.archive import Archive
from engine.archive.renditions.asking import Asking
from engine.archive.renditions.shelf import Shelf
from engine.archive.renditions.supply import FramePieces, SeriesPieces, pieces
from engine.errors import NoPixels, SeriesNotFound
from engine.stream.supply import Supply

_State = tuple[int, tuple[int, int, int] | None]  # the version of a series, and which file its pack is
_FRAMES_KEPT = 20_000  # of series that were opened last; some 500 bytes each
_PACKING = 3  # of 1 000 frames: 38 kB in 3 ms; 6 takes 10 ms for 2 kB less


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class OpenSeries:
    """One for all sessions that have the same series, of the same pieces, open. Any thread.

    Attributes
    ----------
    tag : str
        The same for the same frames in the same pieces: what a client held of one it holds of the other.
    table : bytes
        JSON, packed as zlib does (RFC 1950); docs/stream.md has its members.
    """

    pieces: SeriesPieces
    supply: Supply
    tag: str
    table: bytes


class OpenedSeries:
    """Opens series of one archive; any thread. What was opened last stays for those who open it next: 40 µs instead of 20 ms."""

    def __init__(self, archive: Archive, shelf: Shelf, asking: Asking) -> None:
        self._archive, self._shelf, self._asking = archive, shelf, asking
        self._open: WeakValueDictionary[tuple[str, str, str], OpenSeries] = WeakValueDictionary()
        self._latest: OrderedDict[tuple[str, str], tuple[_State, OpenSeries]] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, study_uid: str, series_uid: str) -> OpenSeries:
        """The series as it is now; blocks (index, disk). What is not made of it yet is asked for.

        Raises
        ------
        SeriesNotFound
        NoPixels : nothing in it has frames.
        """
        try:
            series = self._archive.series(study_uid, series_uid)
        except SeriesNotFound:
            with self._lock:
                self._latest.pop((study_uid, series_uid), None)
            raise
        pack = self._shelf.find(study_uid, series_uid)
        state = series.version, None if pack is None else (*pack.identity, pack.size_bytes)
        with self._lock:
            before = self._latest.get((study_uid, series_uid))
        if before is not None and before[0] == state:
            found = before[1]
            if pack is not None:
                self._shelf.touch(pack)
        else:
            found = self._made(study_uid, series_uid)
        with self._lock:
            self._latest[study_uid, series_uid] = state, found
            self._latest.move_to_end((study_uid, series_uid))
            while self._frames() > _FRAMES_KEPT and len(self._latest) > 1:
                self._latest.popitem(last=False)
        if not found.pieces.is_complete:
            self._asking.ask(study_uid, series_uid, is_urgent=True)
        return found

    def _frames(self) -> int:
        return sum(len(one.pieces.frames) for _, one in self._latest.values())

    def _made(self, study_uid: str, series_uid: str) -> OpenSeries:
        found = pieces(self._archive, self._shelf, study_uid, series_uid)
        if not found.frames:
            raise NoPixels(series_uid)
        tag = _tag(found)
        with self._lock:
            before = self._open.get((study_uid, series_uid, tag))
            if before is not None:
                return before
        made = OpenSeries(found, _supply(found.frames), tag, _table(found, tag))
        with self._lock:
            return self._open.setdefault((study_uid, series_uid, tag), made)


def _supply(frames: Sequence[FramePieces]) -> Supply:
    """A frame of fewer resolutions than others has nothing of its own at the coarsest levels."""
    levels = max(len(frame.ends) for frame in frames)
    ends = [(frame.ends[0],) * (levels - len(frame.ends)) + frame.ends for frame in frames]
    return Supply.of(ends, max(frame.rows for frame in frames), max(frame.columns for frame in frames))


def _tag(found: SeriesPieces) -> str:
    made = hashlib.sha256(str(found.is_complete).encode())
    for frame in found.frames:
        made.update(f"{frame.sop_instance_uid} {frame.frame_index} {frame.transfer_syntax_uid} {frame.ends}\n".encode())
    return made.hexdigest()[:32]


def _table(found: SeriesPieces, tag: str) -> bytes:
    frames = found.frames
    levels = max(len(frame.ends) for frame in frames)
    texts: dict[str, int] = {}
    instances: dict[str, int] = {}

    def number(of: dict[str, int], text: str) -> int:
        return of.setdefault(text, len(of))

    rows: list[list[Any]] = [
        [
            number(instances, frame.sop_instance_uid), frame.frame_index + 1, frame.rows, frame.columns,
            number(texts, frame.transfer_syntax_uid), number(texts, frame.photometric_interpretation), frame.bits,
            *frame.ends,
        ]
        for frame in frames
    ]  # fmt: skip
    told = {
        "tag": tag, "isComplete": found.is_complete, "levels": levels, "instances": list(instances), "texts": list(texts),
        "frames": rows,
    }  # fmt: skip
    return zlib.compress(json.dumps(told, separators=(",", ":")).encode(), _PACKING)
