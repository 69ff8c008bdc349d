"""How renditions stand, for people: of the whole folder, and of one series."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from engine.archive.records import SeriesSummary
from engine.archive.renditions.pack import FrameKind, Pack
from engine.archive.renditions.shelf import Shelf

STATE_FILE = "renditions.json"  # below run/: what the process that makes packs is at


@dataclass(frozen=True, slots=True)
class Overview:
    """`making`: study and series whose pack is being made; None while nothing is. `waiting`: series that are to follow."""

    packs: int
    bytes: int
    making: tuple[str, str] | None
    waiting: int


@dataclass(frozen=True, slots=True)
class SeriesState:
    """One series.

    Attributes
    ----------
    is_complete : the pack is of the series as it is now.
    made, kept : frames with a code stream in the pack, and frames that are stored as one.
    stored : why frames are served as they are stored, and how many for each reason.
    coarse_bytes : of the small pictures.
    """

    is_complete: bool
    bytes: int
    coarse_bytes: int
    made: int
    kept: int
    stored: dict[str, int]


def overview(shelf: Shelf, archive_path: Path | None) -> Overview:
    """A directory scan."""
    shelved = shelf.listing()
    making, waiting = None, 0
    if archive_path is not None:
        try:
            said = json.loads((archive_path / "run" / STATE_FILE).read_text())
            waiting = int(said["waiting"])
            if said["making"] is not None:
                making = str(said["making"]["studyInstanceUID"]), str(said["making"]["seriesInstanceUID"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            pass  # none is at work
    return Overview(len(shelved), sum(one.size_bytes for one in shelved), making, waiting)


def state_of(shelf: Shelf, series: SeriesSummary) -> SeriesState:
    """Reads the series' pack."""
    pack = shelf.find(series.study_instance_uid, series.series_instance_uid)
    return _state(series, pack)


def _state(series: SeriesSummary, pack: Pack | None) -> SeriesState:
    if pack is None:
        return SeriesState(False, 0, 0, 0, 0, {})
    kinds = [pack[place].kind for place in range(len(pack))]
    return SeriesState(
        is_complete=(pack.version, pack.instance_count) == (series.version, series.instance_count),
        bytes=pack.size_bytes,
        coarse_bytes=len(pack.coarse),
        made=kinds.count(FrameKind.MADE),
        kept=kinds.count(FrameKind.KEPT),
        stored=dict(pack.reasons()),
    )
