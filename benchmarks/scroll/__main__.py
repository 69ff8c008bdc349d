"""Readers on lines, strategies side by side, in simulated time.

    python -m benchmarks.scroll [--persona NAME]... [--line WORD]... [--strategy NAME]... [--side PIXELS] [--page]

Nothing is measured with a clock: the same code gives the same figures on any machine. What it leaves out: TCP's congestion control
(the line carries its bandwidth at once, to every strategy alike), decoding, and the server's own time. `--page` writes the table
into docs/stream.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.measure import RESULTS
from benchmarks.scroll.figures import figures
from benchmarks.scroll.line import LINES
from benchmarks.scroll.others import Cornerstone, Latest, Sequential
from benchmarks.scroll.ours import Ours
from benchmarks.scroll.page import cells, with_table
from benchmarks.scroll.personas import PERSONAS, Trace
from benchmarks.scroll.simulation import run
from benchmarks.scroll.strategies import SIDE, Strategy

EXACT = "voxcast, exact beginnings"  # only where it is named
STRATEGIES: dict[str, Callable[[Trace, int], Strategy]] = {
    "voxcast": Ours, EXACT: partial(Ours, is_approximate=False),
    "cornerstone3D": Cornerstone, "sequential": Sequential, "latest only": Latest,
}  # fmt: skip
PAGE = Path(__file__).parents[2] / "docs" / "stream.md"
BEGIN, END = "<!-- simulated: made by `python -m benchmarks.scroll --page` -->", "<!-- end of simulated -->"


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    rows: list[dict[str, object]] = []
    for persona in options.persona or PERSONAS:
        trace = PERSONAS[persona]()
        for line in LINES:
            if options.line and not any(word in line.name for word in options.line):
                continue
            for name in options.strategy or [name for name in STRATEGIES if name != EXACT]:
                found = figures(run(trace, line, STRATEGIES[name](trace, options.side)), options.side)
                rows.append({"reader": trace.name, "line": line.name, "strategy": name} | asdict(found))
                print("  ".join(cells(trace.name, line.name, name, found)), flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "scroll.json").write_text(json.dumps(rows, indent=1) + "\n")
    if options.page:
        PAGE.write_text(with_table(PAGE.read_text(), rows, BEGIN, END))
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scroll", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--persona", action="append", choices=list(PERSONAS), help="this reader only; may be repeated")
    parser.add_argument(
        "--line", action="append", metavar="WORD", help="lines whose name has this word; may be repeated"
    )
    parser.add_argument("--strategy", action="append", choices=list(STRATEGIES), help="may be repeated")
    parser.add_argument("--side", type=int, default=SIDE, help="the viewport's pixels a side")
    parser.add_argument("--page", action="store_true", help="write the table into docs/stream.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
