"""Several readers at the end of one link, in one small program (`seats.cpp`): what they use of the processor is not the server's.

Each has its own session and its own throws; all begin within a second of a moment that all programs are told. What they say is
written down before, what came to them is looked at when all have ended: so nothing but talking happens meanwhile.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.links.compiling import compiled
from benchmarks.readers.arrivals import Arrivals
from benchmarks.readers.hand import cut, said_of
from benchmarks.readers.streaming import SERIES, BadStream, Records
from benchmarks.scroll.personas import Trace, fling

_SOURCE = Path(__file__).with_name("seats.cpp")
_WITHIN_S = 1.0
_READER = struct.Struct("<ddII")
_ROW = struct.Struct("<dBBxxIII")


@dataclass(frozen=True, slots=True)
class Seat:
    """One reader's throws, and what came: `late_s` is the most by which a word of the hand was late."""

    trace: Trace
    arrivals: Arrivals
    late_s: float


def traces(seeds: Sequence[int], seconds: float) -> list[Trace]:
    """The throws of these readers."""
    return [cut(fling(seed), seconds) for seed in seeds]


def write_job(target: Path, readers: Sequence[Trace]) -> None:
    """What the program is told of the hands."""
    lines: list[str] = []
    for index, trace in enumerate(readers):
        words = said_of(trace)
        lines.append(f"seat {_WITHIN_S * index / len(readers):.6f} {trace.seconds} {len(words)}")
        lines += [f"{one.at:.6f} {one.step.position} {one.velocity:.6f} {one.direction}" for one in words]
    target.write_text("\n".join(lines) + "\n")


def program() -> Path:
    """Raises CannotLink where it cannot be compiled."""
    return compiled(_SOURCE)


def command(
    host: str, port: int, study: str, series: str, side: int, job: Path, target: Path, begin_at: float
) -> list[str]:
    """The program's command line; `begin_at` of CLOCK_MONOTONIC. Raises as `program`."""
    return [
        str(program()), host, str(port), study, series, str(side), str(job), str(target), f"{begin_at:.6f}",
    ]  # fmt: skip


def read_seats(path: Path, readers: Sequence[Trace]) -> list[Seat]:
    """What the program has written, every record looked at. Raises BadStream, also for a file that is cut."""
    data, at, found = path.read_bytes(), 0, []
    try:
        for trace in readers:
            began, late_s, rows, table_bytes = _READER.unpack_from(data, at)
            at += _READER.size
            arrivals = Arrivals()
            arrivals.began = began
            records = Records(arrivals)
            if table_bytes:
                records.table(0, data[at : at + table_bytes])
            at += table_bytes
            for row in _ROW.iter_unpack(data[at : at + rows * _ROW.size]):
                now, kind, level, position, detail, length = row
                if kind != SERIES:
                    records.take(now, kind, level, 0, position, detail, length)
            at += rows * _ROW.size
            found.append(Seat(trace, arrivals, late_s))
    except struct.error:
        raise BadStream("what the readers have written is cut") from None
    if at != len(data):
        raise BadStream("what the readers have written is cut")
    return found
