"""A session's first pictures: python -m benchmarks.readers.opening [--keep FOLDER] [--rounds 20].

On loopback: from the word `open` to a picture of the slice looked at, and to all of it. Over 30 Mbit/s and 10 ms: a volume of
174 slices until it is usable (every fourth slice at a quarter of its sides), until every slice is there so, and until all is exact;
cornerstone3D publishes 1002 ms for the second.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.links.namespaces import Namespace, why_not
from benchmarks.links.site import Site
from benchmarks.measure import RESULTS
from benchmarks.readers.cells import LINKS, run
from benchmarks.readers.material import Look, prepared
from benchmarks.readers.server import Served, voxcast
from benchmarks.scroll.strategies import SIDE

_LINE = "30 Mbit/s, 10 ms"
_QUARTER = 3  # levels from the last


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path, help="make the series here, and find them here the next time")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--control", default="cubic", choices=("cubic", "bbr", "reno"))
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers and links are ended all the same
    missing = why_not()
    if missing:
        print(missing, file=sys.stderr)
        return 1
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="readers-")))
        material = prepared(folder, ("volume", "left"))
        site = stack.enter_context(Site())
        served = stack.enter_context(voxcast(material.archive, site.server, site.folder / "voxcast", options.control))
        link = site.link(LINKS[_LINE])
        found = {
            "loopback": times(site.server, served, material.series["left"], "around", options.rounds, site.folder),
            "loopback, 174 slices": times(site.server, served, material.series["volume"], "around", options.rounds, site.folder),
            _LINE: times(link.reader, served, material.series["volume"], "volume", options.rounds // 3, site.folder),
        }  # fmt: skip
    for where, rows in found.items():
        for name, values in rows.items():
            low, median, high = (float(np.percentile(values, p)) for p in (0, 50, 100))
            print(f"{where}: {name}: {median:.1f} ms ({low:.1f} to {high:.1f})")
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "opening.json").write_text(json.dumps(found, indent=1) + "\n")
    return 0


def times(
    where: Namespace, served: Served, look: Look, spread: str, rounds: int, folder: Path
) -> dict[str, list[float]]:
    """Milliseconds of each round, by what was waited for."""
    supply = look.streamed
    last = supply.levels - 1
    levels = (0, max(0, supply.levels - _QUARTER), last)
    job = look.job() | {
        "url": served.url, "rounds": rounds, "spread": spread, "side": SIDE, "position": supply.positions // 2,
        "ends": [[supply.end(position, level) for level in levels] for position in range(supply.positions)],
    }  # fmt: skip
    (folder / "open.json").write_text(json.dumps(job))
    run(where, "benchmarks.readers.opener", folder / "open.json", folder / "times.json", 30.0 + 25.0 * rounds)
    found: dict[str, list[float]] = json.loads((folder / "times.json").read_text())
    return found


if __name__ == "__main__":
    sys.exit(main())
