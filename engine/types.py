"""Words that every room uses: where bytes are, who sent them, how long the steps took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview
DOORS = ("c-store", "stow", "import")


@dataclass(frozen=True, slots=True)
class Location:
    """Where the Part 10 bytes of one stored instance are.

    Attributes
    ----------
    segment : int
        Number of the segment file.
    offset : int
        First byte of the Part 10 stream (its preamble) in that segment.
    length : int
        Bytes of the Part 10 stream.
    """

    segment: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Source:
    """Who sent an instance: the door and the peer at it (an AE title, an address, a file's name; never a patient).

    Attributes
    ----------
    called : AE title that it was sent to; empty at doors without one.
    """

    door: str  # one of DOORS
    peer: str = ""
    called: str = ""


@dataclass(slots=True)
class Timings:
    """Milliseconds of each step of one request, for ``Server-Timing`` (one owner, not shared between threads)."""

    steps: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def step(self, name: str) -> _Step:
        """Add the time of a ``with`` block to the step called `name`."""
        return _Step(self, name)

    def add(self, name: str, ms: float) -> None:
        self.steps[name] = self.steps.get(name, 0.0) + ms

    def note(self, name: str, text: str) -> None:
        """Say something about the work, in plain words without quotation marks, and nothing of a patient."""
        self.notes[name] = text

    def header(self) -> str:
        """Value of the ``Server-Timing`` header."""
        steps = ", ".join(f"{name};dur={ms:.3f}" for name, ms in self.steps.items())
        return steps + "".join(f', {name};desc="{text}"' for name, text in self.notes.items())


class _Step:
    __slots__ = ("_name", "_start", "_timings")

    def __init__(self, timings: Timings, name: str) -> None:
        self._timings, self._name = timings, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._timings.add(self._name, (time.perf_counter() - self._start) * 1e3)
