"""The built viewer in a real Chromium, as tests drive it: series are dropped on it, frames read back as they are drawn."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser, Page
from serving import Serving

DIST = Path(__file__).resolve().parents[1] / "engine" / "viewer" / "dist"
needs_page = pytest.mark.skipif(not (DIST / "index.html").is_file(), reason="the page is not built (make viewer)")
CELL = ".voxcast-view .cell"

# Software drawing reads its pixels back, and Chromium remarks on it: nothing that a page could do about.
_REMARK = "GPU stall due to ReadPixels"

_READ = """new Promise((done) => {
  document.querySelector('.voxcast-view').dispatchEvent(new CustomEvent('voxcast:read', { detail: (image, about) => {
    if (!image) return done({ about });
    let text = '';
    for (let at = 0; at < image.data.length; at += 32768) text += String.fromCharCode(...image.data.subarray(at, at + 32768));
    done({ about, width: image.width, height: image.height, data: btoa(text) });
  } }));
})"""


def browse(
    server: Serving,
    path: str,
    steps: Callable[[Page], Awaitable[None]],
    size: tuple[int, int] = (1280, 800),
    options: tuple[str, ...] = (),
) -> None:
    """Run steps on the viewer; whatever the console or the content policy complains of fails the test."""

    async def run() -> None:
        async with Browser(*size, *options) as page:
            await page.open(server.url + path)
            await page.until(f"!!document.querySelector('{CELL}')")
            await steps(page)
            assert [one for one in page.problems if _REMARK not in one] == []
            assert [url for url in page.requests if not url.startswith((server.url + "/", "data:", "blob:"))] == []

    asyncio.run(run())


def address(study: str, series: str = "") -> str:
    return f"/viewer?StudyInstanceUIDs={study}" + (f"&SeriesInstanceUID={series}" if series else "")


async def drop_series(page: Page, study: str, series: str, cell: int = 0) -> None:
    """As a reader drags it from the strip."""
    named = json.dumps(json.dumps({"study": study, "series": series}))
    await page.value(
        "(() => { const transfer = new DataTransfer();"
        f" transfer.setData('application/x-voxcast-series', {named});"
        f" document.querySelectorAll('{CELL}')[{cell}].dispatchEvent("
        " new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true })); })()"
    )


async def draw(page: Page, tool: str, *path: tuple[float, float], side: int = 128) -> None:
    """Press at the first place, go through the others, release; in pixels of the image from its middle."""
    await page.value(f"document.querySelector('.voxcast-view button[data-act=\"tool.{tool}\"]').click()")
    x, y = await page.centre(CELL)
    height = await page.value(f"document.querySelector('{CELL}').getBoundingClientRect().height")
    places = [(x + across * height / side, y + down * height / side) for across, down in path]
    await page.mouse("mousePressed", *places[0], button="left", clickCount=1)
    for place in places[1:]:
        await page.mouse("mouseMoved", *place, button="left", buttons=1)
    await page.mouse("mouseReleased", *places[-1], button="left", clickCount=1)


async def press(page: Page, key: str) -> None:
    """A key on the first cell."""
    named = json.dumps({"key": key, "bubbles": True, "cancelable": True})
    await page.value(f"document.querySelector('{CELL}').dispatchEvent(new KeyboardEvent('keydown', {named}))")


async def read_frame(page: Page) -> tuple[dict[str, Any], np.ndarray[Any, Any] | None]:
    """What the active viewport shows, a pixel of the frame for one: (rows, columns, 3); None while it is not exact."""
    found = await page.value(_READ)
    if "data" not in found:
        return found["about"], None
    pixels = np.frombuffer(base64.b64decode(found["data"]), np.uint8).reshape(found["height"], found["width"], 4)
    return found["about"], pixels[..., :3]


async def exact_frame(page: Page, key: str, patience_s: float = 20.0) -> np.ndarray[Any, Any]:
    """The same of the frame of that key, wherever in the series it is, once it is exact; fails with what the page says instead."""
    about: dict[str, Any] = {}
    await page.until(f"document.querySelector('{CELL}').innerText.includes(' / ')")
    for _ in range(300):
        about, _ = await read_frame(page)
        if about.get("key") == key:
            break
        if about.get("key"):  # the series is there, at another frame
            await press(page, "ArrowDown")
        else:
            await asyncio.sleep(0.03)
    # A window that the pixels decide stays while one scrolls: here it is to be that of this frame.
    await press(page, "a")
    for _ in range(int(patience_s / 0.03)):
        about, pixels = await read_frame(page)
        if about.get("trouble") and about.get("key") == key:
            break
        if pixels is not None and about.get("key") == key:
            return pixels
        await asyncio.sleep(0.03)
    raise AssertionError(f"{key} is not shown exactly: {about}")
