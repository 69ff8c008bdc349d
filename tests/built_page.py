"""The page of engine/viewer in Chromium: opened, waited for, and watched for what a reader would never see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from browser import Browser, Page, needs_chromium
from serving import Serving

DIST = Path(__file__).parents[1] / "engine" / "viewer" / "dist"
needs_page = [
    pytest.mark.peer,
    needs_chromium,
    pytest.mark.skipif(not (DIST / "index.html").is_file(), reason="the page is not built (make viewer)"),
]
LISTED = "document.querySelector('.status[data-ready]') !== null"
SIZES = pytest.mark.parametrize("size", [(1280, 800), (820, 1180), (390, 800)], ids=["desk", "tablet", "telephone"])
# Of a row that scrolls by itself (series, tools on a telephone) what is out of sight is reached by scrolling it.
_TOO_SMALL = """(() => {
  const isRow = (e) => e.scrollWidth > e.clientWidth && /auto|scroll/.test(getComputedStyle(e).overflowX);
  const scrolls = (e) => e && (isRow(e) || scrolls(e.parentElement));
  return [...document.querySelectorAll('button, select, input')].filter((e) => e.offsetParent).filter((e) => {
    const r = e.getBoundingClientRect();
    return r.height < 23.5 || (!scrolls(e.parentElement) && (r.left < -0.5 || r.right > innerWidth + 0.5));
  }).map((e) => e.outerHTML);
})()"""


def status(words: str) -> str:
    """Whether the list's own status begins with these words."""
    return f"document.querySelector('.status')?.innerText.startsWith({json.dumps(words)})"


def browse(
    server: Serving,
    steps: Callable[[Page], Awaitable[None]],
    path: str = "/",
    size: tuple[int, int] = (1280, 800),
    ready: str = LISTED,
    *options: str,
) -> None:
    """Open, run the steps; what the console or the content policy complains of fails, and so does a request to elsewhere."""

    async def run() -> None:
        async with Browser(*size, *options) as page:
            await page.open(server.url + path)
            await page.until(ready)
            await steps(page)
            assert page.problems == [], page.problems
            own = (
                server.url + "/",
                "data:",
                "blob:",
                "chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai/",
            )  # its PDF viewer
            assert [url for url in page.requests if not url.startswith(own)] == []

    asyncio.run(run())


async def choose(page: Page, ready: str, **settings: str) -> None:
    """Set what a reader chose before, and load the page again."""
    kept = [f"localStorage.setItem('voxcast.{name}', '{json.dumps(value)}')" for name, value in settings.items()]
    address = await page.value(f"({', '.join(kept)}, location.href)")
    await page.open(address)
    await page.until(ready)


async def fits(page: Page) -> None:
    """Nothing scrolls the window as a whole; every control is inside it and has a size to hit."""
    assert await page.value("document.documentElement.scrollWidth <= innerWidth")
    assert await page.value("document.documentElement.scrollHeight <= innerHeight")
    assert await page.value(_TOO_SMALL) == []
