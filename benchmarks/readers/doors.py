"""A volume by plain HTTP: python -m benchmarks.readers.doors [--keep FOLDER] [--rounds 3] [--link "30 Mbit/s, 10 ms"].

174 slices as cornerstone3D asks for them: six connections, the middle, first and last, then every fourth from 3, 1, 2, 0; first
something of each, then the rest of each. voxcast by `htj2kThumbnail/`, and by ranges, beside files of the same code streams
behind nginx, as Static DICOMweb has them. Usable: every fourth slice at a quarter of its sides. The clock begins with the first
request on connections that are open already. A prefix counts as a quarter when it holds that resolution by the pack's own table.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import uvloop

from benchmarks.links.namespaces import why_not
from benchmarks.links.site import Site
from benchmarks.measure import RESULTS
from benchmarks.readers.cells import LINKS, run
from benchmarks.readers.material import Look, prepared
from benchmarks.readers.server import Served, nginx, voxcast

_CONNECTIONS = 6
_QUARTER = 3  # levels from the last
_LOADER = "multipart/related; type=application/octet-stream; transfer-syntax=*"
_FIRST_BYTES = {"64 KB ranges": 65_536, "16 KB ranges": 16_384}
_ROUND_S_MAX = 120.0


def main(arguments: list[str]) -> int:
    if len(arguments) == 2 and arguments[0].endswith("job.json"):
        Path(arguments[1]).write_text(json.dumps(uvloop.run(_asked(json.loads(Path(arguments[0]).read_text())))))
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path, help="make the series here, and find them here the next time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--link", default="30 Mbit/s, 10 ms", choices=LINKS)
    options = parser.parse_args(arguments)
    missing = why_not()
    if missing:
        print(missing, file=sys.stderr)
        return 1
    found: dict[str, list[dict[str, float]]] = {}
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="doors-")))
        material = prepared(folder, ("volume",))
        look = material.series["volume"]
        site = stack.enter_context(Site())
        ours = stack.enter_context(voxcast(material.archive, site.server, site.folder / "voxcast", "cubic"))
        files = stack.enter_context(nginx(material.files, site.server, site.folder / "nginx", "cubic"))
        link = site.link(LINKS[options.link])
        cases = {"voxcast, thumbnails": _job(look, ours, "htj2kThumbnail", 0)}
        for name, size in _FIRST_BYTES.items():
            cases[f"voxcast, {name}"] = _job(look, ours, "htj2k", size)
            cases[f"nginx, {name}"] = _job(look, files, "", size)
        for turn in range(options.rounds):
            for name in list(cases) if turn % 2 == 0 else reversed(cases):
                job, target = site.folder / "job.json", site.folder / "times.json"
                job.write_text(json.dumps(cases[name]))
                run(link.reader, "benchmarks.readers.doors", job, target, _ROUND_S_MAX)
                found.setdefault(name, []).append(json.loads(target.read_text()))
    for name, rounds in sorted(found.items()):
        texts = []
        for what in rounds[0]:
            low, median, high = (float(np.percentile([one[what] for one in rounds], p)) for p in (0, 50, 100))
            texts.append(f"{what} {median:.0f} ({low:.0f} to {high:.0f})")
        print(f"{options.link}: {name}: {'; '.join(texts)}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "doors.json").write_text(json.dumps({"link": options.link, "rounds": found}, indent=1) + "\n")
    return 0


def _job(look: Look, served: Served, form: str, first_bytes: int) -> dict[str, Any]:
    """`form`: of the first look, and empty for files."""
    supply, series = look.supply, f"/dicom-web/studies/{look.study_instance_uid}/series/{look.series_instance_uid}"
    at = [
        f"{series}/instances/{sop}/{{form}}/{frame}" if form else f"/{look.name}/{position}"
        for position, (sop, frame) in enumerate(look.frames)
    ]
    return {
        "url": served.url, "at": at, "form": form, "first": first_bytes,
        "quarter": [supply.end(position, supply.levels - _QUARTER) for position in range(supply.positions)],
        "whole": [supply.size(position) for position in range(supply.positions)],
    }  # fmt: skip


async def _asked(job: dict[str, Any]) -> dict[str, float]:
    count, first = len(job["at"]), job["first"]
    order = list(
        dict.fromkeys([count // 2, 0, count - 1, *(n for start in (3, 1, 2, 0) for n in range(start, count, 4))])
    )
    quarter_at: dict[int, float] = {}
    received = 0
    async with aiohttp.ClientSession(
        job["url"], connector=aiohttp.TCPConnector(limit=_CONNECTIONS), headers={"Accept": _LOADER}, auto_decompress=False
    ) as session:  # fmt: skip

        async def get(path: str, start: int = 0, end: int | None = None) -> bytes:
            nonlocal received
            is_part = bool(start) or end is not None
            headers = {"Range": f"bytes={start}-{'' if end is None else end - 1}"} if is_part else {}
            async with session.get(path, headers=headers) as answer:
                if answer.status != (206 if is_part else 200):
                    raise SystemExit(f"{path}: {answer.status}")
                body = await answer.read()
            received += len(body)
            return body

        await asyncio.gather(*(get(job["at"][0].format(form="htj2k"), 0, 1) for _ in range(_CONNECTIONS)))
        begin, received = time.perf_counter(), 0
        has: dict[int, int] = {}

        async def look(position: int) -> None:
            path = job["at"][position].format(form=job["form"])
            body = await get(path, 0, first or None)
            has[position] = len(body) if first else 0
            if len(body) >= job["quarter"][position]:  # a body's head, where it has one, is some 100 bytes more
                quarter_at[position] = time.perf_counter() - begin

        async def rest(position: int) -> None:
            body = await get(job["at"][position].format(form="htj2k"), has[position])
            if has[position] + len(body) < job["whole"][position]:
                raise SystemExit(f"slice {position} is not whole")
            quarter_at.setdefault(position, time.perf_counter() - begin)

        for step in (look, rest):
            waiting = deque(order)

            async def work(step: Any = step, waiting: deque[int] = waiting) -> None:
                while waiting:
                    await step(waiting.popleft())

            await asyncio.gather(*(work() for _ in range(_CONNECTIONS)))
    return {
        "usable ms": 1e3 * max(quarter_at[n] for n in range(3, count, 4)),
        "every slice at a quarter ms": 1e3 * max(quarter_at.values()),
        "complete ms": 1e3 * (time.perf_counter() - begin),
        "kB": received / 1e3,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
