"""Readers over real TCP, strategies side by side.

    python -m benchmarks.readers [--persona NAME]... [--line WORD]... [--strategy NAME]... [--seconds 20] [--beside 3]
                                 [--control cubic] [--keep FOLDER] [--merge] [--page] [--plot]

Server, links and readers share one machine, and the links' packets are carried by programs on the same processors: on a fast link
that is what is measured. `--beside` cells on slow links run at once, each with its own link and reader, all with one server.
`--merge` adds to what was measured before: the table may be made a part at a time. `--page` writes it into docs/stream.md, `--plot`
draws positions by quality and bytes over time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from benchmarks.links.namespaces import why_not
from benchmarks.links.site import Site
from benchmarks.measure import RESULTS
from benchmarks.readers.cells import LINKS, STRATEGIES, Cell, ReaderFailed, is_possible, measured
from benchmarks.readers.material import Material, prepared
from benchmarks.readers.rows import Wanted, about, merged, read_rows, row
from benchmarks.readers.server import Served, nginx, voxcast
from benchmarks.scroll.figures import Figures
from benchmarks.scroll.line import MBIT
from benchmarks.scroll.page import cells, with_table
from benchmarks.scroll.personas import PERSONAS

BEGIN, END = "<!-- measured: made by `python -m benchmarks.readers --page` -->", "<!-- end of measured -->"
_FAST = 100 * MBIT  # from here on cells would take each other's processor


class Bench:
    """A site with its servers; measures cells, several at once where that does not change them."""

    def __init__(self, site: Site, servers: dict[bool, Served], material: Material, seconds: float) -> None:
        self._site, self._servers, self._material, self._seconds = site, servers, material, seconds

    def cell(self, wanted: Wanted, number: int) -> Cell:
        strategy = STRATEGIES[wanted.strategy]
        folder = self._site.folder / f"cell{number}"
        with self._site.link(LINKS[wanted.line], seed=number + 1) as link:
            served = self._servers[strategy.is_static]
            return measured(link, served, self._material, wanted.persona, strategy, self._seconds, folder)

    def all(self, wanted: list[Wanted], beside: int) -> dict[Wanted, Cell]:
        found: dict[Wanted, Cell] = {}

        def one(number: int, want: Wanted) -> None:
            try:
                found[want] = cell = self.cell(want, number)
            except ReaderFailed as error:
                print(f"{want.persona}  {want.line}  {want.strategy}: failed, {error}", file=sys.stderr, flush=True)
                return
            say(want, cell)

        numbered = list(enumerate(wanted))
        slow = [pair for pair in numbered if LINKS[pair[1].line].rate < _FAST]
        with ThreadPoolExecutor(beside) as pool:
            list(pool.map(lambda pair: one(*pair), slow))
        for pair in numbered:
            if pair not in slow:
                one(*pair)
        return {want: found[want] for want in wanted if want in found}


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers and links are ended all the same
    missing = why_not()
    if missing:
        print(missing, file=sys.stderr)
        return 1
    load = os.getloadavg()[0]
    results = RESULTS / f"readers-{options.control}.json"
    before = merged(read_rows(results), []) if options.merge else []  # wrong ones are told before anything is measured
    wanted = [
        Wanted(persona, line, strategy)
        for persona in options.persona or PERSONAS
        for line in LINKS
        if not options.line or any(word in line for word in options.line)
        for strategy in options.strategy or STRATEGIES
        if is_possible(STRATEGIES[strategy], PERSONAS[persona]())
    ]
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="readers-")))
        material = prepared(folder)
        site = stack.enter_context(Site())
        ours = stack.enter_context(voxcast(material.archive, site.server, site.folder / "voxcast", options.control))
        files = stack.enter_context(nginx(material.files, site.server, site.folder / "nginx", options.control))
        said = ours.counter("stream_bytes")
        found = Bench(site, {False: ours, True: files}, material, options.seconds).all(wanted, options.beside)
        said = ours.counter("stream_bytes") - said
    delivered = sum(cell.link_bytes for want, cell in found.items() if want.strategy == "voxcast")
    print(
        f"the server says it streamed {said / 1e6:.1f} MB; the links delivered {delivered / 1e6:.1f} MB to its readers"
    )
    rows = [row(want, cell, options.seconds, load) for want, cell in found.items()]
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows = merged(before, rows)
    kept = {"control": options.control, "slice_bytes": material.series["left"].slice_bytes, "rows": rows}
    results.write_text(json.dumps(kept, indent=1) + "\n")
    if options.page:
        page = Path(__file__).parents[2] / "docs" / "stream.md"
        page.write_text(with_table(page.read_text(), rows, BEGIN, END, about(rows)))
    if options.plot:
        from benchmarks.readers.plots import draw

        draw(found, RESULTS)
    return 0 if len(found) == len(wanted) else 1


def say(want: Wanted, cell: Cell) -> None:
    found: Figures = cell.figures()
    more = f"link {cell.link_bytes / 1e6:.1f} MB, {cell.lost} lost, {cell.overflows} dropped, late {cell.late_s * 1e3:.0f} ms"
    print("  ".join((*cells(cell.log.trace.name, want.line, want.strategy, found), more)), flush=True)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--persona", action="append", choices=list(PERSONAS), help="may be repeated")
    parser.add_argument("--line", action="append", metavar="WORD", help="links whose name has this word")
    parser.add_argument("--strategy", action="append", choices=list(STRATEGIES), help="may be repeated")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each trace, from its begin")
    parser.add_argument("--beside", type=int, default=3, help="cells at once on links below 100 Mbit/s")
    parser.add_argument("--control", default="cubic", choices=("cubic", "bbr", "reno"), help="the servers' TCP")
    parser.add_argument("--keep", type=Path, help="make the series here, and find them here the next time")
    parser.add_argument("--merge", action="store_true", help="keep the rows of earlier runs that are not measured now")
    parser.add_argument("--page", action="store_true", help="write the table into docs/stream.md")
    parser.add_argument("--plot", action="store_true", help="draw into benchmarks/results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
