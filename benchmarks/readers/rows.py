"""The rows of the table of readers, kept in a file, so that it can be measured a part at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from benchmarks.readers.cells import LINKS, STRATEGIES, Cell
from benchmarks.scroll.figures import Figures
from benchmarks.scroll.personas import PERSONAS

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One cell of the table."""

    persona: str
    line: str
    strategy: str


def row(want: Wanted, cell: Cell, seconds: float, load: float) -> Row:
    """What is kept of a cell; `seconds`: of the trace at most, `load`: of the machine before the run."""
    more = {"link_mb": cell.link_bytes / 1e6, "lost": cell.lost, "overflows": cell.overflows, "late_s": cell.late_s}
    about = {"reader": cell.log.trace.name, "line": want.line, "strategy": want.strategy}
    return about | asdict(cell.figures()) | more | {"seconds": seconds, "load": load}


def merged(before: Sequence[Row], now: Sequence[Row]) -> list[Row]:
    """Those of `now`, and of `before` the others, in the order of the table.

    Raises
    ------
    ValueError : a row of `before` has other figures than are made now, or is of no reader, line or strategy that there is.
    """
    names = {one.name for one in fields(Figures)}
    found: dict[tuple[int, int, int], Row] = {}
    for one in (*before, *now):
        if not names <= one.keys():
            raise ValueError(f"{_name(one)} has no {', '.join(sorted(names - one.keys()))}: it is to be measured again")
        found[_place(one)] = one
    return [found[place] for place in sorted(found)]


def read_rows(path: Path) -> list[Row]:
    """None, where nothing was measured yet."""
    return list(json.loads(path.read_text())["rows"]) if path.exists() else []


def about(rows: Sequence[Row]) -> str:
    """How long and how busily the rows of a table were measured, in one line for the page."""
    seconds = sorted({float(str(one["seconds"])) for one in rows})
    loads = [float(str(one["load"])) for one in rows]
    late_s = max(float(str(one["late_s"])) for one in rows)
    return (
        f"Measured over the first {' or '.join(f'{one:g}' for one in seconds)} s of each trace; load of the machine before it: "
        f"{min(loads):.1f} to {max(loads):.1f}; words of the hand late by {late_s * 1e3:.0f} ms at most."
    )


def _name(one: Row) -> str:
    return f"{one['reader']}, {one['line']}, {one['strategy']}"


def _place(one: Row) -> tuple[int, int, int]:
    readers = [persona().name for persona in PERSONAS.values()]
    try:
        return (
            readers.index(str(one["reader"])),
            list(LINKS).index(str(one["line"])),
            list(STRATEGIES).index(str(one["strategy"])),
        )
    except ValueError:
        raise ValueError(f"{_name(one)}: there is no such row") from None
