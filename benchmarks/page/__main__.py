"""The page by a reader's hand: list, first image, a fling, memory; OHIF of the same server beside it.

    python -m benchmarks.page [--rounds 5] [--keep FOLDER] [--only WORD]...

A CT of 140 slices of 512 × 512 is opened by a click in the list and flung through in 2.3 s, on loopback and over 30 Mbit/s and
10 ms; three CTs of 300 slices are shown side by side. All on the same processors: server, link, and a Chromium that draws by
software. The list's own figure at 100 000 studies: `--only list`. Traps: a busy machine (the load is told); OHIF opens by its
address, a click in its list costs more; it holds the last image where ours shows the coarse one of the position.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.links.namespaces import Namespace, why_not
from benchmarks.links.site import Site
from benchmarks.measure import RESULTS
from benchmarks.page.figures import fling
from benchmarks.readers.cells import LINKS, run
from benchmarks.readers.material import SERIES, prepared
from benchmarks.readers.server import Served, voxcast

_OHIF = Path(__file__).parents[2] / "build" / "clients" / "ohif"
_LINE = "30 Mbit/s, 10 ms"
_NAMES = ("page", "first", "second", "third")
_SECONDS = 2.3
_ROUND_S = 60.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="make the series here, and find them here the next time")
    parser.add_argument("--only", action="append", help="rows whose name has this word in it")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers and links are ended all the same
    missing = why_not()
    if missing:
        print(missing, file=sys.stderr)
        return 1
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="page-")))
        material = prepared(folder, _NAMES)
        site = stack.enter_context(Site())
        config = site.folder / "voxcast.toml"
        config.write_text(f'ohif = "{_OHIF}"\n' if _OHIF.is_dir() else "")
        served = stack.enter_context(
            voxcast(material.archive, site.server, site.folder / "voxcast", "cubic", "--config", str(config))
        )
        look = material.series["page"]
        job = {
            "url": served.url, "study": look.study_instance_uid, "series": look.series_instance_uid,
            "slices": SERIES["page"].slices, "seconds": _SECONDS,
            "several": [material.series[name].series_instance_uid for name in _NAMES[1:]], "looks": 30,
        }  # fmt: skip
        link = site.link(LINKS[_LINE])
        places: dict[str, Namespace] = {"loopback": site.server, _LINE: link.reader}
        found: dict[str, list[dict[str, Any]]] = {}
        for where, namespace in places.items():
            for kind in ("ours", "unaimed", "cold", "ohif", "memory"):
                name = f"{where}: {kind}"
                if (kind == "memory" and where != "loopback") or (kind == "ohif" and not _OHIF.is_dir()):
                    continue
                if options.only and not any(word in name for word in options.only):
                    continue
                found[name] = _rounds(namespace, job | {"kind": kind}, options.rounds, site.folder)
                _say(name, found[name])
        _say_server(served)
    RESULTS.mkdir(parents=True, exist_ok=True)
    about = {"load": os.getloadavg(), "rows": found}
    (RESULTS / "page.json").write_text(json.dumps(about, indent=1) + "\n")
    return 0


def _rounds(where: Namespace, job: dict[str, Any], rounds: int, folder: Path) -> list[dict[str, float]]:
    rounds = 1 if job["kind"] == "memory" else rounds
    (folder / "page.json").write_text(json.dumps(job | {"rounds": rounds}))
    run(where, "benchmarks.page.reading", folder / "page.json", folder / "found.json", _ROUND_S * (rounds + 1))
    made: list[dict[str, Any]] = json.loads((folder / "found.json").read_text())
    return [{**one, **fling(noted)} if (noted := one.pop("fling", None)) else one for one in made]


def _say(name: str, rounds: list[dict[str, float]]) -> None:
    for what in rounds[0]:
        low, median, high = (float(np.percentile([one[what] for one in rounds], p)) for p in (0, 50, 100))
        print(f"{name}: {what}: {median:.3g} ({low:.3g} to {high:.3g})", flush=True)


def _say_server(served: Served) -> None:
    print(f"the server streamed {served.counter('stream_bytes') / 1e6:.0f} MB; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    sys.exit(main())
