"""What the readers look at: generated CT series in an archive, their packs made, and the same code streams as files.

A slice of the phantom has about 170 kB as lossless HTJ2K; the archive holds it in native form, as most modalities send it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from engine.archive.archive import Archive
from engine.archive.renditions.asking import Asking
from engine.archive.renditions.shelf import Shelf
from engine.archive.renditions.supply import pieces
from engine.cli.phantom import PhantomSeries, instance
from engine.ingest.accept import Accepted, Acceptor
from engine.limits import Limits
from engine.metrics import Metrics
from engine.stream.framing import Front
from engine.stream.making import SeriesMaker
from engine.stream.opened import OpenedSeries
from engine.stream.supply import Supply
from engine.types import Source

SERIES: Mapping[str, PhantomSeries] = {
    "left": PhantomSeries(slices=1000),
    "right": PhantomSeries(slices=1000, series_number=2),
    "loop": PhantomSeries(slices=90, series_number=3),
    "volume": PhantomSeries(slices=174, series_number=4),
    # what the page shows
    "page": PhantomSeries(slices=140, series_number=5),
    "first": PhantomSeries(slices=300, series_number=6),
    "second": PhantomSeries(slices=300, series_number=7),
    "third": PhantomSeries(slices=300, series_number=8),
}
_READERS = ("left", "right", "loop", "volume")
_LIMITS = Limits(rendition_reserve_bytes=1)
_AHEAD = 16
_FINISHED = "finished.json"


@dataclass(frozen=True, slots=True)
class Look:
    """One series as a client finds it.

    Attributes
    ----------
    name : of its folder of files.
    frames : of each position, SOP Instance UID and frame number.
    supply : the byte ends of its frames' resolutions.
    streamed : the same as a session has them that asks for approximate beginnings.
    """

    name: str
    study_instance_uid: str
    series_instance_uid: str
    frames: tuple[tuple[str, int], ...]
    supply: Supply
    streamed: Supply

    def job(self) -> dict[str, Any]:
        """What a reader process is told of it."""
        return {
            "name": self.name, "study": self.study_instance_uid, "series": self.series_instance_uid,
            "frames": self.frames,
        }  # fmt: skip

    @property
    def slice_bytes(self) -> float:
        """The usual size of a whole frame."""
        return float(np.median([self.supply.size(position) for position in range(self.supply.positions)]))


@dataclass(frozen=True, slots=True)
class Material:
    """An archive, a folder of files ``NAME/POSITION``, and the series in them."""

    archive: Path
    files: Path
    series: dict[str, Look]


def prepared(folder: Path, names: tuple[str, ...] = _READERS) -> Material:
    """Everything made in `folder`; what an earlier run finished there is used as it is (half a minute otherwise)."""
    archive_path, files = folder / "archive", folder / "files"
    finished = folder / _FINISHED
    have = set(json.loads(finished.read_text())) if finished.exists() else set()
    archive = Archive.open(archive_path, _LIMITS)
    try:
        shelf = Shelf(archive_path, _LIMITS)
        for name in names:
            if name not in have:
                _store(archive, SERIES[name])
                _make(archive, shelf, SERIES[name])
                _write(archive, shelf, SERIES[name], files / name)
                have.add(name)
                finished.write_text(json.dumps(sorted(have)))
        opened = OpenedSeries(archive, shelf, Asking(None))
        return Material(archive_path, files, {name: _look(archive, shelf, opened, name) for name in names})
    finally:
        archive.close()


def _store(archive: Archive, series: PhantomSeries) -> None:
    acceptor = Acceptor(archive, _LIMITS)
    waiting: deque[Future[Accepted]] = deque()
    try:
        with ProcessPoolExecutor(2) as pool:
            for index, part10 in enumerate(pool.map(partial(instance, series), range(series.slices), chunksize=8)):
                waiting.append(acceptor.submit(part10, Source("import", f"phantom {index}")))
                if len(waiting) > _AHEAD:
                    waiting.popleft().result(60)
        for one in waiting:
            one.result(60)
    finally:
        acceptor.close()


def _make(archive: Archive, shelf: Shelf, series: PhantomSeries) -> None:
    maker = SeriesMaker(archive, shelf, _LIMITS, Metrics())
    made = sum(step.is_made for step in maker.make(series.study_instance_uid, series.series_instance_uid, 1))
    if made != series.slices:
        raise AssertionError(f"{made} of {series.slices} renditions made")


def _write(archive: Archive, shelf: Shelf, series: PhantomSeries, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    found = pieces(archive, shelf, series.study_instance_uid, series.series_instance_uid)
    for position, frame in enumerate(found.frames):
        (folder / str(position)).write_bytes(found.read_bytes(position, 0, frame.ends[-1]))


def _look(archive: Archive, shelf: Shelf, opened: OpenedSeries, name: str) -> Look:
    series = SERIES[name]
    uids = series.study_instance_uid, series.series_instance_uid
    found = pieces(archive, shelf, *uids)
    frames = tuple((frame.sop_instance_uid, frame.frame_index + 1) for frame in found.frames)
    return Look(name, *uids, frames, opened.open(*uids).supply, opened.open(*uids, Front.APPROXIMATE).supply)
