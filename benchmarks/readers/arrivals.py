"""What came to a client, and when: written by the reader's process, read by who makes figures of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.scroll.simulation import Arrival
from benchmarks.scroll.strategies import Parcel

Row = tuple[float, int, int, int, tuple[int, ...], int]  # seconds, viewport, window, position, ends, bytes


class Arrivals:
    """Rows of one reader; seconds since `begin`, which `clock` (CLOCK_MONOTONIC) gave."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.began = clock()
        self.rows: list[Row] = []

    def begin(self) -> None:
        """Now is zero."""
        self.began = self._clock()

    def now(self) -> float:
        return self._clock() - self.began

    def note(self, at: float, viewport: int, position: int, ends: tuple[int, ...], size: int, window: int = 0) -> None:
        """Bytes of frames from `position` on; each can be shown up to its end in `ends` now."""
        self.rows.append((at, viewport, window, position, ends, size))


def write(path: Path, arrivals: Arrivals, late_s: float) -> None:
    """Into a file, with how late the hand's words were at the worst."""
    path.write_text(json.dumps({"began": arrivals.began, "late_s": late_s, "rows": arrivals.rows}))


def read(path: Path) -> tuple[list[Arrival], float, float]:
    """Arrivals as the simulation has them, when they began (CLOCK_MONOTONIC), and how late the hand was."""
    said = json.loads(path.read_text())
    return rows_as_arrivals(said["rows"]), said["began"], said["late_s"]


def rows_as_arrivals(rows: Iterable[Row]) -> list[Arrival]:
    """As the simulation has them."""
    return [
        Arrival(at, at, Parcel((viewport, window), position, tuple(ends), size))
        for at, viewport, window, position, ends, size in rows
    ]
