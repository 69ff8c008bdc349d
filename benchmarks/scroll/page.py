"""The table of readers, lines and strategies, as docs/stream.md has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

from benchmarks.scroll.figures import Figures

HEADER = (
    "reader", "line", "strategy", "picture in time", "≥ 1/4 size", "as needed", "blank", "first picture p99", "exact, median",
    "exact, worst", "lag of windows", "MB", "stale", "late",
)  # fmt: skip


def cells(reader: str, line: str, strategy: str, f: Figures) -> tuple[str, ...]:
    """One line of the table."""
    shares = (f"{share:.1%}" for share in (f.picture, f.quarter, f.needed, f.blank))
    times = (f"{ms:.0f} ms" for ms in (f.first_ms_p99, f.exact_ms_p50, f.exact_ms_worst, f.lag_ms_p50))
    return reader, line, strategy, *shares, *times, f"{f.megabytes:.0f}", f"{f.stale:.1%}", f"{f.late:.1%}"


def with_table(page: str, rows: Sequence[Mapping[str, object]], begin: str, end_mark: str, about: str = "") -> str:
    """The page with the table between its two marks made new, and a line about it in front."""
    before, mark, rest = page.partition(begin)
    _, end, after = rest.partition(end_mark)
    if not mark or not end:
        raise ValueError("the page has no place for the table")
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    for row in rows:
        f = Figures(**{one.name: row[one.name] for one in fields(Figures)})  # type: ignore[arg-type]
        lines.append("| " + " | ".join(cells(str(row["reader"]), str(row["line"]), str(row["strategy"]), f)) + " |")
    head = f"{about}\n\n" if about else ""
    return before + begin + "\n" + head + "\n".join(lines) + "\n" + end + after
