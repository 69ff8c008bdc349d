"""A volume turned by a hand: pictures while it turns, the wait for the exact one, what the page holds before, meanwhile and after.

    python -m benchmarks.page.turning FOLDER [--preset ct_bone] [--rounds 3] [--card]

FOLDER holds the files of one series that is a volume. Traps: a busy machine (the load is told); `--card` has the page cast by a
graphics card, which the processor plays here, and is waited for minutes; memory is given back when the browser collects.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pydicom

from benchmarks.measure import RESULTS
from benchmarks.page.tab import browser, page_bytes, unwatched, webgl
from benchmarks.peers import Voxcast, voxcast_command

_CELL = ".voxcast-view .cell"
_NOTED = """document.querySelector('.voxcast-view').addEventListener('voxcast:drawn', ({ detail }) => {
  (window.noted ??= []).push([performance.now(), detail.shown[0].halvings]);
}), window.noted = [], true"""
_EXACT = "window.noted.find(([at, halvings]) => halvings === 0 && at > window.rested)?.[0]"
_TURN_S, _MOVE_PX, _QUIET_S, _PATIENCE_S = 3.0, 4.0, 1.0, 600.0


async def turned(page: Any) -> dict[str, float]:
    """One round: a drag of some seconds, then a hand that rests."""
    x, y = await page.centre(_CELL)
    await page.value("(window.noted = [], window.rested = Infinity, true)")
    await page.mouse("mousePressed", x, y, button="left", clickCount=1)
    began = time.perf_counter()
    while time.perf_counter() - began < _TURN_S:
        x += _MOVE_PX
        await page.mouse("mouseMoved", x, y, button="left", buttons=1)
        await asyncio.sleep(1 / 120)
    pictures = await page.value("(window.rested = performance.now(), window.noted.length)")
    await page.mouse("mouseReleased", x, y, button="left", clickCount=1)
    exact = await _until(page, _EXACT)
    return {"ms a picture": _TURN_S * 1000 / max(pictures, 1), "ms to exact": exact - await page.value("window.rested")}


async def measured(url: str, study: str, series: str, preset: str, rounds: int, is_card: bool) -> dict[str, Any]:
    drawing = "gpu" if is_card else "cpu"
    chromium = browser(*(webgl() if is_card else ()))
    async with chromium as page:
        await unwatched(page)
        flat = f"{url}/viewer?StudyInstanceUIDs={study}&SeriesInstanceUID={series}#drawing={drawing}"
        await page.open(flat)
        await page.until(f"document.querySelector('{_CELL} .badge')?.textContent === ''")
        await asyncio.sleep(_QUIET_S)
        held = [page_bytes(chromium._process.pid)]
        await page.open("about:blank")
        await page.open(f"{flat}&volume={preset}")
        await page.until("document.querySelector('.volume-panel')?.hidden === false")
        await page.value(_NOTED)
        coarse = await _until(page, "window.noted.find(([, halvings]) => halvings >= 0)?.[0]")
        exact = await _until(page, "window.noted.find(([, halvings]) => halvings === 0)?.[0]")
        found = [await turned(page) for _ in range(rounds)]
        held.append(page_bytes(chromium._process.pid))
        await page.key("v")
        await page.until("document.querySelector('.volume-panel').hidden")
        await asyncio.sleep(_QUIET_S)
        held.append(page_bytes(chromium._process.pid))
    names = ("images", "volume", "images again")
    return {
        "opened to coarse": coarse,
        "opened to exact": exact,
        "rounds": found,
        "MB": {name: round(one / 1e6) for name, one in zip(names, held, strict=True)},
    }


async def _until(page: Any, expression: str) -> float:
    end = time.perf_counter() + _PATIENCE_S
    while time.perf_counter() < end:
        if found := await page.value(expression):
            return float(found)
        await asyncio.sleep(0.02)
    raise TimeoutError(f"never within {_PATIENCE_S} s: {expression}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", default="ct_bone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--card", action="store_true")
    options = parser.parse_args(arguments)
    header = pydicom.dcmread(next(p for p in sorted(options.folder.iterdir()) if p.is_file()), stop_before_pixels=True)
    with tempfile.TemporaryDirectory(prefix="turning-") as folder:
        archive = Path(folder, "archive")
        subprocess.run([voxcast_command(), "import", options.folder, "--archive", archive], check=True)
        server = Voxcast(archive, Path(folder, "voxcast.log"))
        try:
            uids = str(header.StudyInstanceUID), str(header.SeriesInstanceUID)
            url = f"http://{server.host}:{server.port}"
            found = asyncio.run(measured(url, *uids, options.preset, options.rounds, options.card))
        finally:
            server.stop()
    found |= {"preset": options.preset, "card": options.card, "load": os.getloadavg()}
    print(json.dumps(found, indent=1))
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "turning.json").write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
